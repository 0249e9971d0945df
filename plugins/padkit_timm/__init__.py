"""padkit_timm: students from timm."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import StudentSpec


@hookimpl
def padkit_students() -> list[StudentSpec]:
    """Offer `timm`."""
    return [
        StudentSpec(
            name="timm",
            summary="Any timm model with feature maps (ResNet-18 by default); ViTs by their token grid.",
            factory="padkit_timm.student:TimmStudent",
            licence="ImageNet weights are downloaded by timm on request; each has its own licence on its hub page.",
        )
    ]
