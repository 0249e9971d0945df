"""Statistics over whole runs: spread over seeds, paired differences between two methods, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import stats

ALPHA = 0.05
Pair = TypeVar("Pair", bound=Hashable)
_NOISE = 1e-9  # rounding: differences of rates that are equal except for the last bits of a float


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation (n - 1; None for a single value) of `count` values."""

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """A cell minus the baseline over matched pairs; None where there are too few pairs or no variance.

    Attributes:
        pairs: Number of pairs.
        difference: Mean paired difference.
        low: Lower end of its 95 % t-interval.
        high: Upper end.
        wilcoxon: Two-sided p of the Wilcoxon signed-rank test; 1 if no pair differs.
        t_test: Two-sided p of the paired t-test.
    """

    pairs: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    wilcoxon: float | None = None
    t_test: float | None = None


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation of one or more values."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, len(values))


def paired_difference(values: Mapping[Pair, float], baseline: Mapping[Pair, float]) -> PairedDifference:
    """Compare two cells by the keys, (target, seed), that both have."""
    shared = [key for key in values if key in baseline]
    differences = np.array([values[key] - baseline[key] for key in shared])
    differences = np.round(differences / _NOISE) * _NOISE
    if not shared:
        return PairedDifference(pairs=0)
    mean = float(differences.mean())
    if len(shared) < 2:
        return PairedDifference(pairs=1, difference=mean)
    error = float(differences.std(ddof=1)) / math.sqrt(len(shared))
    reach = float(stats.t.ppf(1 - ALPHA / 2, len(shared) - 1)) * error
    varies = error > _NOISE
    t_test = 2 * float(stats.t.sf(abs(mean) / error, len(shared) - 1)) if varies else None
    return PairedDifference(
        pairs=len(shared),
        difference=mean,
        low=mean - reach,
        high=mean + reach,
        wilcoxon=float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0,
        t_test=t_test,
    )


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p-values in the same order; None (no test) stays None and is not counted."""
    order = sorted((value, position) for position, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, position) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        adjusted[position] = largest
    return adjusted
