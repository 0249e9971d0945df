"""A thousand random score sets: every metric and every policy against scikit-learn, or a search over all thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import confusion_matrix, roc_auc_score

from padkit.errors import DataError
from padkit.evaluation.metrics import equal_error, error_rates, separation
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.evaluation.thresholds import choose

SETS = 1000
NEAR = {"abs": 1e-9, "rel": 0}
Set = tuple[np.ndarray, np.ndarray, np.ndarray]


def sets(count: int = SETS) -> Iterator[Set]:
    """Labels, scores and species: fine and coarse scores, constant ones, ones at the ends, a species of one attack."""
    random = np.random.default_rng(20240811)
    for number in range(count):
        size = int(random.integers(2, 61))
        label = random.integers(0, 2, size)
        label[:2] = 0, 1
        fine = random.random(size)
        score = [
            fine, random.integers(0, 6, size) / 5, np.full(size, random.random()), random.integers(0, 2, size) * 1.0,
            np.clip(0.5 + 0.4 * (label - 0.5) + 0.2 * random.normal(size), 0, 1), np.round(fine, 1) * label,
            np.where(label == 1, 0.6 + 0.4 * fine, 0.5 * fine),
        ][number % 7]  # fmt: skip
        species = np.array(["print", "replay", "mask"])[random.integers(0, 1 + number % 3, size)]
        species[0] = "lonely"  # row 0 is an attack, the only one of its species
        yield label, score, np.where(label == 1, "", species)


def scores_of(given: Set) -> Scores:
    label, score, species = given
    names = [f"p{number}" for number in range(len(label))]
    return presentation_scores({"presentation": names, "label": label, "species": species}, score)


def best_threshold(label: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """The scores between which a threshold has the least |FPR - FNR|, then the least sum, then the fewest attacks."""
    options = []
    levels = sorted(set(score.tolist()), reverse=True)
    for position, level in enumerate(levels):
        fpr, fnr = np.mean(score[label == 0] >= level), np.mean(score[label == 1] < level)
        below = levels[position + 1] if position + 1 < len(levels) else level
        options.append((round(abs(fpr - fnr), 10), round(fpr + fnr, 10), fpr, level, below))
    return min(options)[3:]


def equal_error_by_root(label: np.ndarray, score: np.ndarray) -> float:
    """Where the straight-edged ROC, followed by the sum of its coordinates, has FPR = FNR; found by bisection."""
    levels = [2.0, *sorted(set(score.tolist()), reverse=True)]
    fpr = np.array([np.mean(score[label == 0] >= level) for level in levels])
    tpr = np.array([np.mean(score[label == 1] >= level) for level in levels])
    along = fpr + tpr

    def gap(place: float) -> float:
        return float(np.interp(place, along, fpr) - (1 - np.interp(place, along, tpr)))

    return float(np.interp(brentq(gap, 0, 2, xtol=1e-13), along, fpr))


def test_rates_at_thresholds() -> None:
    seen = 0
    for label, score, species in sets():
        threshold = float(score[0]) if seen % 2 else 0.5
        accepted = (score >= threshold).astype(int)
        found = asdict(error_rates(label, score, threshold, species))
        by_species = {kind: float(np.mean(accepted[species == kind])) for kind in set(species[label == 0].tolist())}
        fpr, bpcer = confusion_matrix(label, accepted, labels=[0, 1], normalize="true")[[0, 1], [1, 0]]
        worst = max(by_species.values())
        wanted = {
            "apcer": worst, "apcer_pooled": fpr, "bpcer": bpcer, "acer": (worst + bpcer) / 2, "fpr": fpr, "fnr": bpcer,
            "hter": (fpr + bpcer) / 2, "acer_pooled": (fpr + bpcer) / 2,
        }  # fmt: skip
        assert found.pop("apcer_by_species") == pytest.approx(by_species, **NEAR)
        assert found == pytest.approx(wanted, **NEAR)
        seen += 1
    assert seen == SETS


def test_values_without_a_threshold() -> None:
    seen = 0
    for label, score, species in sets():
        live, attacks = score[label == 1], score[label == 0]
        order = np.sign(live[:, None] - attacks[None, :])
        stops = [*sorted(set(score.tolist())), 2.0]
        kinds = [score[species == kind] for kind in set(species[label == 0].tolist())]

        def lowest_bpcer(bound: float, stops=stops, kinds=kinds, live=live) -> float:
            kept = [stop for stop in stops if all(np.mean(kind >= stop) <= bound for kind in kinds)]
            return float(min(np.mean(live < stop) for stop in kept))

        wanted = {
            "auc": float(np.mean((order + 1) / 2)),
            "eer": equal_error_by_root(label, score),
            "bpcer10": lowest_bpcer(0.1),
            "bpcer20": lowest_bpcer(0.05),
            "bpcer100": lowest_bpcer(0.01),
            "tpr_at_fpr1": max(float(np.mean(live >= stop)) for stop in stops if np.mean(attacks >= stop) <= 0.01),
        }
        assert asdict(separation(label, score, species)) == pytest.approx(wanted, **NEAR)
        assert wanted["auc"] == pytest.approx(roc_auc_score(label, score), **NEAR)
        seen += 1
    assert seen == SETS


def test_policies_choose_the_threshold_that_a_search_finds() -> None:
    for number, given in enumerate(sets()):
        label, score, _ = given
        level, below = best_threshold(label, score)
        found = equal_error(label, score).threshold
        assert found == pytest.approx((level + below) / 2, **NEAR)
        if number % 10 == 0:
            scores = scores_of(given)
            policies = {"source-dev": "source_dev", "target-eer": "target", "dev-eer": "target_dev"}
            assert [choose(name, **{part: scores}).value for name, part in policies.items()] == [found] * 3


def test_a_score_that_is_none_is_an_error_wherever_it_stands() -> None:
    random = np.random.default_rng(3)
    for label, score, species in sets(70):
        broken = score.copy()
        broken[random.integers(len(score))] = np.nan
        for call in (separation, lambda *given: error_rates(*given[:2], 0.5, given[2])):
            with pytest.raises(DataError, match="is NaN"):
                call(label, broken, species)
