"""padkit_crossgrad: cross-gradient training."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `crossgrad`."""
    summary = "CrossGrad: moves images along the gradient of the domain loss, the domain classifier's along the label's."
    return [AlignerSpec(name="crossgrad", summary=summary, factory="padkit_crossgrad.training:CrossGradientTraining")]
