"""Exact bounds of error rates, against the binomial distribution itself."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from padkit.evaluation.statistics.binomial import (
    exact_interval,
    exact_rate,
    mean_interval,
    most_errors,
    smallest_provable,
    trials_needed,
    upper_bound,
)


def test_the_interval_of_no_error_in_ten_is_the_published_one():
    assert exact_interval(0, 10) == pytest.approx((0, 0.3085), abs=1e-4)
    assert exact_interval(0, 0) == (0, 1)


@pytest.mark.parametrize(("errors", "trials"), [(0, 20), (1, 20), (3, 59), (19, 20)])
def test_at_the_bound_so_few_errors_have_a_chance_of_five_percent(errors, trials):
    assert binom.cdf(errors, trials, upper_bound(errors, trials)) == pytest.approx(0.05)


def test_the_bound_of_no_error_is_the_smallest_provable_rate():
    assert upper_bound(0, 59) == pytest.approx(smallest_provable(59))
    assert upper_bound(20, 20) == 1
    assert smallest_provable(0) == 1
    with pytest.raises(ValueError, match="3 errors of 2"):
        upper_bound(3, 2)


@pytest.mark.parametrize(("rate", "needed"), [(0.05, 59), (0.01, 299), (0.10, 29), (0.5, 5), (0.9, 2)])
def test_so_many_presentations_prove_a_rate_and_one_fewer_does_not(rate, needed):
    assert trials_needed(rate) == needed
    assert smallest_provable(needed) <= rate < smallest_provable(needed - 1)


@pytest.mark.parametrize("trials", [1, 28, 29, 58, 59, 93, 200, 1000])
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_most_errors_is_the_last_count_whose_bound_is_low_enough(trials, rate):
    most = most_errors(trials, rate)
    assert most == max((k for k in range(trials) if upper_bound(k, trials) <= rate), default=-1)


def test_a_rate_carries_what_it_rests_on_and_is_never_of_nothing():
    found = exact_rate("print", 1, 20)
    assert (found.rate, found.interval, found.bound) == (0.05, exact_interval(1, 20), upper_bound(1, 20))
    with pytest.raises(ValueError, match="nothing was tried"):
        exact_rate("print", 0, 0)


def test_the_interval_of_a_mean_of_two_rates_covers_it_at_least_as_often_as_it_says():
    trials, truth, cover = (5, 8), (0.1, 0.3), 0.0
    mean = sum(truth) / 2
    for first in range(trials[0] + 1):
        for second in range(trials[1] + 1):
            low, high = mean_interval(exact_rate("", first, trials[0]), exact_rate("", second, trials[1]))
            if low <= mean <= high:
                cover += binom.pmf(first, trials[0], truth[0]) * binom.pmf(second, trials[1], truth[1])
    assert 0.95 <= cover < 1
