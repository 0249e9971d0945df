"""Statistics over whole runs: spread over seeds, paired differences of two methods, their power, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import optimize, stats

ALPHA = 0.05
POWER = 0.8  # with which a difference should be found if it is there
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
        detectable: Smallest difference that as many pairs of this spread find with 80 % power, see `detectable`.
    """

    pairs: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    wilcoxon: float | None = None
    t_test: float | None = None
    detectable: float | None = None


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
    deviation = float(differences.std(ddof=1))
    error = deviation / math.sqrt(len(shared))
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
        detectable=detectable(deviation, len(shared)) if varies else None,
    )


def detectable(deviation: float, pairs: int, power: float = POWER) -> float:
    """Return the smallest true mean difference that a two-sided paired t-test at 5 % finds with this power.

    The test's statistic follows a noncentral t with n - 1 degrees of freedom and noncentrality d sqrt(n) / s; d is
    where it exceeds the critical value with probability `power` (Cohen 1988, chapter 2; that it falls below the
    negative one has then a probability under 0.001).

    Args:
        deviation: s, standard deviation of the pairs' differences.
        pairs: n, at least 2.
        power: In (0.05, 0.95].
    """
    freedom = pairs - 1
    critical = float(stats.t.ppf(1 - ALPHA / 2, freedom))

    def lacks(shift: float) -> float:
        return power - float(stats.nct.sf(critical, freedom, shift))

    shift = float(optimize.brentq(lacks, 0.0, 2 * critical + 5))
    return shift * deviation / math.sqrt(pairs)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p-values in the same order; None (no test) stays None and is not counted."""
    order = sorted((value, position) for position, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, position) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        adjusted[position] = largest
    return adjusted
