"""The sheet of what training sees: the images are those of the training loop, and changed labels are marked."""

from __future__ import annotations

import io
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from padkit.data.augmentation import Augmentation, draw_generator
from padkit.data.joined_augmentation import JoinedAugmentation
from padkit.report.figures.augmented_sheet import augmented_sheet, varied
from padkit.report.figures.contact_sheet import COLOURS, GAP, MARGIN, TILE

SIDE = 16


class Turned(Augmentation):
    """Gives every image the other label and one drawn grey."""

    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        return np.full_like(image, rng.integers(100, 200)), 1 - label


class Darker(Augmentation):
    """Halves a batch, and adds one drawn number to it."""

    def vary(self, images: torch.Tensor) -> torch.Tensor:
        return images / 2 + torch.rand(1) / 4


class Toy:
    """A table of three bona fide presentations and two attacks."""

    preparation: ClassVar = {"dataset": "toy", "image_size": SIDE, "simulated": False}
    columns: ClassVar = {"domain": ["a"] * 5, "species": ["", "", "", "print", "print"], "presentation": list("abcde")}

    def __len__(self) -> int:
        return 5

    def column(self, name: str) -> NDArray[np.int64]:
        assert name == "label"
        return np.array([1, 1, 1, 0, 0])

    def coded(self, name: str) -> object:
        names, codes = np.unique(self.columns[name], return_inverse=True)
        return type("Coded", (), {"dictionary": names, "names": names, "codes": codes})

    def image(self, row: int) -> NDArray[np.uint8]:
        return np.full((3, SIDE, SIDE), 20 * row, np.uint8)


def sheet(augmentation: Augmentation, columns: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    made = augmented_sheet(Toy(), augmentation, "toy", columns, seed)  # type: ignore[arg-type]
    return np.asarray(Image.open(io.BytesIO(made)).convert("RGB"))


def test_images_are_varied_one_by_one_and_then_as_a_batch():
    crops = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in (10, 20)]
    joined = JoinedAugmentation({"turned": Turned(), "darker": Darker()})
    images, labels = varied(joined, crops, [1, 0], seed=3)
    assert labels == [0, 1]
    torch.manual_seed(3)
    added = torch.rand(1).item() / 4
    for draw, image in enumerate(images):
        grey = draw_generator(3, draw).integers(100, 200)
        assert (image == round((grey / 255 / 2 + added) * 255)).all()


def test_torchs_own_numbers_go_on_as_before():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    varied(Darker(), [np.zeros((SIDE, SIDE, 3), np.uint8)], [1], seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_kind_has_a_row_with_the_crop_first():
    drawn = sheet(Darker(), columns=4)
    left = drawn.shape[1] - MARGIN - 4 * (TILE + GAP)
    first = drawn[:, left : left + TILE].reshape(-1, TILE, 3)
    assert drawn.shape[0] > 2 * (TILE + GAP)
    assert (first == 0).all((1, 2)).sum() == TILE, "the first bona fide presentation is not shown as it is"
    assert (first == 60).all((1, 2)).sum() == TILE


def test_the_same_seed_gives_the_same_sheet():
    assert (sheet(Darker()) == sheet(Darker())).all()
    assert (sheet(Darker()) != sheet(Darker(), seed=1)).any()


def test_an_image_with_another_label_has_a_frame_in_its_colour():
    def count(drawn: NDArray[np.uint8], label: int) -> int:
        colour = [int(COLOURS[label][place : place + 2], 16) for place in (1, 3, 5)]
        tiles = drawn[:, drawn.shape[1] - MARGIN - 2 * (TILE + GAP) :]
        return int((np.abs(tiles.astype(int) - colour).sum(-1) < 40).sum())

    turned, plain = sheet(Turned()), sheet(Darker())
    for label in (0, 1):
        assert count(plain, label) == 0
        assert count(turned, label) > 2 * TILE


def test_one_column_still_shows_a_draw():
    assert sheet(Darker(), columns=1).shape == sheet(Darker(), columns=2).shape
