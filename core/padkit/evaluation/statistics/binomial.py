"""Exact intervals of an error rate (Clopper and Pearson, 1934), as ISO/IEC 30107-3 testing reports them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """An error rate with what it rests on; rates are shares in [0, 1].

    Attributes:
        name: Whose errors: a PAI species, `all attacks` or `bona fide`.
        errors: How many there were.
        trials: Among how many presentations, at least one.
        interval: Exact two-sided 95 % interval (Clopper-Pearson).
        bound: Exact one-sided upper bound at the level asked for.
        least: The smallest rate that so many presentations can prove at that level, without an error.
    """

    name: str
    errors: int
    trials: int
    interval: tuple[float, float]
    bound: float
    least: float

    @property
    def rate(self) -> float:
        """The share of errors."""
        return self.errors / self.trials


def exact_rate(name: str, errors: int, trials: int, level: float = 0.95) -> Rate:
    """Return an error rate with what it rests on.

    Args:
        name: Whose errors.
        errors: Number of errors, 0 to `trials`.
        trials: Number of presentations, at least one.
        level: Confidence of the one-sided bound, in (0, 1).

    Raises:
        ValueError: `errors` is outside 0..trials, or nothing was tried.
    """
    if not trials:
        raise ValueError(f"{name}: nothing was tried")
    return Rate(
        name=name, errors=errors, trials=trials, interval=exact_interval(errors, trials),
        bound=upper_bound(errors, trials, level), least=smallest_provable(trials, level),
    )  # fmt: skip


def exact_interval(errors: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a rate, shares in [0, 1]; (0, 1) if nothing was tried.

    Args:
        errors: Number of errors, 0 to `trials`.
        trials: Number of independent presentations.
        level: Confidence level, in (0, 1).

    Raises:
        ValueError: `errors` is outside 0..trials.
    """
    from scipy.stats import binomtest

    if not trials:
        return 0.0, 1.0
    found = binomtest(errors, trials).proportion_ci(level, "exact")
    return float(found.low), float(found.high)


def mean_interval(first: Rate, second: Rate, level: float = 0.95) -> tuple[float, float]:
    """Return an interval of the mean of two rates (HTER), shares in [0, 1], that covers it with at least `level`.

    Each rate is given half of the error (Bonferroni), so that the interval is rather too wide.
    """
    ends = [exact_interval(one.errors, one.trials, (1 + level) / 2) for one in (first, second)]
    return (ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2


def smallest_provable(trials: int, level: float = 0.95) -> float:
    """Return the smallest rate that `trials` presentations without an error can prove: the one-sided bound.

    It is 1 - (1 - level)^(1 / trials), about 3 / trials at 95 % (the "rule of three"); 1 if nothing was tried.
    """
    return 1 - (1 - level) ** (1 / trials) if trials else 1.0


def upper_bound(errors: int, trials: int, level: float = 0.95) -> float:
    """Return the one-sided exact bound of a rate: at `level`, the true rate is at most this; 1 if nothing was tried.

    Raises:
        ValueError: `errors` is outside 0..trials.
    """
    from scipy.stats import beta

    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors of {trials}")
    return 1.0 if errors == trials else float(beta.ppf(level, errors + 1, trials - errors))


def trials_needed(rate: float, level: float = 0.95) -> int:
    """Return how many presentations without an error prove that the rate is at most `rate`, a share in (0, 1)."""
    needed = max(math.ceil(math.log(1 - level) / math.log1p(-rate)) - 1, 1)  # one less, for the rounding of logarithms
    while most_errors(needed, rate, level) < 0:
        needed += 1
    return needed


def most_errors(trials: int, rate: float, level: float = 0.95) -> int:
    """Return the most errors among `trials` that still prove a rate of at most `rate`; -1 if not even none does."""
    from scipy.stats import binom

    # The bound of k errors is at most `rate` if that rate gives k errors or fewer with a chance of at most 1 - level.
    chances = binom.cdf(range(trials + 1), trials, rate)
    return int((chances <= (1 - level) * (1 + 1e-12)).sum()) - 1
