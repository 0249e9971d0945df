"""Compares two candidates on the same presentations: DeLong's test and a paired bootstrap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from padkit.errors import DataError
from padkit.evaluation.assessment import NO_POLICY, resampled_rates, thresholds_of
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.metrics import Floats, error_rates
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.bootstrap import Interval, Units, bootstrap, interval, two_sided, units_of
from padkit.evaluation.statistics.delong import AucDifference, delong
from padkit.evaluation.statistics.resampling import SortedScores, WeightedScores

NAMED = 5  # presentations that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of two candidates; shares in [0, 1].

    Attributes:
        metric: `hter` or `auc`.
        policy: Threshold policy, "" for `auc`.
        first: The first candidate's figure.
        second: The second's.
        interval: 95 % bootstrap interval of first minus second, or None without a bootstrap.
        p: Two-sided p of the paired bootstrap, or None.
    """

    metric: str
    policy: str
    first: float
    second: float
    interval: Interval | None
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """Two candidates on the same presentations.

    Attributes:
        first: The first candidate.
        second: The second.
        presentations: Number of presentations, all scored by both.
        auc: Their AUC by DeLong's test.
        differences: HTER under each policy and AUC, by the paired bootstrap.
        units: What the bootstrap drew, or None without one.
    """

    first: Candidate
    second: Candidate
    presentations: int
    auc: AucDifference
    differences: tuple[Difference, ...]
    units: Units | None


def compare_candidates(
    first: Candidate,
    second: Candidate,
    policies: Sequence[str] = (),
    *,
    resamples: int = 0,
    seed: int = 0,
    shown: bool = False,
) -> PairedComparison:
    """Compare two candidates that scored the same presentations; each has its own thresholds.

    Args:
        first: One of them.
        second: The other.
        policies: Threshold policies; by default those that both have.
        resamples: Bootstrap resamples; 0 for none.
        seed: Of the bootstrap.
        shown: Show a bar where it takes long.

    Raises:
        DataError: The candidates did not score the same presentations or disagree on a label, or a policy lacks its
            scores.
    """
    first, second = _matched(first, second)
    labels = first.target.label
    names = list(policies) or [name for name in first.policies if name in second.policies]
    thresholds = [thresholds_of(candidate, names) for candidate in (first, second)]
    units = units_of(first.target) if resamples else None

    def subtract(systems: Sequence[WeightedScores]) -> dict[tuple[str, str], Floats]:
        areas = [system.auc() for system in systems]
        found = {(NO_POLICY, "auc"): areas[0] - areas[1]}
        for name, pair in zip(names, zip(*thresholds, strict=True), strict=True):
            one, other = (resampled_rates(*each)["hter"] for each in zip(systems, pair, strict=True))
            found[name, "hter"] = one - other
        return found

    samples: dict[tuple[str, str], Floats] = {}
    if units is not None:
        ranked = [SortedScores(labels, each.target.score, None, units.of_row) for each in (first, second)]
        samples = bootstrap(ranked, units, subtract, resamples=resamples, seed=seed, shown=shown)
    areas = delong(labels, first.target.score, second.target.score)
    differences = [_difference(samples, "auc", NO_POLICY, areas.first, areas.second)]
    for name, one, other in zip(names, *thresholds, strict=True):
        rates = [
            error_rates(labels, each.target.score, threshold.value).hter
            for each, threshold in ((first, one), (second, other))
        ]
        differences.append(_difference(samples, "hter", name, *rates))
    return PairedComparison(
        first=first, second=second, presentations=len(labels), auc=areas, differences=tuple(differences), units=units
    )


def _difference(
    samples: Mapping[tuple[str, str], Floats], metric: str, policy: str, first: float, second: float
) -> Difference:
    """Return a figure of both, with interval and p if there are bootstrap `samples` of its difference."""
    sample = samples.get((policy, metric))
    return Difference(
        metric=metric,
        policy=policy,
        first=first,
        second=second,
        interval=None if sample is None else interval(sample),
        p=None if sample is None else two_sided(sample),
    )


def _matched(first: Candidate, second: Candidate) -> tuple[Candidate, Candidate]:
    """Return both candidates with the second's rows in the first's order; a subject known to one is given to both."""
    for candidate in (first, second):
        if not candidate.named:
            cause = f"{candidate.name}: has no column that names presentations"
            raise DataError(f"{cause}, so it cannot be compared in pairs; add one, or name it with --column.")
    one, other = first.target, second.target
    datasets = bool(np.any(one.dataset != "") and np.any(other.dataset != ""))
    keys = [_keys(candidate.name, candidate.target, datasets) for candidate in (first, second)]
    places = dict(zip(keys[1], range(len(other)), strict=True))
    wanted = set(keys[0])
    missing, extra = [key for key in keys[0] if key not in places], [key for key in keys[1] if key not in wanted]
    if missing or extra:
        raise DataError(
            f"{first.name} and {second.name}: not on the same presentations: {_named(missing)} in the first only, "
            f"{_named(extra)} in the second only; compare what both scored."
        )
    other = other.select(np.array([places[key] for key in keys[0]]))
    wrong = np.flatnonzero(one.label != other.label)
    if len(wrong):
        named = _named([keys[0][row] for row in wrong])
        raise DataError(f"{first.name} and {second.name}: disagree on the label of {named}; correct one of them.")
    subject = np.where(one.subject != "", one.subject, other.subject)
    one, other = (replace(scores, subject=subject) for scores in (one, other))
    return replace(first, target=one), replace(second, target=other)


def _keys(name: str, scores: Scores, datasets: bool) -> list[tuple[str, str]]:
    """Return what identifies each presentation: its dataset, if both candidates name datasets, and its name."""
    sets = scores.dataset.tolist() if datasets else [""] * len(scores)
    keys = list(zip(sets, scores.presentation.tolist(), strict=True))
    number = Counter(keys)
    if len(number) < len(keys):
        twice = max(number, key=lambda key: number[key])
        raise DataError(f"{name}: presentation {twice[1]!r} stands in two datasets; name the dataset in both files.")
    return keys


def _named(keys: Sequence[tuple[str, str]]) -> str:
    if not keys:
        return "none"
    shown = ", ".join("/".join(filter(None, key)) for key in keys[:NAMED])
    return f"{len(keys)} ({shown}{', ...' if len(keys) > NAMED else ''})"
