"""DeLong's test against its definition over all pairs, and against a bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from padkit.errors import DataError
from padkit.evaluation.statistics.delong import delong


def pairwise(label: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Difference in AUC and its variance by the kernel of every pair, as DeLong et al. write it (1988, p. 839)."""
    ten, one = [], []
    for scores in (first, second):
        live, attacks = scores[label == 1], scores[label == 0]
        kernel = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in attacks] for x in live])
        ten.append(kernel.mean(axis=1))
        one.append(kernel.mean(axis=0))
    areas = [part.mean() for part in ten]
    covariance = np.cov(np.array(ten)) / len(ten[0]) + np.cov(np.array(one)) / len(one[0])
    contrast = np.array([1, -1])
    return float(areas[0] - areas[1]), float(contrast @ covariance @ contrast)


@pytest.mark.parametrize("tied", [False, True])
def test_against_all_pairs(tied: bool) -> None:
    random = np.random.default_rng(5)
    for size in (6, 20, 61):
        label = random.integers(0, 2, size)
        label[:4] = 0, 1, 0, 1
        first, second = (
            np.clip(0.5 + 0.2 * (label - 0.5) * gain + 0.2 * random.normal(size=size), 0, 1) for gain in (1, 2)
        )
        if tied:
            first, second = np.round(first, 1), np.round(second, 1)
        difference, variance = pairwise(label, first, second)
        found = delong(label, first, second)
        assert found.difference == pytest.approx(difference, abs=1e-12)
        assert found.first - found.second == pytest.approx(difference, abs=1e-12)
        reach = 1.959963984540054 * variance**0.5
        assert (found.low, found.high) == pytest.approx((difference - reach, difference + reach), abs=1e-12)
        assert found.p == pytest.approx(2 * stats.norm.cdf(-abs(difference) / variance**0.5), abs=1e-12)
        turned = delong(label, second, first)
        assert (turned.difference, turned.p) == pytest.approx((-found.difference, found.p), abs=1e-12)


def test_p_is_uniform_where_both_are_alike() -> None:
    random = np.random.default_rng(0)
    values = []
    for _ in range(300):
        label = np.repeat([0, 1], 60)
        truth = 0.5 + 0.15 * (label - 0.5) + 0.1 * random.normal(size=120)
        found = delong(label, *(np.clip(truth + 0.1 * random.normal(size=120), 0, 1) for _ in range(2)))
        values.append(found.p)
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_where_nothing_varies() -> None:
    label = [1, 1, 0, 0]
    same = delong(label, [0.9, 0.3, 0.2, 0.4], [0.9, 0.3, 0.2, 0.4])
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    apart = delong(label, [0.9, 0.8, 0.2, 0.1], [0.1, 0.2, 0.8, 0.9])
    assert (apart.difference, apart.p) == (1, None)
    single = delong([1, 0, 0], [0.9, 0.2, 0.1], [0.5, 0.6, 0.1])
    assert (single.difference, single.low, single.p) == (0.5, None, None)
    with pytest.raises(DataError, match="no attack"):
        delong([1, 1], [0.5, 0.5], [0.5, 0.5])
