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
    resized,
    saturation_matrix,
    smooth_noise,
    srgb_table,
)
from padkit_synthetic.people.faces import Light
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

    @property
    def attack_type(self) -> str:
        """`replay`."""
        return "replay"


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
    view, pitch = aimed(rng, frames, fine, zoom), log_between(rng, display.pitch)
    columns = round(pitch * size / zoom)
    raster = min(columns, FINEST_RASTER)
    index = view.cells(raster)
    depth = between(rng, display.depth) * resolved(pitch / FINER)
    grid = _pixel_grid(view, display.layout, float(columns), depth)
    table = srgb_table() ** (between(rng, display.gamma) / 2.2)
    gamut = saturation_matrix(between(rng, display.saturation))
    bands = _bands(frames, fine, between(rng, display.bands), rng)
    brightness = float(light.key[1] + light.ambient[1]) * between(rng, display.brightness)
    reflection = _reflection(light, between(rng, display.reflectance), fine, rng)
    result = np.empty((frames, 3, fine, fine), np.float32)
    for frame in range(frames):
        codes = np.ascontiguousarray(resized(pictures[frame], raster).transpose(2, 0, 1)).reshape(3, -1)
        seen = index[frame].ravel()
        # This works on single pixels, so it is done on the raster or on the samples, whichever are fewer.
        if codes.shape[1] > seen.size:
            emission = _emitted(table, codes.take(seen, axis=1).reshape(3, fine, fine), gamut)
        else:
            emission = _emitted(table, codes.reshape(3, raster, raster), gamut).reshape(3, -1)
            emission = emission.take(seen, axis=1).reshape(3, fine, fine)
        for channel in range(3):
            plane = emission[channel]
            plane *= 1 - display.black
            plane += display.black
            plane *= grid[channel][frame]
            plane *= bands[frame, 0] * (display.white[channel] * brightness)
            np.add(plane, reflection[0, channel], out=result[frame, channel])
    return result


def _emitted(table: Floats, codes: Bytes, gamut: Floats) -> Floats:
    """Return the light [3, H, W] in [0, 1] of pixels that show `codes` [3, H, W]."""
    return np.clip(mixed(table.take(codes), gamut), 0, 1)


def _bands(frames: int, size: int, strength: float, rng: np.random.Generator) -> Floats:
    """Return the rolling-shutter brightness bands [T, 1, S, 1] of a pulsed backlight."""
    rows = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    phase = rng.uniform(0, 2 * np.pi, (frames, 1))
    count = between(rng, (1.0, 4.0))
    bands = 1 + strength * np.cos(2 * np.pi * count * rows + phase)
    return np.asarray(bands, np.float32)[:, None, :, None]


def _reflection(light: Light, share: float, size: int, rng: np.random.Generator) -> Floats:
    """Return what the glass reflects [1, 3, S, S]: blurred surroundings and sometimes a lamp or window."""
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
