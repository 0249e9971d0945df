"""padkit_noise: random perturbations, the control of the domain adversarial attack."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `noise`."""
    summary = (
        "Random perturbations of the size and share of DAA's: the control that tells whether its direction matters."
    )
    return [AlignerSpec(name="noise", summary=summary, factory="padkit_noise.aligner:RandomNoise")]
