"""What a peer's network sees: regions by hand, pixels as OpenCV makes them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from padkit.deploy.peer import View
from padkit.deploy.views import network_input, region_of, viewed
from padkit.errors import DataError


def view(**settings) -> View:
    return View(**({"width": 80, "height": 80} | settings))


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    smooth = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(smooth).resize((400, 300), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("box", "settings", "region"),
    [
        ((100, 100, 50, 60), {"scale": (2.0, 2.0), "beyond": "inside"}, (75, 70, 176, 191)),
        # At the left edge it is moved inside, at the lower right as well; its size stays.
        ((0, 100, 50, 50), {"scale": (2.0, 2.0), "beyond": "inside"}, (0, 75, 101, 176)),
        ((340, 240, 60, 60), {"scale": (2.0, 2.0), "beyond": "inside"}, (279, 179, 400, 300)),
        # 4 x 150 is higher than the picture: both directions shrink by one factor, 299 / 600.
        ((100, 75, 75, 150), {"scale": (4.0, 4.0), "beyond": "inside"}, (62, 0, 213, 300)),
        ((-10, 20, 50, 50), {"scale": (1.1, 1.05)}, (0, 18, 42, 71)),
        ((100, 100, 50, 60), {"scale": (2.0, 1.0), "square": True, "beyond": "edge"}, (75, 80, 175, 180)),
        ((-10, -10, 50, 50), {"beyond": "black"}, (-10, -10, 40, 40)),
        ((10.2, 10.2, 0.5, 0.5), {}, (10, 10, 11, 11)),
    ],
)
def test_what_is_cut(box, settings, region):
    assert region_of(box, view(**settings), 400, 300) == region


@pytest.mark.parametrize("resize", ["linear", "cubic"])
@pytest.mark.parametrize("side", [40, 80, 333])
def test_pixels_are_those_of_opencv(picture, resize, side):
    cv2 = pytest.importorskip("cv2")
    region = np.asarray(picture)[20 : 20 + 200, 50 : 50 + 120]
    mode = cv2.INTER_LINEAR if resize == "linear" else cv2.INTER_CUBIC
    expected = cv2.resize(region, (side, side), interpolation=mode)
    found = viewed(picture, (50, 20, 120, 200), view(width=side, height=side, resize=resize))
    assert np.abs(found.astype(int) - expected).max() <= 1  # OpenCV's weights have 11 bits


def test_beyond_the_picture(picture):
    box = (-20, -20, 40, 40)
    black = viewed(picture, box, view(width=40, height=40, beyond="black"))
    edge = viewed(picture, box, view(width=40, height=40, beyond="edge"))
    pixels = np.asarray(picture)
    assert np.array_equal(black[20:, 20:], pixels[:20, :20])
    assert not black[:20].any()
    assert np.all(edge[:20, :20] == pixels[0, 0])
    assert np.array_equal(edge[20:, 20:], pixels[:20, :20])


def test_without_a_box_the_whole_picture_is_the_face(picture):
    shown = viewed(picture, None, view(width=400, height=300, scale=(4.0, 4.0)))
    assert np.array_equal(shown, np.asarray(picture))


def test_a_cut_far_beyond_the_picture_is_refused(picture):
    with pytest.raises(DataError, match="too many"):
        viewed(picture, (0, 0, 400, 300), view(scale=(90.0, 90.0), beyond="edge"))


def test_colour_scaling_and_layout():
    pixel = np.full((80, 80, 3), (30, 60, 90), dtype=np.uint8)
    scaled = network_input([pixel], view(colour="bgr", mean=(10.0, 20.0, 30.0), deviation=(2.0, 4.0, 5.0)))
    assert (scaled.shape, scaled.dtype) == ((1, 3, 80, 80), np.float32)
    assert scaled[0, :, 0, 0].tolist() == [40.0, 10.0, 0.0]
    last = network_input([pixel, pixel], view(layout="nhwc"))
    assert (last.shape, last[1, 2, 3].tolist()) == ((2, 80, 80, 3), [30.0, 60.0, 90.0])
