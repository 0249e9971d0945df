"""A calibration's figures, against counts by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from padkit.errors import DataError, SettingsError
from padkit.evaluation.calibration import calibrate, facts
from padkit.evaluation.statistics.binomial import exact_interval, upper_bound
from padkit.evaluation.targets import read_target


def frames(alive: int = 40, attacks: int = 60, per: int = 2):
    """Columns of `per` frames a presentation, and overlapping scores."""
    label = np.repeat([1] * alive + [0] * attacks, per)
    species = np.repeat([""] * alive + [("a", "b")[number % 3 == 0] for number in range(attacks)], per)
    names = np.repeat([f"p{number}" for number in range(alive + attacks)], per)
    scores = np.clip(np.random.default_rng(0).normal(0.35 + 0.3 * label, 0.15), 0, 1)
    return {"presentation": names, "label": label, "species": species}, scores


def test_rates_intervals_and_bounds_are_those_of_the_counts():
    columns, scores = frames()
    found = calibrate(columns, scores, read_target("eer"), temperature=False)
    means = scores.reshape(-1, 2).mean(axis=1)
    label, species = columns["label"][::2], columns["species"][::2]
    for row in found.species:
        errors = int((means[species == row.name] >= found.threshold).sum())
        assert (row.errors, row.trials) == (errors, int((species == row.name).sum()))
        assert row.interval == exact_interval(errors, row.trials)
        assert row.bound == upper_bound(errors, row.trials)
    assert found.pooled.errors == sum(row.errors for row in found.species) > 0
    assert found.bona_fide.errors == int((means[label == 1] < found.threshold).sum()) > 0
    assert found.worst.rate == max(row.rate for row in found.species)
    assert json.loads(json.dumps(facts(found)))["errors"]["bona fide"]["trials"] == 40


def test_a_temperature_moves_the_threshold_and_no_verdict_of_stills():
    columns, scores = frames(per=1)
    before, after = (calibrate(columns, scores, read_target("eer"), temperature=fit) for fit in (False, True))
    assert before.fitted.temperature == 1 != after.fitted.temperature
    assert before.threshold != after.threshold
    assert np.array_equal(before.scores.score >= before.threshold, after.scores.score >= after.threshold)


def test_each_presentation_counts_the_same_for_the_temperature():
    columns, scores = frames(per=1)
    usual = calibrate(columns, scores, read_target("eer")).fitted.temperature
    more = {name: np.concatenate([column, column[:10], column[:10]]) for name, column in columns.items()}
    again = calibrate(more, np.concatenate([scores, scores[:10], scores[:10]]), read_target("eer")).fitted.temperature
    assert again == pytest.approx(usual, rel=1e-4)


@pytest.mark.parametrize(("kept", "name"), [(1, "attack"), (0, "bona fide")])
def test_a_missing_class_is_named(kept, name):
    columns, scores = frames()
    rows = columns["label"] == kept
    with pytest.raises(DataError, match=f"no {name} presentation among"):
        calibrate({key: column[rows] for key, column in columns.items()}, scores[rows], read_target("eer"))
    with pytest.raises(SettingsError, match="level 2"):
        calibrate(columns, scores, read_target("eer"), level=2)
