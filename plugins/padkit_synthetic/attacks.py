"""Presentation attack instruments: the light that a print or a screen showing a face sends to the camera.

Both are evaluated on a grid `FINER` times as fine as the sensor's, so that halftone and pixel grid are sampled by the
recapture: moire and the loss of the halftone in a blurred picture emerge, they are not drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from padkit_synthetic.faces import Light
from padkit_synthetic.imaging import (
    Bytes,
    Floats,
    Indices,
    between,
    enlarged,
    floats,
    linear_from_srgb,
    mixed,
    resized,
    saturation_matrix,
    smooth_noise,
    srgb_table,
)

FINER = 2
NOISE_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """A printer and its paper.

    Attributes:
        species: Name of the PAI species.
        screen: `am` (clustered dots on a rotated lattice, as a laser printer) or `fm` (scattered dots, as an inkjet).
        pitch: Range of halftone cells (`am`) or dots (`fm`) per photosite of the recapture.
        paper: Linear reflectance of the bare paper, RGB.
        ink: Linear reflectance of full ink cover, RGB.
        saturation: Saturation that the inks keep.
        gloss: Range of the specular reflection's strength.
        bend: Largest displacement by bending, share of the crop.
        fibre: Strength of the paper's texture.
    """

    species: str
    screen: str = "am"
    pitch: tuple[float, float] = (0.55, 0.9)
    paper: tuple[float, float, float] = (0.86, 0.86, 0.84)
    ink: tuple[float, float, float] = (0.016, 0.016, 0.019)
    saturation: float = 0.8
    gloss: tuple[float, float] = (0.0, 0.08)
    bend: float = 0.05
    fibre: float = 0.02

    attack_type = "print"


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """A screen.

    Attributes:
        species: Name of the PAI species.
        layout: `stripe` (RGB columns, LCD) or `diamond` (green on every, red and blue on every other pixel, OLED).
        pitch: Range of display pixels per photosite of the recapture.
        gamma: Exponent of its electro-optical transfer.
        black: Black level as a share of peak.
        white: Linear RGB of its white relative to D65.
        depth: Contrast of the subpixel grid in [0, 1]: how dark the gaps are.
        reflectance: Range of the share of surrounding light that the glass reflects.
        bands: Range of the strength of brightness bands (refresh against the shutter).
        saturation: Saturation that its gamut shows.
    """

    species: str
    layout: str = "stripe"
    pitch: tuple[float, float] = (0.7, 1.1)
    gamma: float = 2.2
    black: float = 0.004
    white: tuple[float, float, float] = (0.96, 1.0, 1.08)
    depth: float = 0.8
    reflectance: tuple[float, float] = (0.01, 0.05)
    bands: tuple[float, float] = (0.0, 0.06)
    saturation: float = 1.0

    attack_type = "replay"


Instrument = Printer | Display


@dataclass(frozen=True, slots=True)
class View:
    """Where each sample of the fine grid falls on the instrument: `u`, `v` [T, S, S], 0..1 across the picture."""

    u: Floats
    v: Floats

    def cells(self, count: int) -> Indices:
        """Return flat indices [T, S, S] into a raster of `count` x `count` pixels; outside is the nearest edge."""
        column = np.clip((self.u * count).astype(np.int32), 0, count - 1)
        row = np.clip((self.v * count).astype(np.int32), 0, count - 1)
        return row * np.int32(count) + column


def aimed(rng: np.random.Generator, frames: int, size: int, bend: float, zoom: float) -> tuple[View, Floats]:
    """Return the view of a hand-held instrument and its bending slope [T, 1, S].

    The instrument is tilted, turned and shifted at random (a homography), shakes a little from frame to frame, and
    bends as a cylinder by up to `bend`. `zoom` is the share of the shown picture that fills the camera's crop.
    """
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1)[None]
    x, y = axis[:, None, :], axis[:, :, None]

    def track(spread: float, shake: float) -> Floats:
        middle = float(np.clip(rng.standard_normal(), -2, 2)) * spread
        return np.asarray(middle + shake * rng.standard_normal(frames), np.float32).reshape(-1, 1, 1)

    turn, tilt_x, tilt_y = track(0.05, 0.008), track(0.07, 0.008), track(0.07, 0.008)
    shift_x, shift_y = track(0.02, 0.006), track(0.02, 0.006)
    reach = zoom * (1 + track(0.03, 0.004))
    nearness = reach / (1 + tilt_x * x + tilt_y * y)
    u = (x * np.cos(turn) + y * np.sin(turn)) * nearness + shift_x
    v = (y * np.cos(turn) - x * np.sin(turn)) * nearness + shift_y
    curve, phase = between(rng, (-bend, bend)), between(rng, (-0.6, 0.6))
    u = u + curve * (np.square(u - phase) - 0.3)
    slope = np.asarray(2 * curve * (x - phase) + np.zeros((frames, 1, 1)), np.float32)
    return View(floats(0.5 + 0.5 * u), floats(0.5 + 0.5 * v)), slope


def _lattice(view: View, cells: float, degrees: float) -> Floats:
    """Return a halftone threshold in [0, 1] per sample: the sum of two waves at right angles."""
    across = 2 * math.pi * cells * math.cos(math.radians(degrees))
    down = 2 * math.pi * cells * math.sin(math.radians(degrees))
    waves = np.cos(across * view.u + down * view.v) + np.cos(across * view.v - down * view.u)
    return floats(0.5 + 0.25 * waves)


def _spread_of_lattice() -> Floats:
    """Return, for coverage 0..1 in 256 steps, the threshold that leaves that share of a lattice cell covered."""
    axis = np.cos(np.linspace(0, np.pi, 64, dtype=np.float32))
    values = np.sort((0.5 + 0.25 * (axis[:, None] + axis[None, :])).ravel())
    return np.quantile(values, np.linspace(0, 1, 256)).astype(np.float32)


def printed(
    pictures: Bytes, printer: Printer, light: Light, size: int, zoom: float, rng: np.random.Generator
) -> Floats:
    """Return the radiance [1 or T, 3, FINER*size, FINER*size] of a print held into the camera.

    Args:
        pictures: The captured face, uint8 [1, h, w, 3]; one picture, printed once.
        printer: Printer and paper.
        light: Illumination of the recapture.
        size: Side of the sensor.
        zoom: Share of the picture that fills the crop.
        rng: Source of randomness; T frames of hand movement come from `pictures` repeated T times.
    """
    fine = FINER * size
    view, slope = aimed(rng, pictures.shape[0], fine, printer.bend, zoom)
    raster = 3 * pictures.shape[1] // 2
    picture = linear_from_srgb(resized(pictures[0], raster))
    picture = np.clip(mixed(picture, saturation_matrix(printer.saturation)), 0, 1)
    # Encoding in the eye's steps keeps dark tones apart over a table of 256 coverages.
    cover = 1 - np.sqrt(picture).reshape(3, -1)
    shown = np.clip(cover, 0, 1) ** between(rng, (0.85, 1.15))
    if printer.screen == "am":
        shown = _spread_of_lattice()[(shown * 255).astype(np.uint8)]
    cells = between(rng, printer.pitch) * size / zoom
    index = view.cells(raster)
    # Dots smaller than a sample are seen as their mean: what is left of their contrast falls with their number.
    contrast = 1.0 if printer.screen == "am" else min(1.0, 0.6 * fine / cells)
    result = np.empty((pictures.shape[0], 3, fine, fine), np.float32)
    for channel, angle in enumerate((15.0, 75.0, 45.0)):
        if printer.screen == "am":
            threshold = _lattice(view, cells, angle)
        else:
            tile = rng.random((NOISE_SIDE, NOISE_SIDE), np.float32)
            threshold = _tiled(tile, view, cells)
        tone = shown[channel].take(index)
        dots = np.clip((tone - threshold) * 4 + 0.5, 0, 1)
        if contrast < 1:
            dots = tone + contrast * (dots - tone)
        low, high = printer.ink[channel] ** 0.5, printer.paper[channel] ** 0.5
        # Light spreads inside paper (Yule-Nielsen, n = 2): cover mixes square roots of reflectance.
        result[:, channel] = np.square(high - dots * (high - low))
    fibre = _tiled(rng.standard_normal((NOISE_SIDE, NOISE_SIDE), np.float32), view, 0.9 * size)
    lamp = _facing(light, slope) * (1 + 0.08 * smooth_noise(rng, 3, fine))
    shade = lamp[:, None] * light.key[None, :, None, None] + light.ambient[None, :, None, None]
    result *= shade * (1 + printer.fibre * fibre[:, None])
    return result + _gloss(light, slope, between(rng, printer.gloss), fine, rng)


def _tiled(tile: Floats, view: View, count: float) -> Floats:
    column = (view.u * count).astype(np.int32) & (NOISE_SIDE - 1)
    row = (view.v * count).astype(np.int32) & (NOISE_SIDE - 1)
    return tile.ravel().take((row << 8) | column)


def _facing(light: Light, slope: Floats) -> Floats:
    """Return the Lambert factor [T, 1, S] of a surface bent along x."""
    right, _, out = light.direction
    return floats(np.clip((out - slope * right) / np.sqrt(1 + slope * slope), 0.05, 1))


def _gloss(light: Light, slope: Floats, strength: float, size: int, rng: np.random.Generator) -> Floats:
    """Return the broad highlight [T, 3, S, S] of slightly glossy paper."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    right, down, _ = light.direction
    place_x, place_y = 0.8 * right + between(rng, (-0.5, 0.5)), 0.8 * down + between(rng, (-0.5, 0.5))
    spot = np.exp(-1.5 * np.square(axis[None, None, :] + 3 * slope - place_x)) * np.exp(
        -1.5 * np.square(axis[None, :, None] - place_y)
    )
    return np.asarray(strength * spot[:, None] * light.key[None, :, None, None], np.float32)


