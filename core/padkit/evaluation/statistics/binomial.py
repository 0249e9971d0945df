"""Exact intervals of an error rate (Clopper and Pearson, 1934), as ISO/IEC 30107-3 testing reports them."""

from __future__ import annotations


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


def smallest_provable(trials: int, level: float = 0.95) -> float:
    """Return the smallest rate that `trials` presentations without an error can prove: the one-sided bound.

    It is 1 - (1 - level)^(1 / trials), about 3 / trials at 95 % (the "rule of three"); 1 if nothing was tried.
    """
    return 1 - (1 - level) ** (1 / trials) if trials else 1.0
