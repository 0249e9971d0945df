"""Prints: the light that ink on paper showing a face sends to the camera, flat, warped, with cut-out eyes or worn.

The halftone is evaluated on a grid `FINER` times as fine as the sensor's, so that the recapture samples it: moire and
the loss of the halftone in a blurred picture arise by themselves and are not drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from padkit_synthetic.imaging import (
    Bytes,
    Floats,
    Indices,
    between,
    bump,
    fine_noise,
    floats,
    log_between,
    mixed,
    reduced,
    resized_planes,
    saturation_matrix,
    smooth_noise,
    smoothstep,
    srgb_table,
)
from padkit_synthetic.people.canvas import doubled
from padkit_synthetic.people.faces import Light
from padkit_synthetic.staging.borders import Behind, Border, Cover, before, covered
from padkit_synthetic.staging.glass import window_seen
from padkit_synthetic.views import FINER, View, aimed, resolved

NOISE_SIDE = 256
SCREEN_ANGLES = (15.0, 75.0, 45.0)
# Half axes of a cut-out eye, share of the distance between the eyes.
HOLE = (0.34, 0.20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """A printer, its paper, and what is done with the print.

    Attributes:
        species: Name of the PAI species.
        form: `flat`; `warped` (bent by hand, in any direction); `cut` (flat, the attacker looks through holes at the
            eyes); `mask` (worn on the attacker's face).
        screen: `am` (clustered dots on a rotated lattice, as a laser printer), `fm` (scattered dots, as an inkjet) or
            `none` (dyes of continuous tone, as from a photo lab; or dots that no photosite resolves).
        pitch: Range of halftone cells (`am`) or dots (`fm`) per photosite of the recapture.
        crispness: Range of the share of the dots' contrast that remains after light spreads inside the paper (optical
            dot gain, Yule-Nielsen).
        paper: Linear reflectance of the bare paper, RGB.
        ink: Range of the linear reflectance of full ink cover with the surface's own reflection.
        cast: Deviation of each ink's strength (natural logarithm), which gives the print a colour cast.
        gain: Range of the exponent of the tone curve; below 1 the print is lighter than its picture.
        saturation: Range of the saturation that the inks keep.
        gloss: Range of the specular reflection's strength.
        bend: Largest displacement by bending, share of the crop.
        fibre: Strength of the paper's texture.
        glare: Radiance of the window that the paper mirrors, relative to a white sheet in the lamp's light.
        detail: Share of the picture's detail that the printer keeps.
        freely: Factor on how far it is tilted, turned and shifted.
        border: Its edges; None is a sheet without end.
        blur: Deviation of the blur by which the camera's focus misses it, share of the crop's side.
    """

    species: str
    form: Literal["flat", "warped", "cut", "mask"] = "flat"
    screen: Literal["am", "fm", "none"] = "am"
    pitch: tuple[float, float] = (0.5, 1.6)
    crispness: tuple[float, float] = (0.5, 0.85)
    paper: tuple[float, float, float] = (0.86, 0.86, 0.84)
    ink: tuple[float, float] = (0.006, 0.03)
    cast: float = 0.05
    gain: tuple[float, float] = (0.85, 1.3)
    saturation: tuple[float, float] = (0.7, 1.0)
    gloss: tuple[float, float] = (0.0, 0.08)
    bend: float = 0.05
    fibre: float = 0.02
    glare: float = 0.0
    detail: float = 1.0
    freely: float = 1.0
    border: Border | None = None
    blur: float = 0.0

    @property
    def attack_type(self) -> str:
        """`mask` for a print that is worn, otherwise `print`."""
        return "mask" if self.form == "mask" else "print"

    @property
    def needs_wearer(self) -> bool:
        """Whether a person looks through holes in the print."""
        return self.form in ("cut", "mask")


@dataclass(frozen=True, slots=True)
class Wearer:
    """The attacker behind a print with holes.

    Attributes:
        radiance: [T, 3, S, S], the attacker's face before the recapturing camera; at twice its size it is on the fine
            grid.
        eyes: [T, 2, 2], places (x, y) of both eyes in it, 0..1 across the picture.
        printed_eyes: [2, 2], places of the victim's eyes in the printed picture.
    """

    radiance: Floats
    eyes: Floats
    printed_eyes: Floats


def printed(
    picture: Bytes,
    printer: Printer,
    light: Light,
    size: int,
    zoom: float,
    frames: int,
    rng: np.random.Generator,
    wearer: Wearer | None = None,
    behind: Behind | None = None,
) -> Floats:
    """Return the radiance [T, 3, FINER*size, FINER*size] of a print before the camera.

    Args:
        picture: The captured face, uint8 [h, w, 3].
        printer: Printer and paper.
        light: Illumination of the recapture.
        size: Side of the sensor.
        zoom: Share of the picture that fills the crop.
        frames: Number of frames T of hand movement.
        rng: Source of randomness.
        wearer: The person who looks through the holes of a `cut` print or wears a `mask`.
        behind: Returns the radiance [1, 3, R, R] of what lies behind a print with a border; behind a cut one it is the
            wearer.

    Raises:
        ValueError: A `cut` print or `mask` without a wearer.
    """
    if printer.needs_wearer and wearer is None:
        raise ValueError(f"a {printer.form} print needs a wearer")
    if printer.form == "mask" and wearer is not None:
        return _worn(picture, printer, light, wearer, rng)
    along = between(rng, (-0.5, 0.5)) * math.pi if printer.form == "warped" else 0.0
    view = aimed(rng, frames, FINER * size, zoom, printer.bend, along, printer.freely)
    cover = covered(view, zoom, printer.border)
    reflectance = _trimmed(_reflectance(picture, printer, view, rng), printer, cover)
    paper = _lit(reflectance, printer, view, light, rng)
    if wearer is None:
        return before(paper, cover, behind)
    return before(_cut_open(paper, view, wearer, zoom), cover, lambda: wearer.radiance)


def _trimmed(reflectance: Floats, printer: Printer, cover: Cover | None) -> Floats:
    """Return the reflectance [T, 3, S, S] with bare paper around the printed picture; changed in place."""
    if cover is not None:
        for channel, bare in enumerate(printer.paper):
            plane = reflectance[:, channel]
            plane -= bare
            plane *= cover.picture
            plane += bare
    return reflectance


def _reflectance(picture: Bytes, printer: Printer, view: View, rng: np.random.Generator) -> Floats:
    """Return the linear reflectance [T, 3, S, S] of the print; its mean over a dot follows the picture's tone."""
    raster = 3 * picture.shape[0] // 2
    tone = srgb_table().take(resized_planes(reduced(picture, printer.detail), raster))
    tone = np.clip(mixed(tone, saturation_matrix(between(rng, printer.saturation))), 0, 1)
    strength = between(rng, printer.gain) * np.exp(printer.cast * rng.standard_normal(3))
    cover = floats(1 - tone ** floats(strength)[:, None, None]).reshape(3, -1)
    pitch = log_between(rng, printer.pitch)
    cells = pitch * view.u.shape[-1] / FINER / _width_seen(view)
    contrast = resolved(pitch / FINER, 30.0) if printer.screen == "am" else min(1.0, 0.6 * FINER / pitch)
    contrast *= between(rng, printer.crispness)
    dark = between(rng, printer.ink)
    needed, sheets = cover, [np.empty((0, 0), np.float32)] * 3
    if printer.screen == "am":
        needed = _spread_of_lattice().take((cover * 255).astype(np.uint8))
    elif printer.screen == "fm":
        sheets = [rng.random((NOISE_SIDE, NOISE_SIDE), np.float32) for _ in SCREEN_ANGLES]
    result = np.empty((view.u.shape[0], 3, *view.u.shape[1:]), np.float32)
    for frame in range(result.shape[0]):
        seen = view.frame(frame)
        index = seen.cells(raster)
        tiled = _tiled(seen, cells) if printer.screen == "fm" else None
        for channel, angle in enumerate(SCREEN_ANGLES):
            mean = cover[channel].take(index)
            if printer.screen != "none":
                if tiled is None:
                    dots = needed[channel].take(index)
                    dots -= _lattice(seen, cells, angle)
                else:
                    dots = mean - sheets[channel].take(tiled)
                dots *= 4
                dots += 0.5
                np.clip(dots, 0, 1, out=dots)
                dots -= mean
                dots *= contrast
                mean += dots
            mean *= dark - printer.paper[channel]
            np.add(mean[0], printer.paper[channel], out=result[frame, channel])
    return result


