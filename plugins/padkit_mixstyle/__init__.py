"""padkit_mixstyle: mixed feature statistics."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import AlignerSpec


@hookimpl
def padkit_aligners() -> list[AlignerSpec]:
    """Offer `mixstyle`."""
    summary = "MixStyle: mixes the channel statistics of the student's early maps between images, in training only."
    return [AlignerSpec(name="mixstyle", summary=summary, factory="padkit_mixstyle.aligner:MixStyle")]
