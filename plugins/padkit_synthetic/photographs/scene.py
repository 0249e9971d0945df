"""Photographs as scenes: reads one and puts it in the place of the face before a simulated camera."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from padkit.data.media.pictures import read_picture, to_square
from padkit.errors import DataError
from padkit_synthetic.imaging import Bytes, Floats, enlarged, generator, linear_from_srgb
from padkit_synthetic.people.faces import Light
from padkit_synthetic.photographs.faces import cut_face
from padkit_synthetic.presentations import Scene
from padkit_synthetic.world import LISTED, World

# Share of a photograph's side that a bona fide picture shows; an attack's first capture also sees the rest.
FRAMING = 0.88
LEAST_CONTENT = 64  # pixels; icons and thumbnails have no texture of their own
# How far the framing moves between the frames of a clip, as shares of the photograph's side.
SWAY = 0.012
# Side in pixels that larger photographs are reduced to: the finest sensor has far fewer photosites.
LARGEST = 1024
# In world 4, sides of the delivered picture: as fine as any of its sensors, and rendered much faster.
ENOUGH = 2


def largest_photograph(image_size: int, world: World) -> int:
    """Return the side in pixels that larger photographs are reduced to, for pictures of `image_size` pixels."""
    return LARGEST if world == LISTED else min(LARGEST, ENOUGH * image_size)


def read_photograph(path: Path, margin: float | None = None, limit: int = LARGEST, shown: float = FRAMING) -> Bytes:
    """Return a square of an image file, upright, uint8 RGB [S, S, 3], S at most `limit`.

    Args:
        path: The file.
        margin: If None, the square is the middle of the photograph. Otherwise its face is found, and the square is such
            that a bona fide picture shows the face and this share of its side beyond it on each side.
        limit: Largest S.
        shown: Share of the square's side that such a picture shows, if its face is found.

    Raises:
        DataError: The file is not a readable image, or no face is found in it.
    """
    picture = read_picture(path)
    if margin is None:
        return to_square(picture, min(*picture.size, limit))
    return cut_face(picture, margin=margin, shown=shown, limit=limit, name=str(path))


def read_content(path: Path, limit: int = LARGEST) -> Bytes:
    """Return the middle square of a picture without a face, upright, uint8 RGB [S, S, 3], S at most `limit`.

    Raises:
        DataError: The file is not a readable image, or its shorter side has fewer than `LEAST_CONTENT` pixels.
    """
    picture = read_photograph(path, limit=limit)
    if len(picture) < LEAST_CONTENT:
        raise DataError(f"{path}: its shorter side is {len(picture)} pixels; content needs {LEAST_CONTENT} or more.")
    return picture


def photograph_scene(photograph: Bytes, framing: float = FRAMING, key: tuple[int, ...] = ()) -> Scene:
    """Return the scene in which `photograph` replaces the face, evenly lit by the light.

    Args:
        photograph: uint8 RGB [S, S, 3].
        framing: Share of its side that a bona fide picture shows; beyond its border it is mirrored.
        key: Draws how the framing moves between the frames of a clip; the first frame always shows the middle.
    """
    linear = linear_from_srgb(photograph)

    def scene(side: int, light: Light, frames: int, wider: float) -> Floats:
        radiance = np.stack([enlarged(plane, side) for plane in _window(linear, framing * wider, 0, 0)])[None]
        if frames > 1:
            offsets = np.clip(generator(*key).standard_normal((frames - 1, 2)), -2, 2) * SWAY
            others = [_window(linear, framing * wider, *offset) for offset in offsets.tolist()]
            swayed = [np.stack([enlarged(plane, side) for plane in window]) for window in others]
            radiance = np.concatenate([radiance, np.stack(swayed)])
        return np.clip(radiance, 0.0, None) * (light.key + light.ambient)[:, None, None]

    return Scene(scene)


def _window(linear: Floats, share: float, right: float, down: float) -> Floats:
    """Return the square of `share` of the side of `linear` [3, S, S], moved off the middle by shares of the side."""
    side = linear.shape[-1]
    margin = 0.5 * side * (1 - share)
    missing = side * max(abs(right), abs(down)) - margin
    pad = math.ceil(missing) + 1 if missing > 0 else 0
    if pad:
        linear = np.pad(linear, ((0, 0), (pad, pad), (pad, pad)), mode="symmetric")
    length = max(1, side - 2 * round(margin))
    left, top = round(margin + right * side) + pad, round(margin + down * side) + pad
    return linear[:, top : top + length, left : left + length]