def _pixel_grid(view: View, display: Display, columns: float) -> list[Floats]:
    """Return each channel's emission within the pixel raster, three arrays [T, S, S] of mean 1."""
    wave = 2 * np.pi
    across, down = view.u * columns, view.v * columns
    gap = 1 + (0.5 * display.depth) * np.cos(wave * down)
    depth = display.depth
    if display.layout == "stripe":
        return [gap * (1 + depth * np.cos(wave * (across - ((c + 0.5) / 3)))) for c in range(3)]
    slanted, straight = wave * 0.5 * (across + down), wave * across
    sparse = np.cos(slanted) * np.cos(wave * 0.5 * (across - down))
    return [1 + depth * sparse, gap * (1 + 0.6 * depth * np.cos(straight)), 1 - depth * sparse]


def replayed(
    pictures: Bytes, display: Display, light: Light, size: int, zoom: float, rng: np.random.Generator
) -> Floats:
    """Return the radiance [T, 3, FINER*size, FINER*size] of a screen that plays a clip.

    Args:
        pictures: The captured clip, uint8 [T, h, w, 3].
        display: The screen.
        light: Illumination of the recapture; only its reflection in the glass is seen.
        size: Side of the sensor.
        zoom: Share of the picture that fills the crop.
        rng: Source of randomness.
    """
    frames, fine = pictures.shape[0], FINER * size
    view, _ = aimed(rng, frames, fine, 0.0, zoom)
    columns = between(rng, display.pitch) * size / zoom
    raster = max(48, round(columns))
    index = view.cells(raster)
    grid = _pixel_grid(view, display, float(raster))
    table = srgb_table() ** (display.gamma / 2.2)
    emission = np.empty((frames, 3, raster, raster), np.float32)
    for frame in range(frames):
        emission[frame] = table[resized(pictures[frame], raster).transpose(2, 0, 1)]
    emission = np.clip(mixed(emission, saturation_matrix(display.saturation)), 0, 1)
    emission = display.black + (1 - display.black) * emission
    result = np.empty((frames, 3, fine, fine), np.float32)
    for channel in range(3):
        for frame in range(frames):
            result[frame, channel] = emission[frame, channel].ravel().take(index[frame])
        result[:, channel] *= grid[channel] * (display.white[channel])
    result *= _bands(frames, fine, between(rng, display.bands), rng)
    brightness = float(light.key[1] + light.ambient[1]) * between(rng, (0.8, 1.8))
    return result * brightness + _reflection(light, between(rng, display.reflectance), fine, rng)


