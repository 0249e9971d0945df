"""Cuts square crops around a known face: margin, alignment by the eyes, padding beyond the frame, resizing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from padkit.data.media.pictures import Box, Frame
from padkit.data.presentation import FaceHint
from padkit.errors import DataError

# A frontal face from forehead to chin, in distances between the eyes' centres: its height, and how far its middle is
# below the eyes. Boxes of detectors are about that high (measured on one portrait, scikit-image's astronaut).
FACE_IN_EYES, DROP_IN_EYES = 2.6, 0.45
# Beyond this multiple of the frame's longer side a box is a mistake, not a close-up.
LARGEST_BOX = 2.0
FILTER_REACH = 4  # pixels around a crop that interpolation looks at


@dataclass(frozen=True, slots=True)
class Square:
    """A square in a frame.

    Attributes:
        x: Its centre, in pixels from the frame's left edge.
        y: Its centre, from the top edge.
        side: Its side in pixels.
        slope: Angle in degrees by which its upper side falls to the right; the crop is turned back by it.
    """

    x: float
    y: float
    side: float
    slope: float = 0.0


def face_box(face: FaceHint) -> Box | None:
    """Return the box (x, y, width, height) of a face, computed from its eyes if it has no box, or None."""
    if face.box is not None or face.eyes is None:
        return face.box
    square = _by_eyes(face.eyes)
    return square.x - square.side / 2, square.y - square.side / 2, square.side, square.side


def face_square(face: FaceHint, *, margin: float, align: bool, width: int, height: int) -> Square | None:
    """Return the square to cut, or None for the whole frame if the place of the face is unknown.

    Args:
        face: Box, eyes or both, in pixels of the frame.
        margin: Share of the face's side added on each side.
        align: Make the line of the eyes horizontal and set the side by their distance, if they are known.
        width: Width of the frame in pixels.
        height: Its height.

    Raises:
        DataError: The box is empty, far larger than the frame, or lies outside it.
    """
    box = face_box(face)
    if box is None:
        return None
    x, y, across, down = box
    text = " ".join(f"{value:g}" for value in box)
    if not all(map(math.isfinite, box)) or across < 1 or down < 1:
        raise DataError(f"face box '{text}' is empty")
    if x >= width or y >= height or x + across <= 0 or y + down <= 0:
        raise DataError(f"face box '{text}' lies outside the {width}x{height} frame")
    if max(across, down) > LARGEST_BOX * max(width, height):
        raise DataError(f"face box '{text}' is far larger than the {width}x{height} frame")
    if align and face.eyes is not None:
        square = _by_eyes(face.eyes)
    else:
        square = Square(x + across / 2, y + down / 2, max(across, down))
    return Square(square.x, square.y, square.side * (1 + 2 * margin), square.slope)


def _by_eyes(eyes: tuple[float, float, float, float]) -> Square:
    left_x, left_y, right_x, right_y = eyes
    across, down = right_x - left_x, right_y - left_y
    distance = math.hypot(across, down)
    # Down the face is at a right angle to the line of the eyes.
    return Square(
        (left_x + right_x) / 2 - DROP_IN_EYES * down,
        (left_y + right_y) / 2 + DROP_IN_EYES * across,
        FACE_IN_EYES * distance,
        math.degrees(math.atan2(down, across)),
    )


def cut(picture: Image.Image, square: Square, size: int) -> Frame:
    """Cut a square out of a frame and resize it with antialiasing; beyond the frame, edge pixels are repeated.

    Args:
        picture: The frame, of mode RGB.
        square: The square to cut.
        size: Side of the result in pixels.

    Returns:
        uint8 RGB [size, size, 3].
    """
    turn = math.radians(square.slope)
    reach = square.side / 2 * (abs(math.cos(turn)) + abs(math.sin(turn))) + FILTER_REACH
    left, top = math.floor(square.x - reach), math.floor(square.y - reach)
    right, bottom = math.ceil(square.x + reach), math.ceil(square.y + reach)
    region = _region(picture, left, top, right, bottom)
    x, y = square.x - left, square.y - top
    half = square.side / 2
    if not square.slope:
        box = (x - half, y - half, x + half, y + half)
        return np.asarray(region.resize((size, size), Image.Resampling.BICUBIC, box=box))
    # Rotation does not antialias: rotate at full size first, then shrink.
    full = max(round(square.side), size)
    step_x, step_y = math.cos(turn) * square.side / full, math.sin(turn) * square.side / full
    corner_x, corner_y = x - (step_x - step_y) * full / 2, y - (step_y + step_x) * full / 2
    turned = region.transform(
        (full, full),
        Image.Transform.AFFINE,
        (step_x, -step_y, corner_x, step_y, step_x, corner_y),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(turned if full == size else turned.resize((size, size), Image.Resampling.BICUBIC))


def exact_square(picture: Image.Image, box: Box, name: str) -> Square:
    """Return the largest square in the middle of what `cut_exactly` cuts; errors as there."""
    left, top, right, bottom = _clipped(picture, box, name)
    side = min(right - left, bottom - top)
    return Square(left + (right - left - side) // 2 + side / 2, top + (bottom - top - side) // 2 + side / 2, side)


def cut_exactly(picture: Image.Image, box: Box, name: str) -> Image.Image:
    """Cut a box (x, y, width, height in pixels) out of a picture without resizing, clipped to the picture.

    Raises:
        DataError: The box is empty or outside the picture; the error begins with `name`.
    """
    return picture.crop(_clipped(picture, box, name))


def _clipped(picture: Image.Image, box: Box, name: str) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box in whole pixels of the picture; errors as in `cut_exactly`."""
    x, y, width, height = box
    text = " ".join(f"{value:g}" for value in box)
    if not all(map(math.isfinite, box)) or width < 1 or height < 1:
        raise DataError(f"{name}: box '{text}' is empty; it must be 'x y width height' in pixels.")
    left, top = max(round(x), 0), max(round(y), 0)
    right, bottom = min(round(x + width), picture.width), min(round(y + height), picture.height)
    if right <= left or bottom <= top:
        raise DataError(f"{name}: box '{text}' lies outside the {picture.width}x{picture.height} frame.")
    return left, top, right, bottom


def _region(picture: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """Return rows top..bottom and columns left..right, the edge pixels repeated beyond the frame."""
    width, height = picture.size
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return picture.crop((left, top, right, bottom))
    columns = np.arange(left, right).clip(0, width - 1)
    rows = np.arange(top, bottom).clip(0, height - 1)
    inside = np.asarray(picture.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)))
    return Image.fromarray(inside[(rows - rows[0])[:, None], columns - columns[0]])
