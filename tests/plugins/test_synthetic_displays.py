"""Cues of displays: each is there, and is gone without the stage that makes it and in a live capture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optics import (
    DARK,
    EVEN,
    GOOD,
    IDEAL,
    SIZE,
    chroma,
    colourful_picture,
    head_on,
    irradiance,
    linear,
    live,
    peak,
    plain_picture,
    shot,
    smooth_picture,
)

from padkit_synthetic.imaging import Bytes, Floats, generator
from padkit_synthetic.staging.displays import Display, replayed
from padkit_synthetic.views import FINER

RASTER = replace(DARK, depth=(0.65, 0.65))
LIGHT = float(EVEN.key[1] + EVEN.ambient[1])


def seen(picture: Bytes, display: Display, seed: int = 3) -> Floats:
    """Return the radiance [3, S, S] of a screen on the fine grid."""
    return replayed(picture[None], display, EVEN, SIZE, 0.9, generator(seed))[0]


@pytest.fixture
def square_view(monkeypatch):
    """Hold screens square before the camera: the raster has one frequency all over."""
    monkeypatch.setattr(
        "padkit_synthetic.staging.displays.aimed", lambda rng, frames, size, zoom, *_: head_on(frames, size, zoom)
    )


@pytest.mark.parametrize("layout", ["stripe", "diamond"])
@pytest.mark.parametrize("seed", range(3))
def test_the_raster_or_its_moire_draws_lines_in_the_spectrum(layout, seed):
    picture, display = smooth_picture(), replace(RASTER, layout=layout)
    with_raster, without = (shot(seen(picture, replace(display, depth=(d, d)), seed)[None]) for d in (0.65, 0.0))
    assert peak(with_raster) > peak(without) + 1.5
    assert peak(with_raster) > peak(shot(live(picture))) + 1.5


@pytest.mark.parametrize("layout", ["stripe", "diamond"])
def test_moire_is_coloured(layout):
    """The subpixels lie side by side, so the channels' moire differs in phase; a live grey face has no such colours."""
    picture, display = smooth_picture(), replace(RASTER, layout=layout)
    radiances = [*(seen(picture, replace(display, depth=(d, d)))[None] for d in (0.65, 0.0)), live(picture)]
    frames = [shot(radiance, IDEAL).astype(float) for radiance in radiances]
    coloured = [peak(frame[..., 2] - frame[..., 0]) for frame in frames]
    assert coloured[0] > max(coloured[1:]) + 2


@pytest.mark.parametrize("pitch", [0.4, 0.45, 0.55, 0.7, 0.8, 0.93, 1.07, 1.2, 1.3, 1.45])
def test_moire_has_the_frequency_that_sampling_theory_predicts(square_view, pitch):
    """A raster of p columns per photosite appears at |p - round(p)| cycles per photosite."""
    zoom = 0.9
    radiance = replayed(plain_picture(200)[None], replace(RASTER, pitch=(pitch, pitch)), EVEN, SIZE, zoom, generator(1))
    columns = round(pitch * SIZE / zoom) * zoom / SIZE
    expected = abs(columns - round(columns))
    pictures = {"photosites": irradiance(radiance)[0, 1]}
    if pitch <= 1.2:
        pictures["frame"] = shot(radiance, replace(IDEAL, full_well=(20000, 20000)))[..., 1].astype(float)
    for name, plane in pictures.items():
        line = plane.mean(axis=0)
        power = np.abs(np.fft.rfft((line - line.mean()) * np.hanning(SIZE), 8 * SIZE))
        assert np.argmax(power) / (8 * SIZE) == pytest.approx(expected, abs=0.5 / SIZE), name


def test_moire_fades_where_the_raster_is_far_finer_than_the_sensor_or_the_recapture_is_blurred(square_view):
    contrast = {}
    for pitch in (0.6, 0.7, 0.8, 0.9, 3.3, 8.3):
        plane = irradiance(seen(plain_picture(200), replace(RASTER, pitch=(pitch, pitch)))[None])[0, 1]
        contrast[pitch] = plane.std() / plane.mean()
    assert contrast[0.6] > contrast[0.7] > contrast[0.8] > contrast[0.9]
    assert contrast[3.3] < 0.25 * contrast[0.6]
    assert contrast[8.3] < 0.1 * contrast[0.6]
    radiance = seen(plain_picture(200), RASTER)[None]
    sharp, blurry = (shot(radiance, replace(GOOD, defocus=(d, d))) for d in (0.3, 1.6))
    assert peak(sharp) > peak(blurry) + 1


def test_a_raster_changes_no_mean_light(square_view):
    for layout in ("stripe", "diamond"):
        with_raster, without = (
            seen(smooth_picture(), replace(RASTER, layout=layout, depth=(d, d))) for d in (0.65, 0.0)
        )
        assert with_raster.mean(axis=(1, 2)) == pytest.approx(without.mean(axis=(1, 2)), rel=0.01)


