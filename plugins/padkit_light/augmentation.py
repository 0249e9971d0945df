"""The light variation as an augmentation; its torch code is imported with the first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from padkit.data.augmentation import Augmentation

if TYPE_CHECKING:
    from torch import Tensor


class LightVariation(Augmentation):
    """Mirrors and shifts training images, zooms in a little, changes brightness, contrast and saturation lightly.

    Three of four images are only mirrored and shifted by whole pixels: resampling blurs the print and screen texture
    that tells an attack, so the network must mostly see it untouched. Labels stay.
    """

    def vary(self, images: Tensor) -> Tensor:
        """Return the varied batch, float [B, 3, H, W] in [0, 1]."""
        from padkit_light.variation import vary_lightly

        return vary_lightly(images)
