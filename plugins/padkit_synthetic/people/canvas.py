"""The canvas of a portrait: canonical coordinates of every pixel, and the layers that are painted.

Canonical coordinates belong to the face: x to the right, y downwards, origin between nose and eyes; a tight crop spans
-1..1. Every feature is an analytic function of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit_synthetic.imaging import Floats, bump, floats, generator
from padkit_synthetic.people.identity import FaceShape, Identity, Motion

TILE = 256
Window = tuple[slice, slice, slice]


@dataclass(slots=True)
class Layers:
    """Albedo [T, 3, H, W], height, gloss and coverage [T, H, W] of a portrait, on which layers are painted in place."""

    albedo: Floats
    height: Floats
    gloss: Floats
    cover: Floats

    def paint(self, colour: Floats, mask: NDArray[Any]) -> None:
        """Lay a colour [3] or [T, 3, H, W] over the albedo where `mask` is 1."""
        colour = floats(colour)
        change = (colour[None, :, None, None] if colour.ndim == 1 else colour) - self.albedo
        change *= floats(mask)[:, None]
        self.albedo += change

    def tint(self, factors: tuple[float, float, float], mask: NDArray[Any]) -> None:
        """Multiply the albedo's channels by `factors` where `mask` is 1."""
        kept = floats(mask)[:, None] * floats([factor - 1 for factor in factors])[:, None, None]
        kept += 1
        self.albedo *= kept

    def raise_to(self, height: NDArray[Any] | float, mask: NDArray[Any]) -> None:
        """Blend the height towards `height` where `mask` is 1."""
        self.height += floats((height - self.height) * mask)

    def polish(self, gloss: NDArray[Any] | float, mask: NDArray[Any]) -> None:
        """Blend the gloss towards `gloss` where `mask` is 1."""
        self.gloss += floats((gloss - self.gloss) * mask)

    def cover_with(self, mask: NDArray[Any]) -> None:
        """Hide the background where `mask` is 1."""
        np.maximum(self.cover, mask, out=self.cover)

    def part(self, window: Window) -> Layers:
        """Return views of a window."""
        frames, rows, columns = window
        return Layers(
            self.albedo[frames, :, rows, columns], *(p[window] for p in (self.height, self.gloss, self.cover))
        )

    def copied(self) -> Layers:
        """Return a copy, which takes less time than a window to paint on often."""
        return Layers(self.albedo.copy(), self.height.copy(), self.gloss.copy(), self.cover.copy())

    def become(self, other: Layers) -> None:
        """Take over what was painted on a copy."""
        for mine, painted in zip(
            (self.albedo, self.height, self.gloss, self.cover),
            (other.albedo, other.height, other.gloss, other.cover),
            strict=True,
        ):
            mine[...] = painted


@dataclass(frozen=True)
class Field:
    """Canonical coordinates [T, H, W] of every pixel, `side` = |x|, and the size of a pixel in those units.

    Attributes:
        x, y, side: Coordinates on the head.
        skull: Squared radius of the head's outline: below 1 inside.
        body_x, body_y: Coordinates on the shoulders, [T, 1, W] and [T, H, 1], which do not turn with the head.
        pixel: Side of a pixel.
    """

    x: Floats
    y: Floats
    side: Floats
    skull: Floats
    body_x: Floats
    body_y: Floats
    pixel: float

    def inside(self, distance: NDArray[Any], soft: float = 0.0) -> Floats:
        """Return a mask that is 1 where the signed `distance` is positive.

        Its edge is one pixel wide, or twice `soft` (canonical units) if that is more.
        """
        mask = distance * (0.5 / max(soft, 0.7 * self.pixel))
        mask += 0.5
        return floats(mask.clip(0, 1, out=mask))

    def where(self, *, side: tuple[float, float], y: tuple[float, float]) -> Window:
        """Return a small window that contains every pixel within the bounds; at least one pixel."""
        # It is enough to test every third pixel if the window is then enlarged by three on each side.
        sides, downs = self._thirds
        held = (downs >= y[0]) & (downs <= y[1])
        held &= sides <= side[1]
        if side[0] > 0:
            held &= sides >= side[0]
        seen = np.asarray(held.any(0), np.bool)
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        if not rows.size:
            return slice(None), slice(0, 1), slice(0, 1)
        top, left = max(0, 3 * int(rows[0]) - 2), max(0, 3 * int(columns[0]) - 2)
        return slice(None), slice(top, 3 * int(rows[-1]) + 3), slice(left, 3 * int(columns[-1]) + 3)

    @cached_property
    def _thirds(self) -> tuple[Floats, Floats]:
        """Every third sample of `side` and `y`, in consecutive memory."""
        return np.ascontiguousarray(self.side[:, ::3, ::3]), np.ascontiguousarray(self.y[:, ::3, ::3])

    def part(self, window: Window) -> Field:
        """Return a window; the coordinates that most features are drawn by are copies, which are quicker to use."""
        return Field(
            x=np.ascontiguousarray(self.x[window]),
            y=np.ascontiguousarray(self.y[window]),
            side=np.ascontiguousarray(self.side[window]),
            skull=self.skull[window],
            body_x=self.body_x[window[0], :, window[2]],
            body_y=self.body_y[window[:2]],
            pixel=self.pixel,
        )


