"""The cascade in two threads finds what scikit-image's own search finds, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from portrait import portrait
from skimage import data

from padkit.data.preparation.cascade import FEWEST, GROWTH, SMALLEST, cascade, face_squares, grouped


def crowd() -> np.ndarray:
    """Return 15 heads of different sizes, turned a little, 240 x 400."""
    generator = np.random.default_rng(0)
    picture = Image.new("RGB", (400, 240), (120, 130, 140))
    for number in range(15):
        side = int(generator.integers(60, 100))
        head = Image.fromarray(portrait()).resize((side, side)).rotate(float(generator.uniform(-8, 8)))
        picture.paste(head, (number % 5 * 80, number // 5 * 80))
    return np.asarray(picture)


PICTURES = {
    "a portrait": portrait(240 / 256),
    "a photograph": np.asarray(Image.fromarray(data.astronaut()).resize((240, 240))),
    "a crowd": crowd(),
    "a cat": np.asarray(Image.fromarray(data.chelsea()).resize((360, 240))),
    "noise": np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8),
    "the smallest window": portrait(0.125),
    "no second window": portrait(38 / 256),
    "just a second window": portrait(39 / 256),
}


@pytest.mark.parametrize("name", PICTURES)
def test_it_finds_what_the_library_finds(name):
    picture = PICTURES[name]
    longest = min(picture.shape[:2])
    faces = cascade().detect_multi_scale(
        img=picture, scale_factor=GROWTH, step_ratio=1, min_size=(SMALLEST,) * 2, max_size=(longest,) * 2
    )
    assert face_squares(picture) == [(face["c"], face["r"], face["width"]) for face in faces]
    assert bool(faces) == (name in {"a portrait", "a photograph", "a crowd"})
    assert len(faces) > 8 or name != "a crowd"


def test_a_picture_smaller_than_the_window_shows_no_face():
    assert face_squares(portrait(0.12)) == []


def test_windows_join_the_group_that_they_share_most_with():
    def windows(count: int, left: int, side: int) -> list[dict[str, int]]:
        return [{"c": left, "r": 10, "width": side, "height": side}] * count

    assert grouped(windows(FEWEST - 1, 0, 40)) == []
    assert grouped(windows(FEWEST, 0, 40)) == [(0, 10, 40)]
    assert grouped([*windows(2, 0, 40), *windows(2, 15, 41)]) == [(7, 10, 40)]  # sums 30 and 162, of 4 windows
    assert grouped([*windows(4, 0, 40), *windows(4, 20, 40)]) == [(0, 10, 40), (20, 10, 40)]  # half, and not more
    # 25 / 40 of the first and 35 / 40 of the second are shared: the second gets it.
    assert grouped([*windows(4, 0, 40), *windows(4, 30, 40), *windows(4, 20, 40)]) == [(0, 10, 40), (25, 10, 40)]
