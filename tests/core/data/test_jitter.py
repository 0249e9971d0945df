"""Jitter: crops are cut as far from their place as asked, never beyond the room, and the same for the same draw."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.data.jitter import Jitter

SIZE, BEYOND = 40, 8
JITTER = Jitter(scale=0.2, shift=0.1)  # needs room 0.2, which is 8 pixels


def ramps() -> np.ndarray:
    """Red tells the column and green the row, four levels a pixel, with the crop in the middle."""
    axis = 4 * np.arange(SIZE + 2 * BEYOND)
    picture = np.zeros((len(axis), len(axis), 3), np.uint8)
    picture[..., 0], picture[..., 1] = axis[None, :], axis[:, None]
    return picture


def place(crop: np.ndarray, channel: int) -> tuple[float, float]:
    """Middle and side of a crop of the ramps along one axis, in pixels."""
    line = crop[..., channel].astype(float).mean(axis=channel) / 4 + 0.5
    return float(line.mean()), float((line[-5] - line[4]) / (len(line) - 9) * len(line))


def test_without_scale_and_shift_the_crop_stays_to_the_byte():
    whole = np.random.default_rng(0).integers(0, 256, (SIZE + 2 * BEYOND,) * 2 + (3,), dtype=np.uint8)
    inside = slice(BEYOND, BEYOND + SIZE)
    assert np.array_equal(Jitter(scale=0, shift=0).cut(whole, SIZE, 3, 4), whole[inside, inside])


def test_crops_fill_the_ranges_and_stay_in_the_room():
    assert JITTER.room == pytest.approx(BEYOND / SIZE)
    places = np.array([[place(JITTER.cut(ramps(), SIZE, 0, draw), axis) for axis in (0, 1)] for draw in range(300)])
    middles = (places[..., 0] - (SIZE / 2 + BEYOND)) / SIZE
    sides = places[..., 1] / SIZE
    assert np.allclose(sides[:, 0], sides[:, 1], atol=0.02), "crops stay square"
    for values, reach, centre in ((middles, JITTER.shift, 0), (sides, JITTER.scale, 1)):
        assert np.abs(values - centre).max() <= reach + 0.015
        assert np.quantile(values - centre, 0.02) < -0.9 * reach
        assert np.quantile(values - centre, 0.98) > 0.9 * reach
    assert abs(np.corrcoef(middles.T)[0, 1]) < 0.2, "across and down are drawn apart"
    assert (places[..., 0] - places[..., 1] / 2).min() > -0.6
    assert (places[..., 0] + places[..., 1] / 2).max() < SIZE + 2 * BEYOND + 0.6


def test_a_draw_is_a_function_of_seed_and_number():
    cuts = [JITTER.cut(ramps(), SIZE, seed, draw) for seed, draw in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert np.array_equal(cuts[0], cuts[1])
    assert not np.array_equal(cuts[0], cuts[2])
    assert not np.array_equal(cuts[0], cuts[3])