def skull(face: FaceShape, x: Floats, y: Floats) -> Floats:
    """Return the squared radius of the head's outline: below 1 inside; the cranium is round, the jaw a blunt wedge."""
    down = y * (1 / face.head_height)
    lower = np.clip(down, 0, 1.3)
    wedge = lower * lower
    # Cheeks first, then the jaw: the outline keeps its width down to the mouth.
    width = face.head_width * (1 - face.jaw * wedge * (0.2 + 0.8 * lower))
    across = x / width
    squared = down * down
    # Powers 2 to 4 as blends, without logarithms: a blunt chin below, a full cranium above.
    blunt = min(max(0.5 * face.jaw_square - 1, 0.0), 1.0)
    below = floats(y > 0)
    down = squared * (1 - (0.42 + (blunt - 0.42) * below) * (1 - squared))
    return floats(across * across + down)


def _depth(face: FaceShape, x: Floats, y: Floats) -> Floats:
    """Return the height of the bare head at canonical positions.

    A paraboloid, because an ellipsoid's slope at the outline is infinite and the iteration of `traced` would not
    converge.
    """
    return floats(face.depth * np.clip(1 - skull(face, x, y), -0.25, 1))


def _ridge(face: FaceShape, x: Floats, y: Floats) -> Floats:
    """Return the height of the nose above the head at canonical positions."""
    squared = np.square(x * (0.8 / face.nose_width)) + np.square((y - face.nose_y + 0.06) * (1 / 0.16))
    return (0.8 * face.nose_height) * bump(squared)


