"""Face recognition teachers: iResNets of arcface_torch, insightface's model zoo, or a small network shipped here."""

from __future__ import annotations

from padkit.hookspecs import hookimpl
from padkit.specs import TeacherSpec


@hookimpl
def padkit_teachers() -> list[TeacherSpec]:
    """Return the ArcFace teachers."""
    return [
        TeacherSpec(
            name="arcface",
            summary="face recognition network (iResNet, ArcFace); default weights: trained on simulated faces",
            factory="padkit_arcface.teacher:ArcFaceTeacher",
            licence="embedded weights: Apache-2.0; arcface_torch weights: non-commercial research, see insightface",
        ),
        TeacherSpec(
            name="insightface",
            summary="face recognition network of insightface's zoo (buffalo_l, ...) or of any ArcFace ONNX file",
            factory="padkit_arcface.zoo_teacher:InsightFaceTeacher",
            licence="insightface's models: non-commercial research only, see https://github.com/deepinsight/insightface",
            extra="padkit[insightface]",
        ),
    ]
