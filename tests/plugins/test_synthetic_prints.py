"""Cues of prints: each is there, and is gone without the stage that makes it and in a live capture."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from optics import (
    EVEN,
    GOOD,
    IDEAL,
    PLAIN,
    SIZE,
    SMOOTH,
    chroma,
    colourful_picture,
    grain,
    irradiance,
    linear,
    live,
    peak,
    plain_picture,
    shot,
    smooth_picture,
)

from padkit_synthetic.imaging import Bytes, Floats, blurred, generator, luminance
from padkit_synthetic.people.faces import Light
from padkit_synthetic.staging.prints import Printer, printed
from padkit_synthetic.views import FINER

LASER = replace(PLAIN, screen="am", pitch=(0.3, 0.3))
INKJET = replace(PLAIN, screen="fm", pitch=(2.5, 2.5))


def seen(picture: Bytes, printer: Printer, seed: int = 2, light: Light = EVEN) -> Floats:
    """Return the radiance [3, S, S] of a print on the fine grid."""
    return printed(picture, printer, light, SIZE, 0.9, 1, generator(seed))[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_clustered_halftone_draws_lines_in_the_spectrum(seed):
    picture = smooth_picture()
    with_dots, without = (peak(shot(seen(picture, replace(LASER, pitch=p), seed)[None])) for p in (LASER.pitch, SMOOTH))
    assert with_dots > without + 2
    assert with_dots > peak(shot(live(picture))) + 2


@pytest.mark.parametrize("seed", range(3))
def test_scattered_dots_are_grain_without_lines(seed):
    picture = smooth_picture()
    dots, smooth = (shot(seen(picture, replace(INKJET, pitch=p), seed)[None]) for p in (INKJET.pitch, SMOOTH))
    green = grain(dots[..., 1])
    assert green > 4 * grain(smooth[..., 1])
    assert green > 4 * grain(shot(live(picture))[..., 1])
    assert peak(dots) < peak(shot(seen(picture, LASER, seed)[None])) - 1


@pytest.mark.parametrize("screen", ["am", "fm"])
def test_the_halftone_fades_where_it_is_finer_or_the_recapture_is_blurred(screen):
    picture, printer = plain_picture(150), LASER if screen == "am" else INKJET
    factors = (1.0, 2.0, 4.0, 16.0)
    finer = [replace(printer, pitch=(f * printer.pitch[0], f * printer.pitch[0])) for f in factors]
    strengths = [irradiance(seen(picture, one)[None])[0, 1].std() for one in finer]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[-1] < 0.25 * strengths[0]
    radiance = seen(picture, printer)[None]
    sharp, blurry = (shot(radiance, replace(GOOD, defocus=(d, d))) for d in (0.3, 1.6))
    assert grain(blurry[..., 1]) < 0.25 * grain(sharp[..., 1])


@pytest.mark.parametrize("screen", ["am", "fm"])
@pytest.mark.parametrize("level", [60, 120, 200])
def test_the_mean_of_the_dots_is_the_pictures_tone(screen, level):
    printer = LASER if screen == "am" else INKJET
    dots = seen(plain_picture(level), printer)
    smooth = seen(plain_picture(level), replace(printer, pitch=SMOOTH))
    assert dots.mean() == pytest.approx(smooth.mean(), rel=0.04, abs=0.01)


def test_a_print_has_less_contrast_than_what_it_shows():
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8)[None, :, None], (96, 1, 3))
    radiance = printed(ramp, Printer(species="p", bend=0.0, gloss=(0, 0)), EVEN, SIZE, 0.95, 1, generator(4))
    low, high = np.quantile(luminance(blurred(radiance, 6.0)), [0.02, 0.98])
    assert 5 < high / low < 80


def test_ink_and_paper_bound_the_light():
    paper, ink = (0.8, 0.7, 0.6), 0.02
    printer = replace(PLAIN, paper=paper, ink=(ink, ink))
    white, black = (seen(plain_picture(level), printer).mean(axis=(1, 2)) for level in (255, 0))
    assert white / white[0] == pytest.approx(np.array(paper) / paper[0], rel=0.01)
    assert black / white == pytest.approx(ink / np.array(paper), rel=0.02)


def test_inks_keep_less_colour():
    picture = colourful_picture()
    full, half = (seen(picture, replace(PLAIN, saturation=(s, s)))[:, ::4, ::4] for s in (1.0, 0.5))
    assert chroma(half) == pytest.approx(0.5 * chroma(full), rel=0.1)
    ink = replace(PLAIN, saturation=(0.8, 0.8), ink=(0.03, 0.03))
    shown = [linear(shot(r, IDEAL)) for r in (seen(picture, PLAIN)[None], seen(picture, ink)[None], live(picture))]
    plain, real, alive = (chroma(planes) for planes in shown)
    assert plain == pytest.approx(alive, rel=0.1), "without the stage it looks alive"
    assert real < 0.9 * alive
    grey = plain_picture(128)
    assert seen(grey, ink).std(axis=0).max() < 1e-5, "greys have no colour to lose"


def test_a_colour_cast_is_one_of_the_inks():
    grey = plain_picture(128)
    ratios = [np.log(seen(grey, replace(PLAIN, cast=0.2), seed).mean(axis=(1, 2))) for seed in range(40)]
    spread = np.std([ratio[0] - ratio[1] for ratio in ratios])
    assert spread > 0.1
    neutral = seen(grey, PLAIN).mean(axis=(1, 2))
    assert neutral == pytest.approx(neutral.mean(), rel=1e-3)


@pytest.mark.parametrize("fibre", [0.02, 0.05])
def test_fibres_are_as_strong_as_they_are_said_to_be(fibre):
    blank = plain_picture(255)
    with_fibre, without = (seen(blank, replace(PLAIN, fibre=f)) for f in (fibre, 0.0))
    # Same seed, same lamp: the quotient is the texture alone.
    assert (with_fibre / without).std() == pytest.approx(fibre, rel=0.1)
    assert without[1].std() / without[1].mean() < 0.06
    sensor = [irradiance(radiance[None])[0, 1] for radiance in (with_fibre, without, live(blank)[0])]
    assert grain(sensor[0]) > 50 * max(grain(sensor[1]), grain(sensor[2]))


def test_gloss_adds_the_lamps_light_whatever_is_printed():
    light = replace(EVEN, key=np.array([0.8, 0.6, 0.4], np.float32))
    added = []
    for level in (0, 255):
        glossy, matte = (seen(plain_picture(level), replace(PLAIN, gloss=(g, g)), light=light) for g in (0.2, 0.0))
        added.append(glossy - matte)
    assert added[0] == pytest.approx(added[1], abs=1e-5)
    assert added[0].min() > -1e-6
    assert added[0].max(axis=(1, 2)) == pytest.approx(0.2 * light.key, rel=0.05)
    assert grain(added[0][1]) < 1e-6, "a broad highlight"


def test_gloss_lies_on_the_side_of_the_lamp():
    centres = {}
    axis = np.linspace(-1, 1, FINER * SIZE)
    for right in (-0.6, 0.6):
        light = replace(EVEN, direction=(right, 0.0, math.sqrt(1 - right**2)))
        places = []
        for seed in range(6):
            spot = seen(plain_picture(0), replace(PLAIN, gloss=(0.2, 0.2)), seed, light)[1]
            places.append((spot * axis).sum() / spot.sum())
        centres[right] = np.mean(places)
    assert centres[-0.6] < -0.1 < 0.1 < centres[0.6]


def line_chart(degrees: int) -> Bytes:
    """Return a white picture [256, 256, 3] with one soft black line through its middle, 0 = upright."""
    axis = np.arange(256) - 127.5
    across = axis[None, :] * math.cos(math.radians(degrees)) + axis[:, None] * math.sin(math.radians(degrees))
    return np.repeat((255 * (1 - np.exp(-0.04 * across**2))).astype(np.uint8)[..., None], 3, axis=2)


def sag(degrees: int, printer: Printer, seed: int) -> float:
    """Return how far the printed line of `line_chart` departs from a straight one (RMS, share of the crop)."""
    plane = seen(line_chart(degrees), printer, seed)[1]
    axis, angle = np.arange(plane.shape[0]) / plane.shape[0] - 0.5, math.radians(degrees)
    across = axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)
    along = axis[:, None] * math.cos(angle) - axis[None, :] * math.sin(angle)
    dark = np.square(np.clip(1 - plane / np.median(plane), 0.4, 1) - 0.4)
    # Bins along the line, far enough from the borders that none cuts it.
    bins = np.round(along / 0.02).astype(int)
    numbers = np.arange(-16, 17)
    places = [np.average(across[bins == number], weights=dark[bins == number]) for number in numbers]
    return float(np.std(places - np.polyval(np.polyfit(numbers, places, 1), numbers)))


def most_sag(form: str, bend: float, degrees: int) -> float:
    return max(sag(degrees, replace(PLAIN, form=form, bend=bend), seed) for seed in range(8))


def test_straight_lines_bend_with_the_print_alone():
    """Sideways where it is flat: lines along the cylinder's axis and across it stay straight; else in any direction."""
    for degrees in (0, 40, 90, 140):
        for form in ("flat", "warped"):
            assert most_sag(form, 0.0, degrees) < 0.001, (form, degrees)
        flat = most_sag("flat", 0.3, degrees)
        assert flat > 0.003 if degrees in (40, 140) else flat < 0.001, degrees
        assert most_sag("warped", 0.3, degrees) > 0.003, degrees


def test_a_bent_print_is_shaded_by_its_curve():
    light = replace(EVEN, direction=(0.7, 0.0, math.sqrt(0.51)))
    shades = []
    for bend in (0.0, 0.3):
        planes = [seen(plain_picture(255), replace(PLAIN, bend=bend), seed, light)[1] for seed in range(6)]
        columns = [plane.mean(axis=0) for plane in planes]
        shades.append(
            np.mean([np.polyfit(np.linspace(-1, 1, len(c)), c / c.mean(), 1)[0] ** 2 for c in columns]) ** 0.5
        )
    assert shades[1] > 2 * shades[0]
