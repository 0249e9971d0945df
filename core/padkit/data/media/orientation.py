"""How a stored video frame is to be shown: mirrored and turned by its display matrix, with square pixels."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np

from padkit.data.media.pictures import Frame
from padkit.errors import DataError

MATRIX = struct.Struct("=9i")
# Anamorphic video is 4:3 to 2:1; beyond this the header is wrong.
MOST_STRETCHED = 4


def shown(frame: Frame, matrix: bytes) -> Frame:
    """Return a frame [H, W, 3] as its display matrix shows it, to the nearest quarter turn.

    Source: ISO/IEC 14496-12, 8.3.2, and FFmpeg's `libavutil/display.h`: the point (x, y) is shown at (a x + c y, b x +
    d y) for a matrix a b u, c d v, x y w. So the signs of a and d, or of c and b, say what is mirrored.

    Args:
        frame: As stored.
        matrix: Nine integers of 32 bits in the order of the machine, or nothing.
    """
    if len(matrix) < MATRIX.size:
        return frame
    a, b, _, c, d, *_ = MATRIX.unpack_from(matrix)
    # Rows and columns change places where the diagonal is the smaller one.
    across, down = (a, d) if abs(a) + abs(d) >= abs(b) + abs(c) else (c, b)
    turned = frame if (across, down) == (a, d) else frame.transpose(1, 0, 2)
    turned = turned[:, ::-1] if across < 0 else turned
    return np.ascontiguousarray(turned[::-1] if down < 0 else turned)


def square_size(width: int, height: int, aspect: Fraction | None, name: str) -> tuple[int, int]:
    """Return width and height of a frame with square pixels; one side grows, none shrinks.

    Args:
        width: Stored width in pixels.
        height: Stored height.
        aspect: Width of a pixel divided by its height; None or 0 if the file does not say, then 1.
        name: Names the file in errors.

    Raises:
        DataError: No camera has such pixels.
    """
    if not aspect or aspect == 1:
        return width, height
    if not Fraction(1, MOST_STRETCHED) <= aspect <= MOST_STRETCHED:
        raise DataError(f"{name}: its pixels are said to be {aspect} as wide as high; mend the file's header.")
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
