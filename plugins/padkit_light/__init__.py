"""padkit_light: light variation of training images."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AugmentationSpec


@hookimpl
def padkit_augmentations() -> list[AugmentationSpec]:
    """Offer `light`."""
    summary = "mirror, shift, zoom and light, changed a little; most images keep their texture"
    return [AugmentationSpec(name="light", summary=summary, factory="padkit_light.augmentation:LightVariation")]
