"""The figures of one set of scores: counts, rates at a threshold, figures without a threshold, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.metrics import error_rates, separation
from padkit.evaluation.scores import Scores
from padkit.evaluation.thresholds import DEV_EER, SOURCE_DEV, Threshold

LABELS: Mapping[str, str] = {
    "hter": "HTER",
    "acer": "ACER",
    "apcer": "APCER, worst species",
    "bpcer": "BPCER",
    "apcer_pooled": "APCER, pooled",
    "acer_pooled": "ACER, pooled",
    "auc": "AUC",
    "eer": "EER",
    "bpcer10": "BPCER10",
    "bpcer20": "BPCER20",
    "bpcer100": "BPCER100",
    "tpr_at_fpr1": "TPR@FPR=1%",
}
AT_THRESHOLD = ("hter", "acer", "apcer", "bpcer", "apcer_pooled", "acer_pooled")
NO_THRESHOLD = ("auc", "eer", "bpcer10", "bpcer20", "bpcer100", "tpr_at_fpr1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Presentations by class and by PAI species, and frames in all."""

    bona_fide: int
    attack: int
    frames: int
    species: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """One entry of `results`; the keys are explained in `padkit.evaluation.results`."""

    policy: str
    threshold: float
    chosen_on: str
    test_set_choice: bool
    values: dict[str, float]
    apcer_by_species: dict[str, float]


def count(scores: Scores) -> Counts:
    """Return the counts of a set of scores."""
    names, numbers = np.unique(scores.pai_species[scores.label == ATTACK], return_counts=True)
    return Counts(
        bona_fide=int(np.sum(scores.label == BONA_FIDE)),
        attack=int(np.sum(scores.label == ATTACK)),
        frames=int(np.sum(scores.frames)),
        species=dict(zip(names.tolist(), numbers.tolist(), strict=True)),
    )


def threshold_free(scores: Scores) -> dict[str, float]:
    """Return the figures of `scores` that need no threshold; errors as in `padkit.evaluation.metrics.error_rates`."""
    return asdict(separation(scores.label, scores.score, scores.pai_species))


def rates_at(scores: Scores, threshold: Threshold, *, chosen_here: bool | None = None) -> PolicyResult:
    """Return the rates of `scores` at a threshold.

    Args:
        scores: Any set of presentations.
        threshold: The threshold.
        chosen_here: Whether the threshold was chosen on these scores; needed if they are not the target's.

    Raises:
        DataError: The scores hold only one class.
    """
    values = asdict(error_rates(scores.label, scores.score, threshold.value, scores.pai_species))
    return PolicyResult(
        policy=threshold.policy,
        threshold=threshold.value,
        chosen_on=threshold.chosen_on,
        test_set_choice=threshold.test_set_choice if chosen_here is None else chosen_here,
        apcer_by_species=values.pop("apcer_by_species"),
        values=values,
    )


def chosen_on_source(policy: str, source_dev: Scores, target_dev: Scores | None) -> bool:
    """Return whether the threshold of `policy` was chosen on held-out source scores."""
    return policy == SOURCE_DEV or (policy == DEV_EER and source_dev is target_dev)