def _width_seen(view: View) -> float:
    """Return the share of the picture's width that the view spans."""
    row = view.u[0, view.u.shape[1] // 2]
    return float(max(abs(row[-1] - row[0]), 1e-3))


def _lattice(view: View, cells: float, degrees: float) -> Floats:
    """Return a halftone threshold in [0, 1] per sample: the sum of two waves at right angles."""
    across = 2 * math.pi * cells * math.cos(math.radians(degrees))
    down = 2 * math.pi * cells * math.sin(math.radians(degrees))
    phase = across * view.u
    phase += down * view.v
    waves = np.cos(phase, out=phase)
    phase = across * view.v
    phase -= down * view.u
    waves += np.cos(phase, out=phase)
    waves *= 0.25
    waves += 0.5
    return floats(waves)


@cache
def _spread_of_lattice() -> Floats:
    """Return, for coverage 0..1 in 256 steps, the threshold that covers that share of a lattice cell."""
    axis = np.cos(np.linspace(0, np.pi, 64, dtype=np.float32))
    values = np.sort((0.5 + 0.25 * (axis[:, None] + axis[None, :])).ravel())
    return np.quantile(values, np.linspace(0, 1, 256)).astype(np.float32)


def _tiled(view: View, count: float) -> Indices:
    """Return flat indices [T, S, S] into a sheet [NOISE_SIDE, NOISE_SIDE] that is repeated across the picture.

    Args:
        view: The places on the paper.
        count: Samples of the sheet across the picture.
    """
    column = (view.u * count).astype(np.int32) & (NOISE_SIDE - 1)
    row = (view.v * count).astype(np.int32) & (NOISE_SIDE - 1)
    return (row * np.int32(NOISE_SIDE) + column).astype(np.intp)


def _lit(reflectance: Floats, printer: Printer, view: View, light: Light, rng: np.random.Generator) -> Floats:
    """Turn the reflectance of paper into its radiance, in place: fibres, the lamp on its curve, gloss."""
    fine = reflectance.shape[-1]
    fibre = fine_noise(rng, (NOISE_SIDE, NOISE_SIDE)).take(_tiled(view, 0.45 * fine))
    fibre *= printer.fibre
    fibre += 1
    # Lamp and gloss vary slowly: half the resolution is enough.
    coarse = view.coarser()
    lamp = coarse.facing(light.direction) * (1 + 0.08 * smooth_noise(rng, 3, fine // 2))
    gloss = _gloss(coarse, light, between(rng, printer.gloss), fine // 2, rng)
    if printer.glare:
        gloss = gloss + printer.glare * _glare(coarse, fine // 2, rng)
    lamp, gloss = (np.broadcast_to(doubled(plane), fibre.shape) for plane in (lamp, gloss))
    for frame in range(reflectance.shape[0]):
        for channel in range(3):
            shade = lamp[frame] * light.key[channel]
            shade += light.ambient[channel]
            shade *= fibre[frame]
            plane = reflectance[frame, channel]
            plane *= shade
            plane += gloss[frame] * light.key[channel]
    return reflectance


def _gloss(view: View, light: Light, strength: float, size: int, rng: np.random.Generator) -> Floats:
    """Return the broad highlight [T, S, S] of slightly glossy paper, for a lamp of strength 1."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    right, down, _ = light.direction
    place_x, place_y = 0.8 * right + between(rng, (-0.5, 0.5)), 0.8 * down + between(rng, (-0.5, 0.5))
    off_x = axis[None, None, :] + 3 * view.slope_x - place_x
    off_y = axis[None, :, None] + 3 * view.slope_y - place_y
    return floats(strength * bump(1.5 * (np.square(off_x) + np.square(off_y))))


def _glare(view: View, size: int, rng: np.random.Generator) -> Floats:
    """Return the window [T, S, S], 0 to 1, that glossy paper mirrors; where the paper bends, the mirror turns."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return window_seen(axis[None, None, :] + 3 * view.slope_x, axis[None, :, None] + 3 * view.slope_y, rng)


def _ellipse(across: Floats, down: Floats, wide: float, tall: float, edge: float) -> Floats:
    """Return a mask that is 1 inside an ellipse with half axes `wide`, `tall`, and 0 outside, over an edge."""
    reach = np.sqrt(np.square(across / wide) + np.square(down / tall))
    return smoothstep(reach, 1 + edge, 1 - edge)


def _cut_open(paper: Floats, view: View, wearer: Wearer, zoom: float) -> Floats:
    """Return the paper with its eyes cut out and the attacker's eyes behind, shaded by the hole's rim."""
    fine, result = paper.shape[-1], paper
    apart = float(np.linalg.norm(wearer.printed_eyes[1] - wearer.printed_eyes[0]))
    for eye in range(2):
        place_x, place_y = wearer.printed_eyes[eye]
        # It is enough to test every fourth sample if the window is then enlarged by four on each side.
        far = np.maximum(np.abs(view.u[:, ::4, ::4] - place_x), np.abs(view.v[:, ::4, ::4] - place_y))
        near = far < 1.15 * HOLE[0] * apart
        rows, columns = np.flatnonzero(near.any((0, 2))), np.flatnonzero(near.any((0, 1)))
        if not rows.size:
            continue
        down_part = slice(max(0, 4 * int(rows[0]) - 4), 4 * int(rows[-1]) + 5)
        across_part = slice(max(0, 4 * int(columns[0]) - 4), 4 * int(columns[-1]) + 5)
        across = (view.u[:, down_part, across_part] - place_x) / apart
        down = (view.v[:, down_part, across_part] - place_y) / apart
        hole = _ellipse(across, down, *HOLE, 0.12)
        rim = _ellipse(across, down - 0.05, HOLE[0] * 0.85, HOLE[1] * 0.8, 0.45)
        column = wearer.eyes[:, eye, 0, None, None] + across * (apart / zoom)
        row = wearer.eyes[:, eye, 1, None, None] + down * (apart / zoom)
        rows, columns = ((place * fine).astype(np.int32).clip(0, fine - 1) for place in (row, column))
        for frame in range(paper.shape[0]):
            behind = _seen(wearer.radiance[frame], rows[frame], columns[frame]) * (0.35 + 0.6 * rim[frame])
            part = result[frame, :, down_part, across_part]
            part += (behind - part) * hole[frame]
    return result


def _seen(radiance: Floats, rows: Indices, columns: Indices) -> Floats:
    """Return samples [3, H, W] at places [H, W] of the fine grid, from radiance [3, S, S] at half its resolution."""
    # Only the part around them, plus one pixel on each side, which the samples at its border need.
    top, left = max(0, int(rows.min()) // 2 - 1), max(0, int(columns.min()) // 2 - 1)
    part = doubled(radiance[:, top : int(rows.max()) // 2 + 2, left : int(columns.max()) // 2 + 2])
    index = (rows - 2 * top) * part.shape[2] + (columns - 2 * left)
    return floats(part.reshape(3, -1).take(index, axis=1))


def _worn(picture: Bytes, printer: Printer, light: Light, wearer: Wearer, rng: np.random.Generator) -> Floats:
    """Return the radiance of an attacker who wears the print as a mask, bent around the head, with eye holes."""
    frames, _, side, _ = wearer.radiance.shape
    fine = FINER * side
    axis = (np.arange(fine, dtype=np.float32) + 0.5) / fine
    left, right = wearer.eyes[:, 0], wearer.eyes[:, 1]
    middle, reach = (left + right) / 2, right - left
    apart = np.sum(reach * reach, axis=1)[:, None, None]
    off_x, off_y = axis[None, None, :] - middle[:, 0, None, None], axis[None, :, None] - middle[:, 1, None, None]
    along_x, along_y = reach[:, 0, None, None], reach[:, 1, None, None]
    across = (off_x * along_x + off_y * along_y) / apart
    down = (off_y * along_x - off_x * along_y) / apart
    radius = between(rng, (1.35, 1.9))
    inside = np.clip(across / radius, -0.97, 0.97)
    flat = radius * np.arcsin(inside)
    slope = -inside / np.sqrt(1 - inside * inside)
    start, step = wearer.printed_eyes.mean(axis=0), wearer.printed_eyes[1] - wearer.printed_eyes[0]
    view = View(
        floats(start[0] + flat * step[0] - down * step[1]),
        floats(start[1] + flat * step[1] + down * step[0]),
        floats(slope),
        np.zeros((frames, 1, 1), np.float32),
    )
    paper = _lit(_reflectance(picture, printer, view, rng), printer, view, light, rng)
    wide, tall = between(rng, (1.05, 1.25)), between(rng, (1.45, 1.75))
    mask = _ellipse(floats(across), floats(down - 0.55), wide, tall, 0.02)
    shadow = _ellipse(floats(across - 0.03), floats(down - 0.6), wide * 1.06, tall * 1.05, 0.06)
    for eye in (-0.5, 0.5):
        mask = mask * (1 - _ellipse(floats(across - eye), floats(down), *HOLE, 0.12))
    skin = doubled(wearer.radiance.reshape(-1, side, side)).reshape(frames, 3, fine, fine)
    skin *= (1 - 0.5 * shadow)[:, None]
    return floats(skin + (paper - skin) * mask[:, None])
