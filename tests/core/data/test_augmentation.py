"""Augmentations: nothing by default, checked results, several joined into one, and no torch for the role."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from padkit.catalog import Catalog
from padkit.data.augmentation import Augmentation, draw_generator, vary_image
from padkit.data.joined_augmentation import JoinedAugmentation, joined
from padkit.errors import PluginError

torch.set_num_threads(1)
IMAGE = np.full((4, 4, 3), 100, np.uint8)


class Add(Augmentation):
    """Adds a number to every pixel, and a hundredth of it to every batch."""

    def __init__(self, *, number: int = 1) -> None:
        self.number = number

    def __call__(self, image, label, rng):
        return image + np.uint8(self.number), 1 - label

    def vary(self, images):
        return images + self.number / 100


class Double(Augmentation):
    def __call__(self, image, label, rng):
        return image * np.uint8(2), label

    def vary(self, images):
        return images * 2


class Odd(Augmentation):
    def __call__(self, image, label, rng):
        return image[1:], label


def test_by_default_nothing_changes():
    rng, images = draw_generator(0, 0), torch.rand(2, 3, 4, 4)
    image, label = Augmentation()(IMAGE, 1, rng)
    assert image is IMAGE
    assert label == 1
    assert Augmentation().vary(images) is images
    assert not Augmentation().varies_images
    assert rng.random() == draw_generator(0, 0).random(), "nothing was drawn"


@pytest.mark.parametrize(("order", "value", "batch"), [("add double", 202, 0.22), ("double add", 201, 0.21)])
def test_members_vary_one_after_the_other_each_with_its_own_settings(order, value, batch):
    known = {"add": Add, "double": Double}
    both = joined({name: known[name] for name in order.split()})(add={"number": 1})
    image, label = both(IMAGE, 1, draw_generator(0, 0))
    assert np.array_equal(image, np.full_like(IMAGE, value))
    assert label == 0
    torch.testing.assert_close(both.vary(torch.full((1, 3, 2, 2), 0.1)), torch.full((1, 3, 2, 2), batch))
    assert both.varies_images
    assert joined({"add": Add})(add={"number": 3}).members["add"].number == 3


def test_members_draw_from_one_generator_in_turn():
    class Draws(Augmentation):
        def __call__(self, image, label, rng):
            return np.full_like(image, rng.integers(256)), label

    both = JoinedAugmentation({"first": Draws(), "second": Draws()})
    image, _ = both(IMAGE, 1, draw_generator(0, 5))
    assert image[0, 0, 0] == draw_generator(0, 5).integers(256, size=2)[1]


def test_the_member_that_breaks_its_promise_is_named():
    with pytest.raises(PluginError, match=r"augmentation Odd made uint8 \[3, 4, 3\] with label 1 of uint8 \[4, 4, 3\]"):
        JoinedAugmentation({"add": Augmentation(), "odd": Odd()})(IMAGE, 1, draw_generator(0, 0))
    with pytest.raises(PluginError, match="augmentation Odd made"):
        vary_image(Odd(), IMAGE, 0, draw_generator(0, 0))


def test_a_member_that_is_no_augmentation_is_named():
    with pytest.raises(PluginError, match="augmentation 'mine' is a Linear, which is no padkit"):
        joined({"mine": torch.nn.Linear})(mine={"in_features": 1, "out_features": 1})


def test_a_recipe_joins_them_by_name():
    built = Catalog().build("augmentation", "recapture+light", {"recapture": {"share": 0.5}})
    assert isinstance(built, JoinedAugmentation)
    assert list(built.members) == ["recapture", "light"]
    assert built.members["recapture"].share == 0.5


def test_the_role_needs_no_torch():
    code = "import sys, padkit.data.augmentation, padkit_light.augmentation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
