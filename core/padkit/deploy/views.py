"""Cuts what a peer's network wants to see of a face out of a photograph, and makes its input. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Box, Frame
from padkit.deploy.peer import View
from padkit.errors import DataError

Region = tuple[int, int, int, int]  # left, top, right, bottom, in pixels; right and bottom not included
MOST_PIXELS = 2**26  # of a cut that reaches beyond the picture
CUBIC = -0.75  # the constant of OpenCV's INTER_CUBIC (Keys, 1981, takes -0.5)


def viewed(picture: Image.Image, box: Box | None, view: View) -> Frame:
    """Return what a view shows of a face.

    Args:
        picture: Upright, mode RGB.
        box: The face box (x, y, width, height) in its pixels; None for the whole picture, which is then not scaled.
        view: The view.

    Returns:
        uint8 RGB [height, width, 3].

    Raises:
        DataError: The cut is far larger than a photograph.
    """
    region = (0, 0, *picture.size) if box is None else region_of(box, view, *picture.size)
    pixels = _cut(picture, region, black=view.beyond == "black")
    if view.resize == "smooth":
        return np.asarray(Image.fromarray(pixels).resize((view.width, view.height), Image.Resampling.BICUBIC))
    rows = _weights(pixels.shape[0], view.height, cubic=view.resize == "cubic")
    columns = _weights(pixels.shape[1], view.width, cubic=view.resize == "cubic")
    found = np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(np.float32), columns, optimize=True)
    shown: Frame = np.rint(found).clip(0, 255).astype(np.uint8)
    return shown


def region_of(box: Box, view: View, width: int, height: int) -> Region:
    """Return what is cut of a picture of this size; at least one pixel, and within the picture or not by the view."""
    x, y, across, down = box
    scales = list(view.scale)
    if view.beyond == "inside":
        # One factor for both directions, as Silent-Face limits it.
        least = min((width - 1) / (across * scales[0]), (height - 1) / (down * scales[1]), 1.0)
        scales = [one * least for one in scales]
    sides = [across * scales[0], down * scales[1]]
    if view.square:
        sides = [max(sides)] * 2
    ends = []
    for start, extent, side, most in ((x, across, sides[0], width), (y, down, sides[1], height)):
        low = start + extent / 2 - side / 2
        high = low + side
        if view.beyond == "inside":
            low, high = _moved(low, high, most - 1)
            ends.append((int(low), int(high) + 1))
        elif view.beyond == "clip":
            # int() of both ends, as programs that slice an array do.
            first = min(max(int(low), 0), most - 1)
            ends.append((first, max(min(int(high), most), first + 1)))
        else:
            first = math.floor(low)
            ends.append((first, max(round(high), first + 1)))
    (left, right), (top, bottom) = ends
    return left, top, right, bottom


def network_input(pictures: Sequence[Frame], view: View) -> NDArray[np.float32]:
    """Return pictures, uint8 RGB [height, width, 3] each, as the network takes them: float32 [B, ...]."""
    batch = np.stack(pictures).astype(np.float32)
    if view.colour == "bgr":
        batch = batch[..., ::-1]
    mean, deviation = np.asarray(view.mean, dtype=np.float32), np.asarray(view.deviation, dtype=np.float32)
    batch = np.divide(np.subtract(batch, mean), deviation, dtype=np.float32)
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if view.layout == "nchw" else batch)


def _moved(low: float, high: float, last: float) -> tuple[float, float]:
    """Move an interval into [0, last]; one that is longer is cut off."""
    if low < 0:
        low, high = 0.0, high - low
    if high > last:
        low, high = low - (high - last), last
    return max(low, 0.0), high


def _cut(picture: Image.Image, region: Region, *, black: bool) -> Frame:
    """Return the pixels of a region [bottom - top, right - left, 3]; beyond the picture black, or the edge repeated."""
    left, top, right, bottom = region
    if (right - left) * (bottom - top) > MOST_PIXELS:
        raise DataError(f"{right - left} x {bottom - top} pixels around a face are too many; check its box.")
    if black:
        return np.asarray(picture.crop(region))  # Pillow fills with zeros
    columns = np.arange(left, right).clip(0, picture.width - 1)
    rows = np.arange(top, bottom).clip(0, picture.height - 1)
    inside = np.asarray(picture.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)))
    found: Frame = inside[(rows - rows[0])[:, None], columns - columns[0]]
    return found


def _weights(given: int, wanted: int, *, cubic: bool) -> NDArray[np.float32]:
    """Return the matrix [wanted, given] that interpolates between the nearest pixels, without antialiasing."""
    places = (np.arange(wanted) + 0.5) * given / wanted - 0.5
    first = np.floor(places).astype(int)
    found = np.zeros((wanted, given), dtype=np.float32)
    for step in (-1, 0, 1, 2) if cubic else (0, 1):
        distance = np.abs(places - (first + step))
        share = _keys(distance) if cubic else 1 - distance
        np.add.at(found, (np.arange(wanted), (first + step).clip(0, given - 1)), share)
    return found


def _keys(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic kernel of Keys (1981) with OpenCV's constant, for distances in [0, 2]."""
    d, a = distance, CUBIC
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, far)
