"""padkit_clip: CLIP and similar models (open_clip) as teacher and as student."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import StudentSpec, TeacherSpec

_LICENCE = "open_clip downloads weights on request only; each set has its own licence, see its page on the hub."
_EXTRA = "padkit[clip]"


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Offer `clip`."""
    return [
        TeacherSpec(
            name="clip",
            summary="Image tower of any open_clip model (CLIP, SigLIP, ...): embedding and token maps.",
            factory="padkit_clip.teacher:ClipTeacher",
            licence=_LICENCE,
            extra=_EXTRA,
        )
    ]


@hookimpl
def padkit_students() -> list[StudentSpec]:
    """Offer `clip`."""
    return [
        StudentSpec(
            name="clip",
            summary="Image tower of any open_clip model, tuned fully, by LoRA or not at all; a linear or a text head.",
            factory="padkit_clip.student:ClipStudent",
            licence=_LICENCE,
            extra=_EXTRA,
        )
    ]
