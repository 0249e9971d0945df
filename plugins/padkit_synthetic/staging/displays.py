"""Displays: the light that a screen playing a clip of a face sends to the camera.

The pixel raster is evaluated on a grid `FINER` times as fine as the sensor's and then averaged by its photosites, so
moire arises, and fades if the raster is far finer than the sensor or the recapture is out of focus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from padkit_synthetic.imaging import (
    Bytes,
    Floats,
    between,
    enlarged,
    floats,
    log_between,
    mixed,
    reduced,
    resized_planes,
    saturation_matrix,
    smooth_noise,
    srgb_table,
)
from padkit_synthetic.people.faces import Light
from padkit_synthetic.staging.borders import Behind, Border, before, covered
from padkit_synthetic.staging.glass import mirrored
from padkit_synthetic.staging.lens import glowing
from padkit_synthetic.views import FINER, View, aimed, resolved

# Pictures are resampled to this raster at most: no camera of the world resolves a finer one.
FINEST_RASTER = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """A screen.

    Attributes:
        species: Name of the PAI species.
        layout: `stripe` (RGB columns, LCD) or `diamond` (green on every, red and blue on every other pixel, OLED).
        pitch: Range of display pixels per photosite of the recapture.
        gamma: Range of the exponent of its electro-optical transfer.
        black: Black level as a share of peak.
        white: Linear RGB of its white relative to D65.
        depth: Range of the contrast of the subpixel grid, in [0, 1]: how dark the gaps are.
        reflectance: Range of the share of surrounding light that the glass reflects.
        bands: Range of the strength of brightness bands (refresh against the shutter).
        brightness: Range of its white relative to a white sheet in the light of the scene.
        saturation: Range of the saturation that its gamut shows.
        duty: Share of a band's period that is bright; None is a wave, as bright as dark.
        window: Radiance of the window that the glass mirrors relative to a white sheet in the room, 0 without one; None
            draws whether and how bright, as in world 3.
        lag: Share of the previous frame's light that a frame still shows.
        glow: Share of its light that is scattered into a halo.
        detail: Share of the picture's detail that the shown file keeps.
        freely: Factor on how far it is tilted, turned and shifted.
        border: Its edges; None is a screen without end.
        blur: Deviation of the blur by which the camera's focus misses it, share of the crop's side.
        room: Share of the room in what the camera meters.
    """

    species: str
    layout: Literal["stripe", "diamond"] = "stripe"
    pitch: tuple[float, float] = (0.7, 2.2)
    gamma: tuple[float, float] = (2.0, 2.4)
    black: float = 0.004
    white: tuple[float, float, float] = (0.96, 1.0, 1.08)
    depth: tuple[float, float] = (0.5, 0.8)
    reflectance: tuple[float, float] = (0.005, 0.04)
    bands: tuple[float, float] = (0.0, 0.06)
    brightness: tuple[float, float] = (0.6, 2.0)
    saturation: tuple[float, float] = (0.9, 1.1)
    duty: float | None = None
    window: float | None = None
    lag: float = 0.0
    glow: float = 0.0
    detail: float = 1.0
    freely: float = 1.0
    border: Border | None = None
    blur: float = 0.0
    room: float = 0.0

    @property
    def attack_type(self) -> str:
        """`replay`."""
        return "replay"

    @property
    def needs_wearer(self) -> bool:
        """Never: a screen has no holes."""
        return False


def _pixel_grid(view: View, layout: str, columns: float, depth: float) -> list[Floats]:
    """Return each channel's emission within the pixel raster, three arrays [T, S, S] of mean 1."""
    wave = 2 * np.pi
    across, down = view.u * columns, view.v * columns
    gap = 1 + (0.5 * depth) * np.cos(wave * down)
    if layout == "stripe":
        across *= wave
        cosine, sine = depth * np.cos(across), depth * np.sin(across)
        shifts = [wave * (channel + 0.5) / 3 for channel in range(3)]
        return [floats(gap * (1 + math.cos(shift) * cosine + math.sin(shift) * sine)) for shift in shifts]
    sparse = np.cos(wave * 0.5 * (across + down)) * np.cos(wave * 0.5 * (across - down))
    return [1 + depth * sparse, gap * (1 + 0.6 * depth * np.cos(wave * across)), 1 - depth * sparse]


