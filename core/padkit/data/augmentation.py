"""The role of an augmentation plugin: it varies training images and, if necessary, their labels. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from padkit.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor

# First word of every random key, so that no other use of the run's seed draws the same numbers.
AUGMENTATION_STREAM = 404


class Augmentation:
    """Varies training images; development and test images are never varied.

    `__init__(self, *, <settings>)`. A subclass implements `__call__`, which varies one image while it is loaded, or
    `vary`, which varies a batch on its device, or both; each changes nothing by default. Instances must be picklable,
    for loader processes, and must keep no state, so that a resumed run sees what an uninterrupted one would.
    """

    def __call__(self, image: NDArray[np.uint8], label: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:  # noqa: ARG002
        """Return the image and the label to train on; a function of the arguments alone.

        Args:
            image: uint8 RGB [H, W, 3]; must not be written to.
            label: 1 = bona fide, 0 = attack.
            rng: The only source of randomness, a fresh one for every draw of every image.

        Returns:
            uint8 RGB [H, W, 3] of the same size, and its label.
        """
        return image, label

    def vary(self, images: Tensor) -> Tensor:
        """Return the batch of images to train on, after `__call__` has seen each of them.

        Random numbers come from torch's global CPU generator alone, which the recipe seeds at every step: the same seed
        then gives the same images on every device.

        Args:
            images: float32 [B, 3, H, W], RGB in [0, 1]; must not be written to.

        Returns:
            float32 [B, 3, H, W] in [0, 1], on the same device.
        """
        return images

    @property
    def varies_images(self) -> bool:
        """Whether it defines `__call__`, so that images must pass it one by one."""
        return type(self).__call__ is not Augmentation.__call__


def vary_image(
    augmentation: Augmentation, image: NDArray[np.uint8], label: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], int]:
    """Return one image and its label after `augmentation`.

    Raises:
        PluginError: The result is not an image of the same size with a label.
    """
    varied, new = augmentation(image, label, rng)
    if varied.shape != image.shape or varied.dtype != np.uint8 or new not in (0, 1):
        made = f"{varied.dtype} {list(varied.shape)} with label {new}"
        name = type(augmentation).__name__
        raise PluginError(f"augmentation {name} made {made} of uint8 {list(image.shape)}; report it to its authors.")
    return varied, int(new)


def draw_generator(seed: int, draw: int, stream: int = AUGMENTATION_STREAM) -> np.random.Generator:
    """Return the generator of draw number `draw` of the run with `seed`, for the use that `stream` numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([stream, seed, draw])))
