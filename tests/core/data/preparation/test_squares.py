"""From boxes and eyes to square crops: what lies where, how large, how turned, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from padkit.data.preparation.squares import DROP_IN_EYES, FACE_IN_EYES, Square, cut, cut_exactly, face_box, face_square
from padkit.data.presentation import FaceHint
from padkit.errors import DataError

WIDTH, HEIGHT = 200, 160


def ramp(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return a frame whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 7)], -1).astype(np.uint8)


def square(face: FaceHint, margin: float = 0.0, align: bool = False) -> Square:
    found = face_square(face, margin=margin, align=align, width=WIDTH, height=HEIGHT)
    assert found is not None
    return found


def test_the_longer_side_of_the_box_and_its_centre():
    assert square(FaceHint(box=(10, 20, 30, 60))) == Square(25, 50, 60)
    assert square(FaceHint(box=(10, 20, 30, 60)), margin=0.25) == Square(25, 50, 90)
    assert face_square(FaceHint(), margin=0.3, align=True, width=9, height=9) is None


def test_eyes_stand_in_for_a_box():
    x, y, width, height = face_box(FaceHint(eyes=(80, 60, 120, 60)))
    assert (x + width / 2, width, height) == (100, 40 * FACE_IN_EYES, 40 * FACE_IN_EYES)
    assert y + height / 2 == 60 + 40 * DROP_IN_EYES
    # With a box, the eyes count only where they are levelled.
    face = FaceHint(box=(50, 30, 90, 90), eyes=(80, 60, 120, 60))
    assert square(face) == Square(95, 75, 90)
    assert square(face, align=True) == Square(100, 60 + 40 * DROP_IN_EYES, 40 * FACE_IN_EYES)


@given(st.floats(-80, 80), st.floats(5, 40))
def test_the_face_lies_below_the_line_of_the_eyes(slope, distance):
    across, down = distance * math.cos(math.radians(slope)), distance * math.sin(math.radians(slope))
    found = square(FaceHint(eyes=(100, 80, 100 + across, 80 + down)), align=True)
    assert found.slope == pytest.approx(slope)
    assert found.side == pytest.approx(FACE_IN_EYES * distance)
    middle = np.array([100 + across / 2, 80 + down / 2])
    offset = np.array([found.x, found.y]) - middle
    assert np.linalg.norm(offset) == pytest.approx(DROP_IN_EYES * distance)
    assert offset @ np.array([across, down]) == pytest.approx(0, abs=1e-9 * distance**2 + 1e-9)
    assert offset[1] > 0


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ((200, 0, 20, 20), "lies outside the 200x160 frame"),
        ((0, 160, 20, 20), "lies outside"),
        ((-20, 0, 20, 20), "lies outside"),
        ((0, -30, 20, 20), "lies outside"),
        ((10, 10, 0, 20), "is empty"),
        ((10, 10, 20, -3), "is empty"),
        ((10, math.nan, 20, 20), "is empty"),
        ((10, 10, math.inf, 20), "is empty"),
        ((0, 0, 401, 20), "far larger"),
    ],
)
def test_impossible_boxes_are_refused(box, text):
    with pytest.raises(DataError, match=text):
        square(FaceHint(box=box))


def test_eyes_at_one_point_are_refused():
    with pytest.raises(DataError, match="is empty"):
        square(FaceHint(eyes=(50, 50, 50, 50)))


def test_a_crop_at_full_size_is_exact():
    assert np.array_equal(cut(Image.fromarray(ramp()), Square(70, 60, 40), 40), ramp()[40:80, 50:90])


def test_edges_go_on_beyond_the_frame():
    crop = cut(Image.fromarray(ramp()), Square(0, 0, 40), 40)
    assert np.array_equal(crop[20:, 20:], ramp()[:20, :20])
    assert (crop[:20, :20] == [0, 0, 7]).all()
    assert np.array_equal(crop[0, 20:], ramp()[0, :20])
    far = cut(Image.fromarray(ramp()), Square(WIDTH, HEIGHT, 40), 40)
    assert (far[20:, 20:] == [WIDTH - 1, HEIGHT - 1, 7]).all()


@given(
    x=st.floats(28, 36),
    y=st.floats(28, 36),
    side=st.floats(10, 30),
    slope=st.floats(-60, 60),
    size=st.integers(10, 90),
)
def test_what_lies_in_the_crop_lies_there_in_the_frame(x, y, side, slope, size):
    """Every pixel of the crop tells its place in the frame, four levels a pixel; compare with one turned by hand."""
    crop = cut(Image.fromarray(4 * ramp(64, 64)), Square(x, y, side, slope), size) / 4
    rows, columns = np.mgrid[:size, :size].astype(float)
    right, down = (columns + 0.5 - size / 2) * side / size, (rows + 0.5 - size / 2) * side / size
    turn = math.radians(slope)
    place_x = x + right * math.cos(turn) - down * math.sin(turn) - 0.5
    place_y = y + right * math.sin(turn) + down * math.cos(turn) - 0.5
    inner = slice(size // 4, -(-3 * size // 4))
    for channel, place in ((0, place_x), (1, place_y)):
        error = (crop[..., channel] - place)[inner, inner]
        assert abs(error.mean()) < 0.35  # Pillow turns rounding down, by up to a quarter pixel here
        assert np.abs(error).max() < 0.65


@pytest.mark.parametrize("slope", [0.0, 20.0])
def test_shrinking_is_antialiased(slope):
    stripes = np.zeros((160, 200, 3), np.uint8)
    stripes[:, ::2] = 255
    small = cut(Image.fromarray(stripes), Square(100, 80, 120, slope), 20).astype(int)
    assert np.abs(small - 127).max() < 25  # picking single pixels would give 0 or 255


def test_levelled_eyes_are_level():
    frame = np.zeros((160, 200, 3), np.uint8)
    eyes = (80, 70, 114, 90)
    for x, y in (eyes[:2], eyes[2:]):
        frame[y - 2 : y + 2, x - 2 : x + 2] = 255
    crop = cut(Image.fromarray(frame), square(FaceHint(eyes=eyes), margin=0.1, align=True), 120)[..., 0].astype(float)
    left, right = crop[:, :60], crop[:, 60:]
    rows = [np.average(np.arange(120), weights=half.sum(1)) for half in (left, right)]
    columns = [np.average(np.arange(60), weights=half.sum(0)) for half in (left, right)]
    assert abs(rows[0] - rows[1]) < 0.5
    assert abs(columns[0] + columns[1] - 59) < 0.5  # mirrored about the middle
    scale = 120 / (FACE_IN_EYES * 1.2)
    assert columns[1] + 60 - columns[0] == pytest.approx(scale, abs=0.7)
    assert 59.5 - rows[0] == pytest.approx(DROP_IN_EYES * scale, abs=0.7)


def test_an_exact_box_is_clipped():
    frame = ramp()
    picture = Image.fromarray(frame)
    assert np.array_equal(cut_exactly(picture, (4.4, 5.6, 10, 8), "a.png"), frame[6:14, 4:14])
    assert np.array_equal(cut_exactly(picture, (-5, -5, 10, 10), "a.png"), frame[:5, :5])


@pytest.mark.parametrize(
    ("box", "cause"),
    [
        ((200, 0, 5, 5), "lies outside the 200x160 frame"),
        ((0, 0, 0, 5), "is empty"),
        ((math.nan, 0, 3, 5), "is empty"),
    ],
)
def test_an_exact_box_is_refused_outside(box, cause):
    with pytest.raises(DataError, match=rf"^a\.png: box '.*' {cause}"):
        cut_exactly(Image.fromarray(ramp()), box, "a.png")
