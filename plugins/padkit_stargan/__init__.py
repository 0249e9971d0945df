"""StarGAN face attribute editing as a teacher: discriminator trunk or generator encoder."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import TeacherSpec


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Return the StarGAN teacher."""
    return [
        TeacherSpec(
            name="stargan",
            summary="face attribute editing network (StarGAN); default weights: trained on simulated faces",
            factory="padkit_stargan.teacher:StarGANTeacher",
            licence="embedded weights: Apache-2.0; published StarGAN weights: MIT, trained on CelebA (non-commercial)",
        )
    ]
