"""An augmentation: training images at dusk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from padkit.data.augmentation import Augmentation


class Dusk(Augmentation):
    """Darkens every image by a random factor.

    Args:
        darkest: The least factor, in [0, 1].
    """

    def __init__(self, *, darkest: float = 0.5) -> None:
        self.darkest = darkest

    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """Return the darkened image; the label stays."""
        return np.asarray(image * rng.uniform(self.darkest, 1), np.uint8), label
