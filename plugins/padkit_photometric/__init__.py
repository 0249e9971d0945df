"""padkit_photometric: strong variation of the light, the colour and the quality of training images."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AugmentationSpec


@hookimpl
def padkit_augmentations() -> list[AugmentationSpec]:
    """Offer `photometric`."""
    summary = "gamma, exposure, contrast, colour, blur, noise, resampling, JPEG and cut-out, by presets or one by one"
    factory = "padkit_photometric.augmentation:PhotometricVariation"
    return [AugmentationSpec(name="photometric", summary=summary, factory=factory)]
