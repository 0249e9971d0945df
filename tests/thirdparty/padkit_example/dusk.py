"""An augmentation: training images at dusk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from padkit.data.augmentation import Augmentation
from padkit.settings.ranges import Share


class Dusk(Augmentation):
    """Darkens every image by a random factor.

    Args:
        darkest: The least factor.
    """

    def __init__(self, *, darkest: Share = 0.5) -> None:
        self.darkest = darkest

    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return the darkened image; the label stays."""
        return np.asarray(image * rng.uniform(self.darkest, 1), np.uint8), label
