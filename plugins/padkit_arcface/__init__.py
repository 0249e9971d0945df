"""ArcFace face recognition as a teacher: iResNets of arcface_torch, or a small one that ships with padkit."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import TeacherSpec


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Return the ArcFace teacher."""
    return [
        TeacherSpec(
            name="arcface",
            summary="face recognition network (iResNet, ArcFace); default weights: trained on simulated faces",
            factory="padkit_arcface.teacher:ArcFaceTeacher",
            licence="embedded weights: Apache-2.0; arcface_torch weights: non-commercial research, see insightface",
        )
    ]
