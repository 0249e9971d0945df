"""Weights are rounded together, and scores moved back."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.deploy.rounding import LARGEST, offset, rounded_together


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def test_errors_of_weights_with_like_inputs_cancel_out():
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(8, 30))
    inputs = generator.normal(size=(2000, 1)) + 0.05 * generator.normal(size=(2000, 30))
    found, steps = rounded_together(weights, inputs)
    whole = found / steps[:, None]
    assert np.abs(whole - np.rint(whole)).max() < 1e-9
    assert np.rint(np.abs(whole)).max() == LARGEST
    nearest = np.rint(weights / steps[:, None]) * steps[:, None]
    errors = [np.abs(inputs @ (each - weights).T).mean() for each in (found, nearest)]
    assert errors[0] < 0.2 * errors[1]


def test_with_unlike_inputs_each_weight_is_rounded_to_the_nearest():
    weights = np.random.default_rng(0).normal(size=(4, 6))
    found, steps = rounded_together(weights, np.eye(6))
    assert np.abs(found - weights).max() <= 0.5 * steps.max() + 1e-9


def test_an_output_without_weights_and_inputs_without_values():
    found, steps = rounded_together(np.array([[0.0, 0.0], [1.0, -2.0]]), np.zeros((5, 2)))
    assert found == pytest.approx(np.array([[0, 0], [128 / 127, -2]]), abs=1e-9)
    assert steps == pytest.approx([1 / LARGEST, 2 / LARGEST])


@pytest.mark.parametrize("shift", [-0.8, 0.05, 1.5])
def test_a_shift_of_all_log_odds_is_taken_back(shift):
    odds = np.random.default_rng(0).normal(0, 3, 200)
    assert offset(sigmoid(odds), sigmoid(odds - shift)) == pytest.approx(shift, abs=1e-3)


def test_noise_without_a_side_and_sure_scores_are_not_corrected():
    generator = np.random.default_rng(0)
    odds = generator.normal(0, 3, 4000)
    assert abs(offset(sigmoid(odds), sigmoid(odds + generator.normal(0, 0.1, 4000)))) < 0.01
    sure = np.repeat(np.float32([0, 1]), 50)
    assert offset(sure, np.clip(sure, 1e-6, 1 - 1e-6).astype(np.float32)) == pytest.approx(0, abs=0.02)


def test_a_few_unsure_scores_do_not_decide():
    odds = np.concatenate([np.full(90, 8.0), np.full(100, -8.0), np.zeros(5)])
    moved = odds + np.repeat([0.05, -0.05, 0.6], [90, 100, 5])
    assert abs(offset(sigmoid(odds), sigmoid(moved))) < 0.06
