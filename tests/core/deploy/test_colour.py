"""Colour normalisation: by hand, and what it must take away and leave."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.deploy.colour import MEAN, SPREAD, colour_normalised


def crop(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 140, (24, 20, 3), np.uint8)


def test_by_hand():
    """Two grey pixels, 51 and 153: mean 0.4, deviation 0.2, so that they become MEAN -+ SPREAD."""
    pair = np.array([[[51] * 3, [153] * 3]], np.uint8)
    expected = [round(255 * (MEAN - SPREAD)), round(255 * (MEAN + SPREAD))]
    assert colour_normalised(pair)[0, :, 0].tolist() == expected


def test_mean_and_spread_are_fixed_and_channels_alike():
    found = colour_normalised(crop()).astype(float) / 255
    assert found.mean((0, 1)) == pytest.approx([MEAN] * 3, abs=0.003)
    assert found.std() == pytest.approx(SPREAD, abs=0.005)


@pytest.mark.parametrize("gains", [(1.4, 1.0, 0.7), (0.6, 0.6, 0.6), (1.7, 1.7, 1.7)])
def test_a_cast_and_a_brightness_leave_nothing_behind(gains):
    tinted = (crop() * np.array(gains)).round().astype(np.uint8)
    distance = np.abs(colour_normalised(tinted).astype(int) - colour_normalised(crop()).astype(int))
    assert distance.mean() < 2


def test_contrast_leaves_nothing_behind_and_texture_stays():
    flat = (100 + (crop().astype(float) - 100) / 2).round().astype(np.uint8)
    one, other = colour_normalised(flat).astype(float), colour_normalised(crop()).astype(float)
    assert np.abs(one - other).mean() < 4
    assert np.corrcoef(other.ravel(), crop().ravel())[0, 1] > 0.99


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (0, 90, 0), (7, 7, 7)])
def test_a_crop_of_one_colour_stays_finite(colour):
    found = colour_normalised(np.full((8, 8, 3), colour, np.uint8))
    assert found.dtype == np.uint8
    if len(set(colour)) == 1:
        assert (found == round(255 * MEAN)).all()


def test_the_crop_is_not_written_to():
    given = crop()
    given.setflags(write=False)
    colour_normalised(given)
