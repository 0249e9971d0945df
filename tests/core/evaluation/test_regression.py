"""Before and after: figures with exact intervals, what counts as worse, and a threshold that weighs all sets alike."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.evaluation.metrics import equal_error
from padkit.evaluation.regression import DomainCheck, balanced_threshold, facts, figures, worsened
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.binomial import exact_interval


def scores(live, attack, species="print"):
    values = [*live, *attack]
    blank = np.full(len(values), "")
    label = np.array([1] * len(live) + [0] * len(attack))
    return Scores(
        presentation=np.array([str(number) for number in range(len(values))]), dataset=blank, domain=blank, split=blank,
        subject=blank, label=label, attack_type=blank, species=np.where(label == 0, species, ""), device=blank,
        score=np.array(values), frames=np.ones(len(values)),
    )  # fmt: skip


def check(before, after, name="old", thresholds=(0.5, 0.5)):
    pair = [figures(one, at) for one, at in zip((before, after), thresholds, strict=True)]
    return DomainCheck(name=name, own=False, before=pair[0], after=pair[1])


def test_figures_of_a_hand_calculation():
    found = figures(scores([0.9, 0.8, 0.4], [0.1, 0.2, 0.6, 0.7]), 0.5)
    assert (found.bona_fide.errors, found.bona_fide.trials) == (1, 3)
    assert (found.worst.name, found.worst.errors, found.worst.trials) == ("print", 2, 4)
    assert found.worst.interval == exact_interval(2, 4)
    assert found.error == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found.auc == pytest.approx(10 / 12)
    ends = exact_interval(1, 3, 0.975), exact_interval(2, 4, 0.975)
    assert found.error_interval == pytest.approx([(low + high) / 2 for low, high in zip(*ends, strict=True)])


def test_one_class_alone_has_its_rate_and_no_auc():
    live, attacks = figures(scores([0.9, 0.4], []), 0.5), figures(scores([], [0.9, 0.4, 0.2, 0.1]), 0.5)
    assert (live.auc, live.attacks, live.worst, live.error) == (None, None, None, 0.5)
    assert (attacks.auc, attacks.bona_fide, attacks.error) == (None, None, 0.25)
    assert attacks.error_interval == exact_interval(1, 4)
    assert [*worsened([check(scores([], [0.1, 0.2]), scores([], [0.1, 0.8]))], 0.02)] == [
        "old: APCER, pooled 0.0 -> 50.0 %"
    ]


def test_worse_is_what_exceeds_the_tolerance_and_nothing_else():
    good, bad = scores([0.9] * 25, [0.1] * 25), scores([0.9] * 24 + [0.05], [0.1] * 25)
    found = check(good, bad)
    assert found.worse_by == pytest.approx({"HTER": 0.02, "AUC": 0.04})
    assert [*worsened([found], 0.02)] == ["old: AUC 100.0 -> 96.0 %"], "exactly the tolerance is within it"
    assert [*worsened([found], 0.04)] == []
    assert [*worsened([check(bad, good)], 0.0)] == [], "better is not worse"
    moved = check(good, good, thresholds=(0.5, 0.95))
    assert [*worsened([moved], 0.02)] == ["old: HTER 0.0 -> 50.0 %"], "a threshold that is bad there counts"
    assert facts([moved])[0]["after"]["errors"]["bona fide"]["errors"] == 25


def test_a_few_own_presentations_weigh_as_much_as_many_old_ones():
    """400 old presentations are parted at 0.3, 4 own ones at 0.7; without weights the old ones alone decide."""
    generator = np.random.default_rng(0)
    old = scores(generator.uniform(0.2, 0.7, 200), generator.uniform(0.0, 0.4, 200))
    own = scores([0.85, 0.95], [0.5, 0.65])
    sets = [old, own]
    alone = equal_error(old.label, old.score).threshold
    pooled = equal_error(np.concatenate([s.label for s in sets]), np.concatenate([s.score for s in sets])).threshold
    balanced = balanced_threshold(sets)
    assert abs(pooled - alone) < 0.01 < balanced - alone
    errors = [figures(one, balanced) for one in sets]
    apcer = np.mean([one.attacks.rate for one in errors])
    bpcer = np.mean([one.bona_fide.rate for one in errors])
    assert apcer == pytest.approx(bpcer, abs=0.26), "equal up to one presentation of the smaller set"
    repeated = scores(np.tile(own.score[own.label == 1], 100), np.tile(own.score[own.label == 0], 100))
    same = [old, repeated]
    expected = equal_error(np.concatenate([s.label for s in same]), np.concatenate([s.score for s in same])).threshold
    assert balanced == expected, "the same as if each own presentation were there a hundred times"
