"""Display matrices and pixel shapes: compared with the definition, pixel by pixel."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.data.media.orientation import shown, square_size
from padkit.errors import DataError

FRAME = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
ORIENTATIONS = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] + [(0, b, c, 0) for b in (1, -1) for c in (1, -1)]


def by_definition(frame, a, b, c, d):
    """Put every pixel (x, y) at (a x + c y, b x + d y), moved into the picture."""
    rows, columns = np.indices(frame.shape[:2])
    x, y = a * columns + c * rows, b * columns + d * rows
    x, y = x - x.min(), y - y.min()
    found = np.zeros((y.max() + 1, x.max() + 1, 3), np.uint8)
    found[y, x] = frame
    return found


def packed(a: float, b: float, c: float, d: float) -> bytes:
    return struct.pack("=9i", *(round(v * 65536) for v in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)


@pytest.mark.parametrize("matrix", ORIENTATIONS)
@given(scale=st.floats(0.25, 8), slope=st.floats(-0.4, 0.4))
def test_every_orientation_is_that_of_the_definition(matrix, scale, slope):
    turned = shown(FRAME, packed(*(scale * (value or slope) for value in matrix)))
    assert np.array_equal(turned, by_definition(FRAME, *matrix))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("matrix", [b"", b"short", packed(0, 0, 0, 0)])
def test_no_matrix_changes_nothing(matrix):
    assert np.array_equal(shown(FRAME, matrix), FRAME)


@given(st.integers(1, 4000), st.integers(1, 4000), st.fractions(Fraction(1, 4), 4, max_denominator=99))
def test_one_side_grows_and_none_shrinks(width, height, aspect):
    wide, high = square_size(width, height, aspect, "a.mp4")
    assert wide >= width
    assert high >= height
    assert wide == width or high == height
    assert abs(wide / high - width * aspect / height) <= max(1 / height, aspect * width / height / high)


@pytest.mark.parametrize("aspect", [None, Fraction(0), Fraction(1)])
def test_square_pixels_stay(aspect):
    assert square_size(96, 64, aspect, "a.mp4") == (96, 64)


@pytest.mark.parametrize("aspect", [Fraction(1000), Fraction(1, 1000)])
def test_impossible_pixels_are_refused(aspect):
    with pytest.raises(DataError, match=r"a\.mp4: its pixels are said to be"):
        square_size(96, 64, aspect, "a.mp4")
