from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from padkit_synthetic import capture as chain
from padkit_synthetic.attacks import FINER, Display, Printer, printed, replayed
from padkit_synthetic.capture import Camera, capture
from padkit_synthetic.faces import Light, render
from padkit_synthetic.identity import draw_identity, draw_motion
from padkit_synthetic.imaging import blackbody, blurred, enlarged, generator, linear_from_srgb, luminance, srgb_table

SIZE = 128
EVEN = Light(
    direction=(0.0, 0.0, 1.0),
    key=np.full(3, 0.6, np.float32),
    ambient=np.full(3, 0.4, np.float32),
)
CLEAN = Camera(
    name="test",
    defocus=(0.3, 0.3),
    full_well=(50000, 50000),
    read_noise=1.0,
    sharpening=(0, 0),
    quality=(95, 95),
    balance_error=0.0,
)


def smooth_picture() -> np.ndarray:
    """Return a picture [1, 96, 96, 3] without fine structure."""
    coarse = generator(5).uniform(0.3, 0.7, (4, 4)).astype(np.float32)
    plane = np.clip(enlarged(coarse, 96), 0, 1) * 255
    return np.repeat(plane.astype(np.uint8)[None, :, :, None], 3, axis=3)


def peak(frame: np.ndarray) -> float:
    """Return the strongest line of the spectrum beyond low frequencies, over the median there (natural logarithm)."""
    grey = frame.astype(np.float64).mean(axis=2)
    window = np.hanning(grey.shape[0])
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window[:, None] * window))) ** 2
    axis = np.fft.fftshift(np.fft.fftfreq(grey.shape[0]))
    ring = np.hypot(axis[:, None], axis[None, :])
    beyond = power[(ring > 0.15) & (ring < 0.5)]
    return float(np.log(beyond.max() / np.median(beyond)))


def shot(radiance: np.ndarray) -> np.ndarray:
    return capture(radiance, CLEAN, SIZE, generator(1))[0]


def live(picture: np.ndarray) -> np.ndarray:
    planes = [enlarged(plane, SIZE) for plane in linear_from_srgb(picture[0])]
    return np.stack(planes)[None]


def test_a_print_shows_its_halftone_and_without_the_screen_it_does_not(monkeypatch):
    printer = Printer(species="p", screen="am", pitch=(0.3, 0.3), fibre=0.0, bend=0.0)
    picture = smooth_picture()
    with_screen = shot(printed(picture, printer, EVEN, SIZE, 0.9, generator(2)))
    monkeypatch.setattr("padkit_synthetic.attacks._lattice", lambda view, *_: np.full_like(view.u, 0.5))
    without = shot(printed(picture, printer, EVEN, SIZE, 0.9, generator(2)))
    assert peak(with_screen) > peak(shot(live(picture))) + 2
    assert peak(with_screen) > peak(without) + 2


def test_the_halftone_fades_in_a_blurred_recapture():
    printer = Printer(species="p", screen="am", pitch=(0.3, 0.3), fibre=0.0, bend=0.0)
    radiance = printed(smooth_picture(), printer, EVEN, SIZE, 0.9, generator(2))
    blurry = capture(radiance, replace(CLEAN, defocus=(1.6, 1.6)), SIZE, generator(1))[0]
    assert peak(shot(radiance)) > peak(blurry) + 1


@pytest.mark.parametrize("layout", ["stripe", "diamond"])
def test_a_screen_shows_a_grid_or_its_moire_and_without_pixel_gaps_it_does_not(layout):
    display = Display(species="d", layout=layout, pitch=(0.8, 0.8), reflectance=(0, 0), bands=(0, 0))
    picture = smooth_picture()
    with_grid = shot(replayed(picture, display, EVEN, SIZE, 0.9, generator(3)))
    without = shot(replayed(picture, replace(display, depth=0.0), EVEN, SIZE, 0.9, generator(3)))
    assert peak(with_grid) > peak(without) + 1.5


def test_a_print_has_less_contrast_than_what_it_shows():
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8)[None, None, :, None], (1, 96, 1, 3))
    radiance = printed(ramp, Printer(species="p", bend=0.0, gloss=(0, 0)), EVEN, SIZE, 0.95, generator(4))
    low, high = np.quantile(luminance(blurred(radiance, 6.0)), [0.02, 0.98])
    assert 5 < high / low < 80


def test_a_replay_can_carry_several_frames_and_a_print_stands_still():
    clip = np.concatenate([smooth_picture(), 255 - smooth_picture()])
    shown = replayed(clip, Display(species="d"), EVEN, SIZE, 0.9, generator(6))
    assert shown.shape == (2, 3, FINER * SIZE, FINER * SIZE)
    assert shown.dtype == np.float32
    assert np.abs(shown[0] - shown[1]).mean() > 0.05


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
    dim, bright = (capture(scene * gain, CLEAN, 64, generator(9)) for gain in (0.1, 10.0))
    assert dim.astype(float).mean() == pytest.approx(bright.mean(), rel=0.02)


def test_blurring_keeps_the_mean_and_decimation_averages_fine_structure():
    flat = np.full((1, 3, 32, 32), 0.4, np.float32)
    assert blurred(flat, 1.0) == pytest.approx(flat, abs=1e-5)
    checks = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[None, None]
    assert blurred(checks, 0.5, step=2)[..., 4:-4, 4:-4] == pytest.approx(0.5, abs=0.05)
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (1, 1, 64, 64))
    assert blurred(ramp, 0.3, step=2)[0, 0, 8, 4:28] == pytest.approx(2 * np.arange(4, 28) + 0.5, abs=1e-2)


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
