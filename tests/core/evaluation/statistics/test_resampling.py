"""Weighted rates against the plain metrics of repeated rows; what is drawn, and that intervals cover."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from padkit.evaluation.metrics import equal_error, error_rates, separation
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.evaluation.statistics.bootstrap import bootstrap, interval, two_sided, units_of
from padkit.evaluation.statistics.resampling import SortedScores


def scores(count: int, subjects: int, seed: int = 0, spread: float = 0.0) -> Scores:
    """Scores whose subjects differ by `spread`; subjects from 1 on, "" where there are none."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, count)
    subject = random.integers(0, subjects, count) if subjects else np.zeros(count, dtype=int)
    shift = spread * random.normal(size=subjects or 1)[subject]
    values = np.clip(0.5 + 0.25 * (label - 0.5) + shift + 0.15 * random.normal(size=count), 0, 1)
    frames = {
        "presentation": [f"p{number}" for number in range(count)],
        "label": label,
        "subject": [f"s{name}" if subjects else "" for name in subject],
        "species": np.where(label == 1, "", np.array(["print", "replay"])[random.integers(0, 2, count)]),
    }
    return presentation_scores(frames, values)


def test_weights_are_repetitions() -> None:
    """90 random sets, tied and untied, each with 8 random weightings of rows or of groups of rows."""
    random = np.random.default_rng(0)
    compared = 0
    for number in range(90):
        size = int(random.integers(2, 40))
        label = random.integers(0, 2, size)
        label[:2] = 0, 1
        score = random.integers(0, 7, size) / 6 if number % 2 else random.random(size)
        species = np.where(label == 1, "", random.choice(["a", "b", "c"], size))
        units = random.integers(0, max(1, size // 2), size) if number % 3 else np.arange(size)
        weights = random.integers(0, 4, (8, units.max() + 1)).astype(np.int32)
        weights = weights[[len(set(np.repeat(label, row[units]).tolist())) == 2 for row in weights]]
        if not len(weights):
            continue
        found = SortedScores(label, score, species, units).weigh(weights)
        free, own = found.separation(), found.error_rates(found.equal_vertices())
        given = found.error_rates(found.vertices_of(float(score[0])))
        for position, row in enumerate(weights):
            rows = np.repeat(np.arange(size), row[units])
            plain = label[rows], score[rows]
            wanted = asdict(separation(*plain, species[rows]))
            assert {name: values[position] for name, values in free.items()} == pytest.approx(wanted, abs=1e-12)
            for threshold, rates in ((equal_error(*plain).threshold, own), (float(score[0]), given)):
                expected = asdict(error_rates(*plain, threshold, species[rows]))
                kinds = expected.pop("apcer_by_species")
                expected |= {f"apcer:{name}": value for name, value in kinds.items()}
                told = {name: values[position] for name, values in rates.items()}
                assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-12)
                assert all(np.isnan(value) for name, value in told.items() if name not in expected)
            compared += 1
    assert compared > 600


def test_whole_subjects_are_drawn_and_no_class_is_ever_lost() -> None:
    frames = {
        "presentation": list("abcdefgh"),
        "label": [1, 0, 1, 1, 0, 0, 1, 0],
        "subject": ["both", "both", "live", "live", "fake", "fake", "", ""],
    }
    known = presentation_scores(frames, [0.5] * 8)
    units = units_of(known)
    assert units.kind == "subjects or presentations"
    assert units.count == 5
    assert sorted(units.strata) == [1, 2, 2]  # both; live and g; fake and h
    assert units.holding == (3, 3)
    one = units.of_row
    assert (one[0], one[2], one[4]) == (one[1], one[3], one[5])
    assert len(set(one.tolist())) == 5
    weights = units.draw(np.random.default_rng(0), 500)
    assert weights.shape == (500, 5)
    assert (weights.sum(axis=1) == 5).all()
    assert (weights[:, one[0]] == 1).all()  # alone of its kind
    assert set((weights[:, one[2]] + weights[:, one[6]]).tolist()) == {2}
    assert set(weights[:, one[2]].tolist()) == {0, 1, 2}
    blind = units_of(scores(50, 0))
    assert (blind.kind, blind.count) == ("presentations", 50)


def test_draws_are_uniform() -> None:
    weights = units_of(scores(40, 0)).draw(np.random.default_rng(1), 20_000)
    assert weights.mean(axis=0) == pytest.approx(np.ones(40), abs=0.04)
    assert weights.var(axis=0) == pytest.approx(np.full(40, 1 - 1 / 20), abs=0.1)


def auc_interval(given: Scores, seed: int = 0) -> tuple[float, float]:
    units = units_of(given)
    ranked = SortedScores(given.label, given.score, None, units.of_row)
    found = interval(bootstrap([ranked], units, lambda one: {"auc": one[0].auc()}, resamples=400, seed=seed)["auc"])
    return found.low, found.high


def test_same_seed_same_interval() -> None:
    given = scores(120, 30)
    whole = auc_interval(given)
    assert whole == auc_interval(given)
    assert whole != auc_interval(given, seed=1)
    assert whole[0] < separation(given.label, given.score).auc < whole[1]


def test_intervals_cover_and_clusters_widen_them() -> None:
    """With subjects that differ, drawing presentations promises too much; drawing subjects does not."""
    everyone = scores(200_000, 20_000, 99, 0.2)
    truth = separation(everyone.label, everyone.score).auc
    hits = {"subjects": 0, "presentations": 0}
    for seed in range(40):
        given = scores(200, 25, seed, 0.2)
        blind = presentation_scores({"presentation": given.presentation, "label": given.label}, given.score)
        for name, known in (("subjects", given), ("presentations", blind)):
            low, high = auc_interval(known)
            hits[name] += low <= truth <= high
    assert hits["subjects"] >= 33  # of 40; 38 on average, fewer with 25 subjects
    assert hits["presentations"] < hits["subjects"]


def test_two_sided_p_by_hand() -> None:
    assert two_sided(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9])) == pytest.approx(2 / 10)
    assert two_sided(np.array([-1.0, 1, 2, 3, 4, 5, 6, 7, 8])) == pytest.approx(4 / 10)
    assert two_sided(np.zeros(9)) == 1.0


def test_resamples_without_a_value_are_left_out() -> None:
    found = interval(np.array([np.nan, *np.arange(101.0)]))
    assert (found.low, found.high) == pytest.approx((2.5, 97.5))
