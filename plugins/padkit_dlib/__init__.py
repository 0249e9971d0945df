"""dlib's face recognition network as a teacher, read from its own file without dlib."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import TeacherSpec


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Return the teacher `dlib`."""
    return [
        TeacherSpec(
            name="dlib",
            summary="face recognition network of dlib (ResNet-29), trained on about 3 million photographs; weights CC0",
            factory="padkit_dlib.teacher:DlibTeacher",
            licence="weights: CC0 1.0 (https://github.com/davisking/dlib-models). Of the package that brings them only "
            "this one file is opened; its 68-point predictor, whose licence excludes commercial use, is never touched",
            extra="padkit[dlib]",
        )
    ]
