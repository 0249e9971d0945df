"""Stages of world 4: each leaves its trace, and without the stage the trace is gone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from optics import (
    DARK,
    EVEN,
    GOOD,
    IDEAL,
    PLAIN,
    SIZE,
    colourful_picture,
    grain,
    head_on,
    irradiance,
    linear,
    live,
    peak,
    plain_picture,
    shot,
    smooth_picture,
)

from padkit_synthetic.camera import capture
from padkit_synthetic.drawn.instruments import screen_white
from padkit_synthetic.imaging import Bytes, Floats, generator, reduced, resized
from padkit_synthetic.staging.borders import Behind, Border, before, covered
from padkit_synthetic.staging.displays import Display, lagged, pulsed, replayed
from padkit_synthetic.staging.glass import mirrored, window_seen
from padkit_synthetic.staging.lens import glowing, metered, refocused
from padkit_synthetic.staging.prints import Printer, printed
from padkit_synthetic.views import FINER, aimed

FINE, ZOOM = FINER * SIZE, 0.9
LIGHT = float(EVEN.key[1] + EVEN.ambient[1])
GREEN = np.broadcast_to(np.array([0.0, 0.9, 0.0], np.float32)[None, :, None, None], (1, 3, 8, 8))
BORDER = Border(edges=(0.8, 9.0, 9.0, 9.0), margin=0.08, bezel=0.06, albedo=(0.5, 0.5, 0.5))


def screen(display: Display, picture: Bytes | None = None, seed: int = 3, behind: Behind = lambda: GREEN) -> Floats:
    """Return the radiance [3, S, S] of a screen on the fine grid."""
    shown = smooth_picture() if picture is None else picture
    return replayed(shown[None], display, EVEN, SIZE, ZOOM, generator(seed), behind)[0]


def sheet(printer: Printer, picture: Bytes | None = None, seed: int = 3, behind: Behind = lambda: GREEN) -> Floats:
    """Return the radiance [3, S, S] of a print on the fine grid."""
    shown = smooth_picture() if picture is None else picture
    return printed(shown, printer, EVEN, SIZE, ZOOM, 1, generator(seed), None, behind)[0]


@pytest.fixture
def square_view(monkeypatch):
    """Hold instruments square before the camera, so that places are known."""
    for module in ("displays", "prints"):
        monkeypatch.setattr(
            f"padkit_synthetic.staging.{module}.aimed", lambda rng, frames, size, zoom, *_: head_on(frames, size, zoom)
        )


# Whites, brightness and exposure.


def test_a_cold_white_is_bluish_and_a_warm_one_yellowish():
    ratios = []
    for kelvin in (4800.0, 6500.0, 11000.0):
        white = screen_white(kelvin, generator(1))
        assert white[1] == 1
        radiance = screen(replace(DARK, white=white), plain_picture(255))
        assert radiance.mean(axis=(1, 2)) == pytest.approx(LIGHT * np.array(white), rel=1e-3)
        ratios.append(white[2] / white[0])
    assert ratios[0] < 0.75 < 0.9 < ratios[1] < 1.1 < 1.3 < ratios[2]


@pytest.mark.parametrize("brightness", [0.25, 4.0])
def test_a_camera_that_meters_the_room_over_or_under_exposes_the_screen(brightness):
    radiance = screen(replace(DARK, brightness=(brightness, brightness)))[None]
    alone, off = (linear(shot(radiance, metered(IDEAL, brightness, share))).mean() for share in (0.0, 0.5))
    assert off / alone == pytest.approx(brightness**0.5, rel=0.15)
    assert metered(IDEAL, brightness, 0.0) is IDEAL, "without the stage the camera is what it was"
    assert metered(IDEAL, 1.0, 0.5) == IDEAL


def test_exposure_errors_are_bounded():
    darkest, brightest = (metered(IDEAL, b, 0.9).exposure[0] / IDEAL.exposure[0] for b in (0.01, 100.0))
    assert (darkest, brightest) == pytest.approx((0.4, 2.2))


# Glow.


def halves() -> Floats:
    """Return radiance [1, 3, FINE, FINE], white on the left half and black on the right."""
    radiance = np.zeros((1, 3, FINE, FINE), np.float32)
    radiance[..., : FINE // 2] = 1
    return radiance


def test_a_bright_screen_has_a_halo_that_fades_with_the_distance():
    glow = glowing(halves(), 0.2, generator(2))
    right = glow[0, 1, :, FINE // 2 :].mean(axis=0)
    assert 0.05 < right[:8].mean() < 0.11, "near the edge almost half of the scattered light"
    assert (np.diff(right[::16]) < 1e-3).all()
    assert right[0] > 2 * right[24] > 0.001
    assert glow.mean() == pytest.approx(0.5, abs=0.03), "light is moved and not made"
    assert (glowing(halves(), 0.0, generator(2)) == halves()).all()


def test_glow_veils_the_dark_parts_of_what_a_screen_shows():
    picture = plain_picture(255)
    picture[36:60, 36:60] = 0
    dark, veiled = (shot(screen(replace(DARK, glow=g), picture)[None], IDEAL) for g in (0.0, 0.25))
    assert linear(veiled)[1, 60:68, 60:68].mean() > linear(dark)[1, 60:68, 60:68].mean() + 0.01


# Focus.


def test_a_missed_focus_takes_the_raster_and_softens_the_picture():
    radiance = screen(replace(DARK, pitch=(0.45, 0.45), depth=(0.6, 0.6)), colourful_picture())[None]
    sharp, missed = (shot(radiance, refocused(GOOD, blur)) for blur in (0.0, 2.0))
    assert peak(sharp) > peak(missed) + 2
    detailed = np.repeat(np.repeat(generator(4).integers(0, 255, (24, 24, 1), np.uint8), 4, 0), 4, 1).repeat(3, 2)
    contrasts = [shot(screen(DARK, detailed)[None], refocused(IDEAL, blur)).std() for blur in (0.0, 2.2)]
    assert contrasts[1] < 0.85 * contrasts[0]
    assert refocused(GOOD, 0.0) is GOOD


def test_a_missed_focus_takes_the_halftone():
    radiance = sheet(replace(PLAIN, pitch=(0.4, 0.4), crispness=(0.6, 0.6)))[None]
    sharp, missed = (shot(radiance, refocused(GOOD, blur)) for blur in (0.0, 2.0))
    assert grain(sharp[..., 1]) > 3 * grain(missed[..., 1])


def test_a_missed_focus_draws_as_many_numbers_as_one_that_hits():
    """Otherwise the noise of a pair would differ as well."""
    states = []
    for blur in (0.0, 1.5):
        rng = generator(5)
        capture(live(smooth_picture()), SIZE, refocused(GOOD, blur), SIZE, rng)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


# Slow pixels.


def test_slow_pixels_leave_a_ghost_of_the_previous_frame():
    clip = np.zeros((3, 16, 16, 3), np.uint8)
    clip[0, :, :8] = 200
    clip[1, :, 8:] = 200
    slow = lagged(clip, 0.3)
    assert (slow[0] == clip[0]).all(), "nothing was before"
    assert slow[1, 0, 0, 0] == 60
    assert slow[1, 0, 8, 0] == 140
    assert slow[2, 0, 0, 0] == 18, "and of the one before that"
    assert lagged(clip, 0.0) is clip
    assert lagged(clip[:1], 0.3) is not None
    assert (lagged(clip[:1], 0.3) == clip[:1]).all(), "a single frame has no previous one"
    first, second = (
        replayed(np.stack([plain_picture(0), plain_picture(255)][::order]), replace(DARK, lag=0.4), EVEN, SIZE, 0.9,
                 generator(1))[1].mean() for order in (1, -1)
    )  # fmt: skip
    assert first < 0.5 * LIGHT
    assert second > 0.1 * LIGHT


# Bands.


@pytest.mark.parametrize(("duty", "bright"), [(0.2, False), (0.8, True)])
def test_bands_are_bright_on_dark_at_a_low_duty_and_dark_on_bright_at_a_high_one(duty, bright):
    shares = []
    for seed in range(12):
        bands = pulsed(2, 400, 0.25, duty, generator(seed))
        assert bands.shape == (2, 1, 400, 1)
        assert bands.min() >= 0.75 - 1e-6
        assert bands.max() <= 1.25 + 1e-6
        shares.append((bands > 1).mean())
    assert (np.mean(shares) > 0.5) == bright


def test_bands_are_level_and_gone_without_strength():
    display = replace(DARK, duty=0.5)
    with_bands, without = (screen(replace(display, bands=(s, s)), plain_picture(180))[1] for s in (0.3, 0.0))
    share = with_bands / without
    assert share.std(axis=1).max() < 1e-4
    assert share.mean(axis=1).std() > 0.05
    assert without.std() / without.mean() < 1e-4


# Edges.


def columns(radiance: Floats) -> Floats:
    """Return the light [3, S] of each column."""
    return radiance.mean(axis=1)


def place(half_sides: float) -> int:
    """Return the column of the fine grid at a place left of the middle."""
    return round((1 - half_sides) / 2 * FINE)


def test_a_screen_ends_in_black_bars_a_bezel_and_what_lies_behind(square_view):
    across = columns(screen(replace(DARK, border=BORDER, black=0.01), plain_picture(255)))
    parts = [0, place(0.94), place(0.88), place(0.8), FINE]
    behind, bezel, bar, picture = (across[:, a + 2 : b - 2].mean(axis=1) for a, b in pairwise(parts))
    assert behind == pytest.approx([0, 0.9, 0], abs=1e-3)
    assert bezel == pytest.approx(0.5 * (EVEN.key + EVEN.ambient), rel=1e-3)
    assert bar == pytest.approx(0.01 * LIGHT, rel=1e-3)
    assert picture == pytest.approx(LIGHT, rel=1e-3)


def test_a_print_ends_in_a_white_margin_and_what_lies_behind(square_view):
    across = columns(sheet(replace(PLAIN, border=replace(BORDER, bezel=0.0)), plain_picture(0)))
    parts = [0, place(0.88), place(0.8), FINE]
    behind, margin, picture = (across[:, a + 2 : b - 2].mean(axis=1) for a, b in pairwise(parts))
    assert behind == pytest.approx([0, 0.9, 0], abs=1e-3)
    assert margin == pytest.approx(LIGHT, rel=0.12), "bare paper"
    assert picture == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("show", [lambda b: screen(replace(DARK, border=b)), lambda b: sheet(replace(PLAIN, border=b))])
def test_an_edge_cuts_the_picture_off_and_neither_moves_nor_scales_it(show, square_view):
    """The size of the face must not tell an attack."""
    whole, cut = show(None), show(BORDER)
    inside = slice(place(0.8) + 2, None)
    assert np.abs(whole[..., inside] - cut[..., inside]).max() < 1e-6
    assert np.abs(whole[..., : place(0.96)] - cut[..., : place(0.96)]).mean() > 0.05


def test_an_edge_out_of_sight_changes_nothing():
    far = replace(BORDER, edges=(5.0, 5.0, 5.0, 5.0))
    assert covered(aimed(generator(1), 1, 64, ZOOM), ZOOM, far) is None
    assert (screen(replace(DARK, border=far)) == screen(DARK)).all()
    assert (sheet(replace(PLAIN, border=far)) == sheet(PLAIN)).all()


def test_corners_are_round():
    view = head_on(1, FINE, ZOOM)
    square = Border(edges=(0.8, 0.8, 0.8, 0.8))
    sharp, smooth = (covered(view, ZOOM, replace(square, corner=corner)) for corner in (0.0, 0.2))
    assert sharp is not None
    assert smooth is not None
    missing = (sharp.surface - smooth.surface).mean() * 4
    assert missing == pytest.approx(4 * 0.2**2 * (1 - np.pi / 4), rel=0.05)
    assert (smooth.surface[0, FINE // 2] == sharp.surface[0, FINE // 2]).all()


def test_a_border_needs_something_behind():
    cover = covered(head_on(1, 64, ZOOM), ZOOM, BORDER)
    with pytest.raises(ValueError, match="needs something behind"):
        before(np.ones((1, 3, 64, 64), np.float32), cover, None)


def test_instruments_held_freely_are_tilted_more_and_show_the_face_as_large():
    spreads, scales = [], []
    for freely in (0.5, 1.5):
        views = [aimed(generator(seed), 1, 64, ZOOM, 0.0, 0.0, freely) for seed in range(40)]
        widths = np.array([[view.u[0, row, -1] - view.u[0, row, 0] for row in (0, 63)] for view in views])
        spreads.append(np.abs(widths[:, 0] / widths[:, 1] - 1).mean())
        middle = np.array([view.u[0, 32, 40] - view.u[0, 32, 24] for view in views])
        scales.append(np.median(middle) * 64 / 16 / ZOOM)
    assert spreads[1] > 2 * spreads[0]
    assert scales == pytest.approx([1, 1], abs=0.03)


# What surfaces mirror.


def test_a_window_in_the_glass_adds_light_whatever_is_shown():
    added = []
    for level in (0, 255):
        glass = replace(DARK, reflectance=(0.04, 0.04))
        window, none = (screen(replace(glass, window=w), plain_picture(level), 7) for w in (20.0, 0.0))
        added.append(window - none)
    assert added[0] == pytest.approx(added[1], abs=1e-4)
    assert added[0].max() > 0.3 * LIGHT
    assert np.abs(screen(replace(DARK, window=20.0)) - screen(DARK)).max() < 1e-4, "a surface that mirrors nothing"


def test_a_window_is_bright_with_edges_and_bars():
    axis = np.linspace(-1, 1, 128, dtype=np.float32)
    seen = [window_seen(axis[None, :], axis[:, None], generator(seed)) for seed in range(20)]
    assert all(one.min() >= 0 and one.max() <= 1 for one in seen)
    assert np.mean([one.max() for one in seen]) > 0.7
    assert 0.02 < np.mean(seen) < 0.4
    room = mirrored(EVEN, 0.05, 0.0, 128, generator(1))
    assert room.shape == (1, 3, 128, 128)
    assert room.max() < 0.1


def test_glossy_paper_mirrors_a_window_whatever_is_printed():
    added = []
    for level in (0, 255):
        glossy, matte = (sheet(replace(PLAIN, glare=g), plain_picture(level), 7) for g in (0.6, 0.0))
        added.append(glossy - matte)
    assert added[0] == pytest.approx(added[1], abs=1e-4)
    assert added[0].max() > 0.1 * float(EVEN.key[1])


# Paper, printers and files.


def test_a_continuous_tone_has_no_dots():
    dots, none = (irradiance(sheet(replace(PLAIN, pitch=(0.4, 0.4), screen=s))[None])[0, 1] for s in ("am", "none"))
    assert grain(dots) > 50 * grain(none)
    assert dots.mean() == pytest.approx(none.mean(), rel=0.05)


def test_detail_that_is_lost_stays_lost():
    noise = generator(3).integers(0, 255, (96, 96, 3), np.uint8)
    assert reduced(noise, 1.0) is noise
    assert reduced(noise, 0.4).shape == (38, 38, 3)
    for show, one in ((screen, DARK), (sheet, PLAIN)):
        full, little = (irradiance(show(replace(one, detail=d), resized(noise, 96))[None])[0, 1] for d in (1.0, 0.35))
        assert grain(full) > 2 * grain(little)