def _bands(frames: int, size: int, strength: float, rng: np.random.Generator) -> Floats:
    """Return the rolling-shutter brightness bands [T, 1, S, 1] of a pulsed backlight."""
    rows = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    phase = rng.uniform(0, 2 * np.pi, (frames, 1))
    count = between(rng, (1.0, 4.0))
    bands = 1 + strength * np.cos(2 * np.pi * count * rows + phase)
    return np.asarray(bands, np.float32)[:, None, :, None]


def _reflection(light: Light, share: float, size: int, rng: np.random.Generator) -> Floats:
    """Return what the glass reflects [1, 3, S, S]: blurred surroundings and now and then a lamp or window."""
    room = np.clip(0.5 + 0.35 * smooth_noise(rng, 5, 64), 0, 2)
    if rng.random() < 0.5:
        axis = np.linspace(-1, 1, 64, dtype=np.float32)
        wide, tall = rng.uniform(0.1, 0.35, 2)
        at_x, at_y = rng.uniform(-0.9, 0.9, 2)
        edge_x = np.clip((wide - np.abs(axis - at_x)) * 8, 0, 1)
        edge_y = np.clip((tall - np.abs(axis - at_y)) * 8, 0, 1)
        room += between(rng, (1.0, 6.0)) * (edge_y[:, None] * edge_x[None, :]).astype(np.float32)
    colour = (light.key + light.ambient)[None, :, None, None]
    return np.asarray(share * np.clip(enlarged(room, size), 0, None)[None, None] * colour, np.float32)
