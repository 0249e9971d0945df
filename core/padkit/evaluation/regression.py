"""Whether a changed model is worse than before, domain by domain, and the threshold that weighs all of them alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.calibration import BONA_FIDES, POOLED
from padkit.evaluation.metrics import attacks_by_species, auc, equal_error
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.binomial import Rate, exact_rate, mean_interval

POLICY = "adapted-eer"
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFigures:
    """What one model does on one set of presentations; rates are shares in [0, 1].

    Attributes:
        threshold: Bona fide iff score >= threshold.
        auc: Area under the ROC; None where a class is missing.
        species: Rates of the attacks accepted, by PAI species.
        attacks: Rate of all attacks accepted; None without attacks.
        bona_fide: Rate of the bona fide presentations rejected; None without any.
    """

    threshold: float
    auc: float | None
    species: tuple[Rate, ...]
    attacks: Rate | None
    bona_fide: Rate | None

    @property
    def worst(self) -> Rate | None:
        """The species with the largest rate; of equal ones that with the largest bound."""
        return max(self.species, key=lambda rate: (rate.rate, rate.bound), default=None)

    @property
    def error(self) -> float:
        """HTER; where a class is missing, the error rate of the other."""
        return float(np.mean([rate.rate for rate in (self.attacks, self.bona_fide) if rate is not None]))

    @property
    def error_interval(self) -> tuple[float, float]:
        """Interval of `error`, at least 95 %."""
        if self.attacks is not None and self.bona_fide is not None:
            return mean_interval(self.attacks, self.bona_fide)
        known = self.attacks or self.bona_fide
        return known.interval if known else (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCheck:
    """One set of presentations before and after.

    Attributes:
        name: What they are.
        own: Whether the model was adapted to them; otherwise they are an old domain.
        before, after: The figures.
        seen: Whether the new threshold was chosen on them, among others.
    """

    name: str
    own: bool
    before: DomainFigures
    after: DomainFigures
    seen: bool = True

    @property
    def worse_by(self) -> dict[str, float]:
        """By how much each figure got worse, as a share; negative where it got better."""
        both = self.before.attacks is not None and self.before.bona_fide is not None
        name = "HTER" if both else "APCER, pooled" if self.before.attacks is not None else "BPCER"
        found = {name: self.after.error - self.before.error}
        if self.before.auc is not None and self.after.auc is not None:
            found["AUC"] = self.before.auc - self.after.auc
        return found


def figures(scores: Scores, threshold: float) -> DomainFigures:
    """Return a model's figures on at least one presentation, of one class or of both."""
    accepted, alive = scores.score >= threshold, scores.label == BONA_FIDE
    species = {}
    if not alive.all():
        species = attacks_by_species(scores.label, scores.pai_species)
    return DomainFigures(
        threshold=threshold,
        auc=auc(scores.label, scores.score) if 0 < alive.sum() < len(scores) else None,
        species=tuple(exact_rate(name, int(accepted[rows].sum()), int(rows.sum())) for name, rows in species.items()),
        attacks=exact_rate(POOLED, int(accepted[~alive].sum()), int((~alive).sum())) if species else None,
        bona_fide=exact_rate(BONA_FIDES, int((~accepted[alive]).sum()), int(alive.sum())) if alive.any() else None,
    )


def balanced_threshold(sets: Sequence[Scores]) -> float:
    """Return the threshold of equal errors where every set weighs the same within each class.

    Args:
        sets: Held-out presentations of own and old domains; a set may have one class only.

    Raises:
        DataError: A class is missing in all of them.
    """
    labels = np.concatenate([one.label for one in sets])
    scores = np.concatenate([one.score for one in sets])
    weights = np.empty(len(labels))
    start = 0
    for one in sets:
        here = weights[start : start + len(one)]
        for label in (ATTACK, BONA_FIDE):
            rows = one.label == label
            here[rows] = 1 / max(int(rows.sum()), 1)
        start += len(one)
    return equal_error(labels, scores, weights).threshold


def worsened(checks: Sequence[DomainCheck], tolerance: float) -> Iterator[str]:
    """Yield in words what got worse by more than a tolerance, a share, in each set of presentations."""
    for check in checks:
        for name, by in check.worse_by.items():
            if by > tolerance + ROUNDING:
                pair = [_figure(name, one) for one in (check.before, check.after)]
                yield f"{check.name}: {name} {100 * pair[0]:.1f} -> {100 * pair[1]:.1f} %"


def facts(checks: Sequence[DomainCheck]) -> list[Mapping[str, object]]:
    """Return checks as plain JSON values, for the provenance of a bundle; rates are shares in [0, 1]."""
    return [
        {
            "data": check.name,
            "own": check.own,
            "threshold_chosen_on_it": check.seen,
            "before": _plain(check.before),
            "after": _plain(check.after),
        }
        for check in checks
    ]


def _figure(name: str, found: DomainFigures) -> float:
    return (found.auc or 0.0) if name == "AUC" else found.error


def _plain(found: DomainFigures) -> dict[str, object]:
    rows = [*found.species, *(one for one in (found.attacks, found.bona_fide) if one is not None)]
    return {
        "threshold": found.threshold,
        "auc": found.auc,
        "error": found.error,
        "error_interval": found.error_interval,
        "errors": {row.name: {"errors": row.errors, "trials": row.trials, "interval": row.interval} for row in rows},
    }
