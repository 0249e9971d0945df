"""Jitter: training crops are cut a little larger, smaller and beside their place, from the room stored around them.

Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.augmentation import draw_generator
from padkit.data.preparation.squares import Square, cut

JITTER_STREAM = 405


@dataclass(frozen=True, slots=True, kw_only=True)
class Jitter:
    """How far a training crop may lie from its place.

    Attributes:
        scale: The side is multiplied by a number drawn evenly from 1 - scale to 1 + scale.
        shift: The centre is moved, across and down, by shares of the side drawn evenly from -shift to shift.
    """

    scale: float
    shift: float

    @property
    def room(self) -> float:
        """The room that the farthest crop needs, as a share of the side on each side."""
        return self.scale / 2 + self.shift

    def cut(self, surroundings: NDArray[np.uint8], size: int, seed: int, draw: int) -> NDArray[np.uint8]:
        """Return a crop, uint8 RGB [size, size, 3]; a function of the arguments alone.

        Args:
            surroundings: uint8 RGB [W, W, 3], with the crop of `size` pixels in the middle.
            size: Side of crops in pixels.
            seed: The run's seed.
            draw: Number of the drawing, over the whole training.
        """
        side, across, down = draw_generator(seed, draw, JITTER_STREAM).uniform(-1, 1, 3).tolist()
        middle = surroundings.shape[0] / 2
        square = Square(
            middle + across * self.shift * size, middle + down * self.shift * size, size * (1 + side * self.scale)
        )
        return cut(Image.fromarray(surroundings), square, size)
