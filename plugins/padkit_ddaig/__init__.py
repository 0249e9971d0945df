"""padkit_ddaig: deep domain-adversarial image generation."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `ddaig`."""
    summary = "DDAIG: a network transforms images so that their label is kept and their domain is not."
    return [AlignerSpec(name="ddaig", summary=summary, factory="padkit_ddaig.aligner:ImageGeneration")]
