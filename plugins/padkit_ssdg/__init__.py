"""padkit_ssdg: single-side domain generalisation."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `ssdg`."""
    summary = "SSDG: live features made alike by an adversary, attacks of each domain kept apart by a triplet loss."
    return [AlignerSpec(name="ssdg", summary=summary, factory="padkit_ssdg.aligner:SingleSideGeneralisation")]
