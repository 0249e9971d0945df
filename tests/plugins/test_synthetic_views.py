"""Views of instruments: a plane is seen by a homography, bending goes one way, samples resolve what they average."""

from __future__ import annotations

import math

import numpy as np
import pytest

from padkit_synthetic.imaging import Floats, generator
from padkit_synthetic.views import View, aimed, resolved

SIZE = 48


@pytest.mark.parametrize("cycles", [0.05, 0.2, 0.45, 0.5, 0.8, 1.0, 1.3, 2.2])
@pytest.mark.parametrize("degrees", [0.0, 15.0, 30.0, 45.0, 75.0])
def test_what_a_sample_resolves_is_the_waves_average_over_it(cycles, degrees):
    axis = (np.arange(400) + 0.5) / 400 - 0.5
    angle = math.radians(degrees)
    across = cycles * (axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle))
    waves = [np.cos(2 * np.pi * across + phase).mean() for phase in np.linspace(0, 2 * np.pi, 64, endpoint=False)]
    assert resolved(cycles, degrees) == pytest.approx(max(waves), abs=2e-3)


def homography_residual(view: View) -> float:
    """Return how far (u, v) of the first frame is from the best homography of the camera's picture."""
    axis = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    x, y = (plane.ravel() for plane in np.meshgrid(axis, axis))
    u, v = view.u[0].astype(float).ravel(), view.v[0].astype(float).ravel()
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        [
            np.stack([x, y, one, none, none, none, -u * x, -u * y], axis=1),
            np.stack([none, none, none, x, y, one, -v * x, -v * y], axis=1),
        ]
    )
    solution = np.linalg.lstsq(rows, np.concatenate([u, v]), rcond=None)[0]
    return float(np.abs(rows @ solution - np.concatenate([u, v])).max())


@pytest.mark.parametrize("seed", range(4))
def test_a_rigid_instrument_is_seen_by_a_homography_and_a_bent_one_is_not(seed):
    assert homography_residual(aimed(generator(seed), 1, SIZE, 0.9)) < 1e-5
    bent = max(homography_residual(aimed(generator(n), 1, SIZE, 0.9, bend=0.2, along=0.5)) for n in range(4))
    assert bent > 0.01


def moved(seed: int, along: float) -> tuple[Floats, Floats, View]:
    """Return how bending moves the picture in u and v, and the bent view."""
    rigid, bent = (aimed(generator(seed), 2, SIZE, 0.9, bend, along) for bend in (0.0, 0.2))
    return bent.u - rigid.u, bent.v - rigid.v, bent


@pytest.mark.parametrize("along", [0.0, 0.7, -1.2, math.pi / 2])
def test_bending_moves_and_tilts_along_one_direction(along):
    right, down, view = moved(3, along)
    assert np.hypot(right, down).max() > 0.01
    across = -right * math.sin(along) + down * math.cos(along)
    assert np.abs(across).max() < 1e-6, "nothing moves along the cylinder's axis"
    tilt = -view.slope_x * math.sin(along) + view.slope_y * math.cos(along)
    assert np.abs(tilt).max() < 1e-6
    assert np.hypot(view.slope_x, view.slope_y).max() > 0.01


def test_bending_stays_within_its_bound():
    for seed in range(30):
        right, _, _ = moved(seed, 0.0)
        # u spans 0..1, half the crop's -1..1 of which `bend` is a share.
        assert np.abs(right).max() < 0.5 * 0.2 * 3.0


def test_an_instrument_faces_a_lamp_by_the_cosine_of_its_normal():
    flat = aimed(generator(1), 1, SIZE, 0.9)
    assert flat.facing((0.6, 0.0, 0.8)) == pytest.approx(0.8)
    slope = np.full((1, 1, 1), 0.75, np.float32)
    tilted = View(flat.u, flat.v, slope, np.zeros_like(slope))
    # The normal of a surface that rises by 3 in 4 to the right is (-0.6, 0, 0.8).
    assert tilted.facing((-0.6, 0.0, 0.8)) == pytest.approx(1.0)
    assert tilted.facing((0.0, 1.0, 0.0)) == pytest.approx(0.05)


def test_hands_shake_a_little():
    view = aimed(generator(2), 6, SIZE, 0.9)
    steps = np.abs(np.diff(view.u, axis=0)).mean(axis=(1, 2))
    assert (steps > 1e-4).all()
    assert (steps < 0.05).all()


def test_cells_count_rows_and_columns_and_clamp():
    axis = np.array([-0.2, 0.1, 0.6, 1.3], np.float32)
    u = np.broadcast_to(axis[None, None, :], (1, 4, 4))
    flat = np.zeros((1, 1, 1), np.float32)
    cells = View(u, np.swapaxes(u, 1, 2), flat, flat).cells(10)
    assert cells[0, 0].tolist() == [0, 1, 6, 9]
    assert cells[0, :, 1].tolist() == [1, 11, 61, 91]
