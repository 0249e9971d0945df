"""The test suite of augmentations."""

from __future__ import annotations

import pickle
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from padkit.data.augmentation import Augmentation, draw_generator
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.testing.suite import ComponentSuite


class AugmentationSuite(ComponentSuite):
    """Inherit and give `name` (and `settings`).

    Attributes:
        image_size: Side in pixels of the images it varies.
        draws: How many images of each label it varies.
    """

    role = "augmentation"
    image_size: ClassVar[int] = 64
    draws: ClassVar[int] = 8

    def image(self) -> NDArray[np.uint8]:
        """Return a smooth image [image_size, image_size, 3] that cannot be written to."""
        slope = np.linspace(40, 220, self.image_size)
        red, green = np.meshgrid(slope, slope)
        fixed = np.stack([red, green, (red + green) / 2], -1).astype(np.uint8)
        fixed.setflags(write=False)
        return fixed

    def draw(self, augmentation: Any) -> list[tuple[NDArray[np.uint8], int]]:
        """Return the results of the first draws for each label."""
        image = self.image()
        return [
            augmentation(image, label, draw_generator(0, draw))
            for label in (BONA_FIDE, ATTACK)
            for draw in range(self.draws)
        ]

    def batch(self) -> Tensor:
        """Return different images [4, 3, image_size, image_size], float32 in [0, 1]."""
        return torch.rand(4, 3, self.image_size, self.image_size, generator=torch.Generator().manual_seed(0))

    def vary(self, augmentation: Any, seed: int = 0) -> Tensor:
        """Seed torch's generator and return the varied batch."""
        torch.manual_seed(seed)
        varied: Tensor = augmentation.vary(self.batch())
        return varied

    def test_it_varies_images_or_batches(self) -> None:
        """A misspelt method would leave all images unchanged."""
        augmentation = self.build()
        changes = augmentation.varies_images or type(augmentation).vary is not Augmentation.vary
        assert changes, "it changes nothing; implement __call__ (one image while loading) or vary (a batch)"

    def test_results_are_images_with_a_label(self) -> None:
        """uint8 RGB of the same size; 1 = bona fide, 0 = attack."""
        for image, label in self.draw(self.build()):
            assert image.dtype == np.uint8, f"the image became {image.dtype}; give uint8"
            assert image.shape == (self.image_size, self.image_size, 3), f"the image became {list(image.shape)}"
            assert label in (BONA_FIDE, ATTACK), f"the label became {label!r}; it must be 1 or 0"

    def test_it_depends_on_its_arguments_alone(self) -> None:
        """A resumed run sees what an uninterrupted one would, whichever process loads the image."""
        augmentation = self.build()
        before = pickle.dumps(np.random.get_state())  # noqa: NPY002 - to check that it is not used
        first, second, other = self.draw(augmentation), self.draw(augmentation), self.draw(self.build(seed=1))
        after = pickle.dumps(np.random.get_state())  # noqa: NPY002
        for name, found in {"called again": second, "built again": other}.items():
            same = all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(first, found, strict=True))
            assert same, f"{name} it gives something else; draw from `rng` alone and keep no state"
        assert before == after, "it draws from numpy's global numbers; draw from `rng` alone"

    def test_it_survives_pickling(self) -> None:
        """Loader processes get it that way."""
        augmentation = self.build()
        try:
            copied = pickle.loads(pickle.dumps(augmentation))  # noqa: S301 - our own bytes
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            pytest.fail(f"the augmentation cannot be pickled: {error}; keep no open files, locks or lambdas in it")
        pairs = zip(self.draw(augmentation), self.draw(copied), strict=True)
        assert all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in pairs), "unpickled it gives something else"

    def test_a_batch_stays_a_batch_of_images(self) -> None:
        """float32 in [0, 1] of the same size."""
        images = self.batch()
        varied = self.build().vary(images)
        assert torch.equal(images, self.batch()), "vary writes into the images; work on a copy"
        assert varied.shape == images.shape, f"a batch {list(images.shape)} became {list(varied.shape)}"
        assert varied.dtype == torch.float32, f"a batch became {varied.dtype}; give float32"
        low, high = float(varied.min()), float(varied.max())
        assert 0 <= low <= high <= 1, f"a varied batch reaches from {low:.3g} to {high:.3g}; clamp it to [0, 1]"

    def test_a_batch_depends_on_torchs_generator_alone(self) -> None:
        """The recipe seeds it at every step, so that a resumed run sees what an uninterrupted one would."""
        augmentation = self.build()
        first, second, other = self.vary(augmentation), self.vary(augmentation), self.vary(self.build(seed=1))
        for name, found in {"called again": second, "built again": other}.items():
            same = torch.equal(first, found)
            assert same, f"{name} vary gives something else; draw from torch's generator alone and keep no state"
