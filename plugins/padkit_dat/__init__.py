"""padkit_dat: domain adversarial training."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `dat`."""
    summary = "Domain adversarial training: a gradient reversal layer before a domain discriminator."
    return [AlignerSpec(name="dat", summary=summary, factory="padkit_dat.aligner:DomainAdversarialTraining")]