def test_a_gamut_scales_colours():
    picture = colourful_picture()
    shown = {s: linear(shot(seen(picture, replace(DARK, saturation=(s, s)))[None], IDEAL)) for s in (0.6, 1.0)}
    alive = chroma(linear(shot(live(picture), IDEAL)))
    assert chroma(shown[1.0]) == pytest.approx(alive, rel=0.1), "without the stage it looks alive"
    assert chroma(shown[0.6]) == pytest.approx(0.6 * alive, rel=0.15)
    assert seen(plain_picture(128), replace(DARK, saturation=(0.6, 0.6))).std(axis=0).max() < 1e-5


def test_white_has_the_screens_colour_and_brightness():
    white = (0.9, 1.0, 1.2)
    radiance = seen(plain_picture(255), replace(DARK, white=white, brightness=(1.7, 1.7)))
    assert radiance.mean(axis=(1, 2)) == pytest.approx(1.7 * LIGHT * np.array(white), rel=1e-3)


def test_gamma_bends_the_tones():
    levels = {}
    for gamma in (1.8, 2.2, 2.6):
        levels[gamma] = seen(plain_picture(128), replace(DARK, gamma=(gamma, gamma)))[1].mean()
    assert levels[1.8] > levels[2.2] > levels[2.6]
    alive = live(plain_picture(128)).mean() * LIGHT
    assert levels[2.2] == pytest.approx(alive, rel=1e-3)


@pytest.mark.parametrize("black", [0.0, 0.004, 0.02])
def test_black_is_as_dark_as_the_screen_can(black):
    radiance = seen(plain_picture(0), replace(DARK, black=black))
    assert radiance == pytest.approx(black * LIGHT, abs=1e-6)
    # The sensor sees it: beside a white half, the dark half is that much lighter than in a live capture.
    halves = plain_picture(255)
    halves[:, :48] = 0
    frames = [linear(shot(r, IDEAL)) for r in (seen(halves, replace(DARK, black=black))[None], live(halves))]
    shown, alive = (frame[1, 20:-20, 10:50].mean() / frame[1, 20:-20, -50:-10].mean() for frame in frames)
    assert shown - alive == pytest.approx(black, abs=0.002)


@pytest.mark.parametrize("strength", [0.05, 0.14])
def test_a_pulsed_backlight_draws_level_bands_that_wander(strength):
    clip = np.repeat(plain_picture(180)[None], 3, axis=0)
    with_bands, without = (
        replayed(clip, replace(DARK, bands=(s, s)), EVEN, SIZE, 0.9, generator(4))[:, 1] for s in (strength, 0.0)
    )
    share = with_bands / without
    assert share.max() == pytest.approx(1 + strength, rel=0.01)
    assert share.min() == pytest.approx(1 - strength, rel=0.01)
    assert share.std(axis=2).max() < 1e-4, "bands are level"
    rows = share.mean(axis=2)
    assert np.abs(rows[0] - rows[1]).max() > 0.2 * strength, "the phase differs from frame to frame"
    assert without.std() / without.mean() < 1e-4
    profiles = [shot(r, IDEAL)[..., 1].astype(float).mean(axis=1) for r in (seen_clip(strength), live(clip[0]))]
    assert profiles[0].std() > 10 * max(profiles[1].std(), 0.05)


def seen_clip(strength: float) -> Floats:
    return replayed(plain_picture(180)[None], replace(DARK, bands=(strength, strength)), EVEN, SIZE, 0.9, generator(4))


def test_glass_adds_the_rooms_light_whatever_is_shown():
    shares = (0.05, 0.05)
    added = {}
    for level in (0, 255):
        glass, without = (seen(plain_picture(level), replace(DARK, reflectance=r)) for r in (shares, (0.0, 0.0)))
        added[level] = glass - without
    assert added[0] == pytest.approx(added[255], abs=1e-5)
    assert added[0].min() >= 0
    assert 0.1 * 0.05 * LIGHT < added[0].mean() < 3 * 0.05 * LIGHT
    assert added[0].std() > 0.05 * added[0].mean(), "it has structure"
    warm = replace(EVEN, key=np.array([0.9, 0.6, 0.3], np.float32), ambient=np.zeros(3, np.float32))
    seen_warm = replayed(plain_picture(0)[None], replace(DARK, reflectance=shares), warm, SIZE, 0.9, generator(3))[0]
    assert seen_warm[0].mean() / seen_warm[2].mean() == pytest.approx(3, rel=1e-3), "in the colour of the light"


def test_now_and_then_a_lamp_is_reflected():
    display = replace(DARK, reflectance=(0.05, 0.05))
    brightest = [seen(plain_picture(0), display, seed)[1].max() for seed in range(24)]
    lamps = np.mean(np.array(brightest) > 0.05 * 1.9 * LIGHT)
    assert 0.1 < lamps < 0.8


def test_a_replay_can_carry_several_frames():
    clip = np.stack([smooth_picture(), 255 - smooth_picture()])
    shown = replayed(clip, Display(species="d"), EVEN, SIZE, 0.9, generator(6))
    assert shown.shape == (2, 3, FINER * SIZE, FINER * SIZE)
    assert shown.dtype == np.float32
    assert np.abs(shown[0] - shown[1]).mean() > 0.05
