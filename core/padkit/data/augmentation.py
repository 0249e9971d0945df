"""The role of an augmentation plugin: vary one training image, and its label if need be. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

# First word of every random key, so that no other use of the run's seed draws the same numbers.
AUGMENTATION_STREAM = 404


class Augmentation(ABC):
    """Varies training images one by one as they are loaded; development and test images are never varied.

    `__init__(self, *, <settings>)`. Instances must be picklable, for loader processes, and must keep no state: a call
    depends on its arguments alone, so that a resumed run sees what an uninterrupted one would.
    """

    @abstractmethod
    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return the image and the label to train on.

        Args:
            image: uint8 RGB [H, W, 3]; must not be written to.
            label: 1 = bona fide, 0 = attack.
            rng: The only source of randomness, a fresh one for every draw of every image.

        Returns:
            uint8 RGB [H, W, 3] of the same size, and its label.
        """


def draw_generator(seed: int, draw: int) -> np.random.Generator:
    """Return the generator of draw number `draw` of the run with `seed`."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([AUGMENTATION_STREAM, seed, draw])))
