"""padkit_daa: the domain adversarial attack."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `daa`."""
    summary = "Domain adversarial attack: perturbs the images until their domains cannot be told apart (DTDA)."
    return [AlignerSpec(name="daa", summary=summary, factory="padkit_daa.aligner:DomainAdversarialAttack")]