def traced(person: Identity, motion: Motion, size: int, view: float) -> Field:
    """Return the canonical coordinates of `size` x `size` pixels, traced back through the pose of each of T frames.

    The height of head and nose serves as the depth of a point; four iterations are enough for 20 degrees.
    """
    face = person.shape
    axis = floats(((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1) * view)
    across, down = axis[None, None, :], axis[None, :, None]
    cosine, sine = np.cos(motion.roll) / motion.scale, np.sin(motion.roll) / motion.scale
    turned_x = cosine * (across - motion.shift_x) + sine * (down - motion.shift_y)
    turned_y = cosine * (down - motion.shift_y) - sine * (across - motion.shift_x)
    # The displacement by depth is smooth: half the resolution is enough.
    x, y = coarse_x, coarse_y = halved(turned_x), halved(turned_y)
    side_cosine, side_sine, up_cosine, up_sine = (
        turn(angle) for angle in (motion.yaw, motion.pitch) for turn in (np.cos, np.sin)
    )
    for number in range(4):
        depth = _depth(face, x, y)
        if number:
            depth += _ridge(face, x, y)
        x = floats(coarse_x * (1 / side_cosine) - depth * (side_sine / side_cosine))
        y = floats(coarse_y * (1 / up_cosine) - depth * (up_sine / up_cosine))
    depth = doubled(depth)
    x = floats(turned_x * (1 / side_cosine) - depth * (side_sine / side_cosine))
    y = floats(turned_y * (1 / up_cosine) - depth * (up_sine / up_cosine))
    body_x, body_y = (across - motion.shift_x) / motion.scale, (down - motion.shift_y) / motion.scale
    return Field(x, y, np.abs(x), skull(face, x, y), body_x, body_y, 2.0 * view / size)


def halved(plane: Floats) -> Floats:
    """Return [T, S, S] averaged over 2 x 2 pixels; S is even."""
    rows = plane[:, 0::2] + plane[:, 1::2]
    return floats(0.25 * (rows[..., 0::2] + rows[..., 1::2]))


def doubled(plane: Floats) -> Floats:
    """Return [T, S, S] enlarged to twice the size, linearly."""
    result = np.empty((plane.shape[0], 2 * plane.shape[1], 2 * plane.shape[2]), np.float32)
    # Plane by plane: a plane stays in the processor's cache.
    for number in range(plane.shape[0]):
        rows: Floats = np.empty((result.shape[1], plane.shape[2]), np.float32)
        _interleave(0.75 * plane[number], 0.25 * plane[number], rows)
        near, far = 0.75 * rows, 0.25 * rows
        # All rows in one line, then the ends of each, which have no neighbour.
        _interleave(near.reshape(-1), far.reshape(-1), result[number].reshape(-1))
        np.add(near[:, 0], far[:, 0], out=result[number, :, 0])
        np.add(near[:, -1], far[:, -1], out=result[number, :, -1])
    return result


def _interleave(near: Floats, far: Floats, result: Floats) -> None:
    """Write rows [H] or [H, W], enlarged to twice their number, into `result`; `far` is what neighbours get of them."""
    upper, lower = result[0::2], result[1::2]
    np.add(near[1:], far[:-1], out=upper[1:])
    np.add(near[:-1], far[1:], out=lower[:-1])
    np.add(near[0], far[0], out=upper[0, ...])
    np.add(near[-1], far[-1], out=lower[-1, ...])


@dataclass(frozen=True, slots=True)
class Textures:
    """Tiles [TILE, TILE] of about zero mean and unit deviation: skin blotches, fine grain, strands along y, curls."""

    blotches: Floats
    grain: Floats
    strands: Floats
    curls: Floats


def eye_places(person: Identity, motion: Motion) -> Floats:
    """Return where the left and the right eye appear in each of T frames, [T, 2, 2] as (across, down).

    Units are half sides of the tight crop, origin in its middle: the inverse of `traced`.
    """
    face = person.shape
    x = floats([[-face.eye_x, face.eye_x]])
    y = np.full_like(x, face.eye_y)
    depth = _depth(face, x, y) + _ridge(face, x, y)
    yaw, pitch, roll, scale, shift_x, shift_y = (
        track.reshape(-1, 1)
        for track in (motion.yaw, motion.pitch, motion.roll, motion.scale, motion.shift_x, motion.shift_y)
    )
    turned_x = x * np.cos(yaw) + depth * np.sin(yaw)
    turned_y = y * np.cos(pitch) + depth * np.sin(pitch)
    across = shift_x + scale * (np.cos(roll) * turned_x - np.sin(roll) * turned_y)
    down = shift_y + scale * (np.cos(roll) * turned_y + np.sin(roll) * turned_x)
    return floats(np.stack([across, down], axis=-1))


@lru_cache(maxsize=8)
def textures(seed: int) -> Textures:
    """Return the textures of a person."""
    rng = generator(seed)

    def noise(rows: int, columns: int) -> Floats:
        return rng.standard_normal((rows, columns), np.float32)

    # Octaves are summed on small sheets: only the last step to full size is slow.
    blotches = resampled(resampled(noise(9, 9), 60, 60) + resampled(noise(22, 22), 60, 60) + noise(60, 60))
    strands = resampled(noise(5, 26), 10, 170) + resampled(noise(8, 70), 10, 170)
    strands = resampled(0.6 * strands + 0.5 * noise(10, 170))
    coarse = resampled(noise(40, 40), 84, 84)
    # Ridges where noise crosses zero: locks that coil.
    curls = resampled(1.1 - 2.6 * np.abs(coarse) + 0.5 * noise(84, 84))
    return Textures(blotches * floats(1 / 1.6), resampled(noise(180, 180)), strands, curls)


def resampled(plane: Floats, rows: int = TILE, columns: int = TILE) -> Floats:
    """Return a plane resampled smoothly to [rows, columns]."""
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BICUBIC), np.float32)


def looked_up(tile: Floats, x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Return the values of a repeated texture tile at canonical positions; 1 unit is one tile."""
    column = (x * TILE).astype(np.int32) & (TILE - 1)
    row = (y * TILE).astype(np.int32) & (TILE - 1)
    return tile.ravel().take((row << 8) | column)
