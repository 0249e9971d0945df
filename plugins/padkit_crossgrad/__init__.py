"""padkit_crossgrad: cross-gradient training."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `crossgrad`."""
    summary = "CrossGrad: label and domain classifier learn from images moved along the gradient of each other's loss."
    return [AlignerSpec(name="crossgrad", summary=summary, factory="padkit_crossgrad.aligner:CrossGradientTraining")]
