"""The sheet a portrait is drawn on: canonical coordinates of every pixel, and the layers that pile up.

Canonical coordinates are the face's own: x to the right, y downwards, origin between nose and eyes, a tight crop
spanning -1..1. Every feature is an analytic function of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit_synthetic.identity import Identity, Motion
from padkit_synthetic.imaging import Floats, enlarged, floats, generator

TILE = 256


@dataclass(slots=True)
class Layers:
    """Albedo [T, 3, H, W], height, gloss and coverage [T, H, W] while the layers of a portrait pile up."""

    albedo: Floats
    height: Floats
    gloss: Floats
    cover: Floats

    def paint(self, colour: Floats, mask: Floats) -> None:
        """Lay a colour [3] or [T, 3, H, W] over the albedo where `mask` is 1."""
        if colour.ndim == 1:
            colour = colour[None, :, None, None]
        self.albedo += (colour - self.albedo) * mask[:, None]


@dataclass(frozen=True, slots=True)
class Field:
    """Canonical coordinates [T, H, W] of every pixel, `side` = |x|, and the size of a pixel in those units."""

    x: Floats
    y: Floats
    side: Floats
    skull: Floats
    pixel: float

    def inside(self, distance: NDArray[Any]) -> Floats:
        """Return a mask with an edge one pixel wide where the signed `distance` (canonical units) is positive."""
        return floats(np.clip(distance * (0.7 / self.pixel) + 0.5, 0, 1))


def skull(person: Identity, x: Floats, y: Floats) -> Floats:
    """Return the squared radius of the head's outline: below 1 inside."""
    face = person.shape
    lower = np.clip((y - 0.02) * (1.0 / face.head_height), 0, 1.2)
    width = face.head_width * (1 - face.jaw * lower * lower)
    reach_x, reach_y = x / width, y * (1.0 / face.head_height)
    return floats(reach_x * reach_x + reach_y * reach_y)


def traced(person: Identity, motion: Motion, size: int, view: float) -> Field:
    """Return the canonical coordinates of `size` x `size` pixels, traced back through the pose of each of T frames.

    The height of the bare head stands in for the depth of a point; two rounds of the fixed point do for 20 degrees.
    """
    face = person.shape
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1) * view
    across, down = axis[None, None, :], axis[None, :, None]
    cosine, sine = np.cos(motion.roll) / motion.scale, np.sin(motion.roll) / motion.scale
    turned_x = cosine * (across - motion.shift_x) + sine * (down - motion.shift_y)
    turned_y = cosine * (down - motion.shift_y) - sine * (across - motion.shift_x)
    x, y = turned_x, turned_y
    for _ in range(2):
        depth = face.depth * np.sqrt(np.clip(1 - skull(person, x, y), 0, 1))
        x = (turned_x - depth * np.sin(motion.yaw)) / np.cos(motion.yaw)
        y = (turned_y - depth * np.sin(motion.pitch)) / np.cos(motion.pitch)
    return Field(x=x, y=y, side=np.abs(x), skull=skull(person, x, y), pixel=2.0 * view / size)


def eye_places(person: Identity, motion: Motion) -> Floats:
    """Return where the left and the right eye appear in each of T frames, [T, 2, 2] as (across, down).

    Units are half sides of the tight crop, origin in its middle: what `traced` inverts.
    """
    face = person.shape
    x, y = np.array([-face.eye_x, face.eye_x], np.float32)[None, :], np.float32(face.eye_y)
    depth = face.depth * np.sqrt(np.clip(1 - skull(person, x, np.full_like(x, y)), 0, 1))
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
def textures(seed: int) -> tuple[Floats, Floats]:
    """Return a person's skin blotches and fine grain, tiles [TILE, TILE] of about zero mean and unit deviation."""
    rng = generator(seed)
    blotches = sum(enlarged(rng.standard_normal((n, n), np.float32), TILE) for n in (9, 22, 60)) / 1.7
    return np.asarray(blotches, np.float32), rng.standard_normal((TILE, TILE), np.float32)


def looked_up(tile: Floats, x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Return the values of a repeated texture tile at canonical positions; 1 unit is one tile."""
    column = (x * TILE).astype(np.int32) & (TILE - 1)
    row = (y * TILE).astype(np.int32) & (TILE - 1)
    return tile.ravel().take((row << 8) | column)
