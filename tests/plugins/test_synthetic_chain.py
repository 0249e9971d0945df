"""The camera chain's arithmetic, and light on faces; cues of prints, displays and cameras have their own files."""

from __future__ import annotations

import numpy as np
import pytest
from optics import EVEN, GOOD

from padkit_synthetic import camera as chain
from padkit_synthetic import imaging
from padkit_synthetic.camera import capture
from padkit_synthetic.imaging import (
    blackbody,
    blurred,
    enlarged,
    gaussian_taps,
    generator,
    luminance,
    resized,
    resized_planes,
    srgb_table,
)
from padkit_synthetic.people.faces import Light, render
from padkit_synthetic.people.identity import draw_identity, draw_motion


@pytest.mark.parametrize("kelvin", [2700, 6500, 9000])
def test_blackbody_is_warm_below_and_cold_above_6500(kelvin):
    red, green, blue = blackbody(kelvin)
    assert green == 1
    assert (red > blue) == (kelvin < 6500)
    if kelvin == 6500:
        assert red == pytest.approx(1) == blue


def test_srgb_table_follows_the_standard():
    table = srgb_table()
    assert table[[0, 255]].tolist() == [0, 1]
    assert table[128] == pytest.approx(0.21586, abs=1e-4)
    assert table[10] == pytest.approx(10 / 255 / 12.92, abs=1e-6)


def test_mosaic_and_demosaic_keep_a_flat_field_and_place_the_colours():
    flat = np.broadcast_to(np.array([0.2, 0.5, 0.8], np.float32)[None, :, None, None], (1, 3, 16, 16))
    mosaic = chain.mosaicked(flat)
    assert mosaic[0, :2, :2].ravel() == pytest.approx([0.2, 0.5, 0.5, 0.8])
    assert chain.demosaicked(mosaic) == pytest.approx(flat, abs=1e-6)


def test_noise_follows_photon_statistics():
    flat = np.full((1, 256, 256), 0.25, np.float32)
    noisy = chain.sensed(flat, 1000, 0.0, generator(7))
    assert noisy.mean() == pytest.approx(0.25, abs=1e-3)
    assert noisy.std() == pytest.approx(np.sqrt(0.25 / 1000), rel=0.03)


def test_vignetting_dims_the_corners_only():
    image = chain.vignetted(np.ones((1, 3, 33, 33), np.float32), 0.3)
    assert image[0, 0, 16, 16] == pytest.approx(1)
    assert image[0, 0, 0, 0] == pytest.approx(0.7)


def test_exposure_is_automatic():
    scene = generator(8).uniform(0, 1, (2, 3, 64, 64)).astype(np.float32)
    dim, bright = (capture(scene * gain, 64, GOOD, 64, generator(9)) for gain in (0.1, 10.0))
    assert dim.astype(float).mean() == pytest.approx(bright.mean(), rel=0.02)


def test_blurring_keeps_the_mean_and_decimation_averages_fine_structure():
    flat = np.full((1, 3, 32, 32), 0.4, np.float32)
    assert blurred(flat, 1.0) == pytest.approx(flat, abs=1e-5)
    checks = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[None, None]
    assert blurred(checks, 0.5, step=2)[..., 4:-4, 4:-4] == pytest.approx(0.5, abs=0.05)
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (1, 1, 64, 64))
    assert blurred(ramp, 0.3, step=2)[0, 0, 8, 4:28] == pytest.approx(2 * np.arange(4, 28) + 0.5, abs=1e-2)


@pytest.mark.parametrize(("sigma", "step"), [(0.7, 1), (4.0, 1), (0.4, 2), (0.9, 2), (1.1, 3)])
def test_blurring_weighs_neighbours_and_continues_the_border_whatever_is_blurred_at_once(sigma, step, monkeypatch):
    image = generator(4).random((2, 3, 24, 18), np.float32)
    together = blurred(image, sigma, step)
    monkeypatch.setattr(imaging, "SMALL", 0)
    assert np.array_equal(together, blurred(image, sigma, step)), "the same to the bit"
    taps = gaussian_taps(round(100 * step * sigma), round(50 * (step - 1)))
    for axis in (-2, -1):
        last = image.shape[axis] - 1
        places = [np.clip(np.arange(0, last + 1, step) + offset, 0, last) for offset, _ in taps]
        image = sum(weight * image.take(place, axis) for place, (_, weight) in zip(places, taps, strict=True))
    assert together == pytest.approx(image, abs=1e-6)


def test_a_mosaic_is_mirrored_at_its_border():
    mosaic = generator(5).random((2, 6, 8), np.float32)
    planes = chain.demosaicked(mosaic)
    assert planes[:, 1, 0, 0] == pytest.approx((mosaic[:, 0, 1] + mosaic[:, 1, 0]) / 2), "green beside a red corner"
    assert planes[:, 2, 0, 0] == pytest.approx(mosaic[:, 1, 1]), "blue"
    assert planes[:, 0, -1, -1] == pytest.approx(mosaic[:, -2, -2]), "red beside a blue corner"


@pytest.mark.parametrize("size", [20, 32, 45])
def test_planes_are_resized_as_pictures_are(size):
    picture = generator(6).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(resized_planes(picture, size), resized(picture, size).transpose(2, 0, 1))


def test_a_plane_of_the_right_size_is_not_resampled():
    plane = generator(6).random((9, 9), np.float32)
    assert enlarged(plane, 9) is plane
    assert enlarged(plane, 18).shape == (18, 18)


def portrait(key: int, light: Light, smile: bool = False) -> np.ndarray:
    person, motion = draw_identity(generator(key)), draw_motion(generator(1), 1, smile)
    return render(person, motion, light, np.full((3, 64, 64), 0.2, np.float32))[0]


def test_a_face_is_lit_from_where_the_lamp_is():
    key, ambient = np.full(3, 0.8, np.float32), np.full(3, 0.2, np.float32)
    sides = {}
    for name, right in (("left", -0.7), ("right", 0.7)):
        light = Light(direction=(right, 0.0, 0.714), key=key, ambient=ambient)
        shades = [luminance(portrait(number, light))[20:50] for number in range(4)]
        sides[name] = np.mean([shade[:, 34:48].mean() / shade[:, 16:30].mean() for shade in shades])
    assert sides["right"] > 1.15 > 0.87 > sides["left"]


def test_radiance_is_finite_positive_and_scales_with_the_light():
    for number in range(12):
        image = portrait(number, EVEN)
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() < 2


def test_persons_differ_more_than_the_frames_of_one():
    between = [np.abs(portrait(a, EVEN) - portrait(a + 20, EVEN)).mean() for a in range(8)]
    person = draw_identity(generator(0))
    wall = np.full((3, 64, 64), 0.2, np.float32)
    frames = render(person, draw_motion(generator(3), 4, smile=False), EVEN, wall)
    within = np.abs(frames[1:] - frames[:-1]).mean()
    assert np.mean(between) > 3 * within