def replayed(
    pictures: Bytes,
    display: Display,
    light: Light,
    size: int,
    zoom: float,
    rng: np.random.Generator,
    behind: Behind | None = None,
) -> Floats:
    """Return the radiance [T, 3, FINER*size, FINER*size] of a screen that plays a clip.

    Args:
        pictures: The captured clip, uint8 [T, h, w, 3].
        display: The screen.
        light: Illumination of the recapture; its reflection in glass and bezel is seen.
        size: Side of the sensor.
        zoom: Share of the picture that fills the crop.
        rng: Source of randomness.
        behind: Returns the radiance [1, 3, R, R] of what lies behind a screen with a border.
    """
    frames, fine = pictures.shape[0], FINER * size
    pictures = lagged(np.stack([reduced(picture, display.detail) for picture in pictures]), display.lag)
    view, pitch = aimed(rng, frames, fine, zoom, 0.0, 0.0, display.freely), log_between(rng, display.pitch)
    columns = round(pitch * size / zoom)
    depth = between(rng, display.depth) * resolved(pitch / FINER)
    # Pixels without gaps need not be finer than the samples.
    raster = min(columns, FINEST_RASTER if depth else fine)
    index = view.cells(raster)
    table = srgb_table() ** (between(rng, display.gamma) / 2.2)
    gamut = saturation_matrix(between(rng, display.saturation))
    bands = _bands(frames, fine, between(rng, display.bands), display.duty, rng)
    brightness = float(light.key[1] + light.ambient[1]) * between(rng, display.brightness)
    reflection = _reflection(light, between(rng, display.reflectance), display.window, fine, rng)
    cover = covered(view, zoom, display.border)
    result = np.empty((frames, 3, fine, fine), np.float32)
    for frame in range(frames):
        codes = resized_planes(pictures[frame], raster).reshape(3, -1)
        seen = index[frame].ravel()
        # This works on single pixels, so it is done on the raster or on the samples, whichever are fewer.
        if codes.shape[1] > seen.size:
            emission = _emitted(table, codes.take(seen, axis=1).reshape(3, fine, fine), gamut)
        else:
            emission = _emitted(table, codes.reshape(3, raster, raster), gamut).reshape(3, -1)
            emission = emission.take(seen, axis=1).reshape(3, fine, fine)
        grid = _pixel_grid(view.frame(frame), display.layout, float(columns), depth) if depth else None
        for channel in range(3):
            plane = emission[channel]
            if cover is not None:
                plane *= cover.picture[frame]
            if display.black:
                plane *= 1 - display.black
                plane += display.black
            if grid is not None:
                plane *= grid[channel][0]
            plane *= bands[frame, 0] * (display.white[channel] * brightness)
            if cover is not None and display.border is not None:
                bezel = display.border.albedo[channel] * float(light.key[channel] + light.ambient[channel])
                plane -= bezel
                plane *= cover.surface[frame]
                plane += bezel
            np.add(plane, reflection[0, channel], out=result[frame, channel])
    return glowing(before(result, cover, behind), display.glow, rng)


def _emitted(table: Floats, codes: Bytes, gamut: Floats) -> Floats:
    """Return the light [3, H, W] in [0, 1] of pixels that show `codes` [3, H, W]."""
    return np.clip(mixed(table.take(codes), gamut), 0, 1)


def lagged(clip: Bytes, share: float) -> Bytes:
    """Return a clip uint8 [T, h, w, 3] on slow pixels: `share` of the previous shown frame remains in each.

    Liquid crystals take 5 to 30 ms to turn, about as long as a frame is shown, and turn exponentially; so what moves
    has a ghost. A single frame has no previous one.
    """
    if not share or len(clip) < 2:
        return clip
    shown = clip.astype(np.float32)
    for frame in range(1, len(shown)):
        shown[frame] += share * (shown[frame - 1] - shown[frame])
    return np.rint(shown).astype(np.uint8)


def pulsed(frames: int, size: int, strength: float, duty: float, rng: np.random.Generator) -> Floats:
    """Return the bands [T, 1, S, 1] of a backlight that is switched on and off, before a rolling shutter.

    Screens are dimmed by switching (pulse-width modulation). Each row is exposed a little later than the one above, so
    that the product of switching and exposure is a trapezoid along the rows: bright bands on dark ground at a low duty,
    dark bands on bright ground at a high one. Between frames the bands wander.

    Args:
        frames: Number of frames T.
        size: Number of rows S.
        strength: Half the difference between bright and dark, relative to their mean.
        duty: Bright share of the period, in (0, 1).
        rng: Source of randomness.
    """
    rows = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    phase, count, edge = rng.random((frames, 1)), log_between(rng, (0.6, 7.0)), between(rng, (0.08, 0.45))
    away = np.abs((count * rows + phase) % 1 - 0.5)
    bright = np.clip((duty / 2 - away) / edge + 0.5, 0, 1)
    return floats(1 + strength * (2 * bright - 1))[:, None, :, None]


def _bands(frames: int, size: int, strength: float, duty: float | None, rng: np.random.Generator) -> Floats:
    """Return the rolling-shutter brightness bands [T, 1, S, 1] of a pulsed backlight; without a duty, waves."""
    if duty is not None:
        return pulsed(frames, size, strength, duty, rng)
    rows = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    phase = rng.uniform(0, 2 * np.pi, (frames, 1))
    count = between(rng, (1.0, 4.0))
    bands = 1 + strength * np.cos(2 * np.pi * count * rows + phase)
    return np.asarray(bands, np.float32)[:, None, :, None]


def _reflection(light: Light, share: float, window: float | None, size: int, rng: np.random.Generator) -> Floats:
    """Return what the glass reflects [1, 3, S, S]: blurred surroundings and sometimes a lamp or window."""
    if window is not None:
        return mirrored(light, share, window, size, rng)
    room = np.clip(0.5 + 0.35 * smooth_noise(rng, 5, 64), 0, 2)
    if rng.random() < 0.4:
        axis = np.linspace(-1, 1, 64, dtype=np.float32)
        wide, tall = rng.uniform(0.1, 0.35, 2)
        at_x, at_y = rng.uniform(-0.9, 0.9, 2)
        edge_x = np.clip((wide - np.abs(axis - at_x)) * 8, 0, 1)
        edge_y = np.clip((tall - np.abs(axis - at_y)) * 8, 0, 1)
        room += between(rng, (1.0, 6.0)) * (edge_y[:, None] * edge_x[None, :]).astype(np.float32)
    colour = (light.key + light.ambient)[None, :, None, None]
    return np.asarray(share * np.clip(enlarged(room, size), 0, None)[None, None] * colour, np.float32)
