"""Temperature scaling finds the temperature that scores were distorted by, and says so where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.evaluation.temperature import RANGE, fit_temperature, tempered


def drawn(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from calibrated scores, and these scores with their log-odds multiplied by a temperature."""
    generator = np.random.default_rng(0)
    odds = generator.normal(0, 1, count)
    label = (generator.uniform(size=count) < 1 / (1 + np.exp(-odds))).astype(int)
    return label, 1 / (1 + np.exp(-odds * temperature))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_of_distorted_scores_is_found(temperature):
    label, score = drawn(temperature)
    found = fit_temperature(label, score)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert found.after <= found.before
    assert tempered(score, found.temperature) == pytest.approx(drawn(1.0)[1], abs=0.02)


def test_weights_count():
    label, score = drawn(2.0, 400)
    twice = fit_temperature(np.concatenate([label, label[:100]]), np.concatenate([score, score[:100]]))
    weights = np.ones(400)
    weights[:100] = 2
    assert fit_temperature(label, score, weights).temperature == pytest.approx(twice.temperature, rel=1e-3)


def test_samples_that_determine_none_leave_it():
    apart = fit_temperature([1, 1, 0, 0], [0.9, 0.6, 0.4, 0.1])
    assert (apart.temperature, "right side" in apart.why_not) == (1, True)
    wrong = fit_temperature([1, 1, 0, 0], [0.1, 0.6, 0.9, 0.4])
    assert (wrong.temperature, "wrong side" in wrong.why_not) == (1, True)


def test_it_never_goes_below_its_range():
    label, score = drawn(0.05)
    assert fit_temperature(label, score).temperature == pytest.approx(RANGE[0], rel=1e-3)


def test_order_stays_and_the_ends_have_numbers():
    scores = np.array([0, 1e-9, 0.2, 0.5, 0.8, 1])
    found = tempered(scores, 3.0)
    assert np.all(np.diff(found) >= 0)
    assert found[3] == 0.5
    assert np.all((found > 0) & (found < 1))
    assert np.array_equal(tempered(scores, 1), scores)
