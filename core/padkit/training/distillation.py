"""Feature distillation from frozen teachers: stage-wise on maps, by angle on embeddings (DTDA; FRT-PAD, ECCV 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import SettingsError
from padkit.roles import Features, StudentFeatures, Teacher


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """How one teacher is used.

    Args:
        loss_weight: Weight of this teacher's distillation loss in the sum.
        use: Which of its features to imitate; `both` uses whatever the teacher has.
    """

    loss_weight: float = 0.3
    use: Literal["both", "maps", "embedding"] = "both"


class FrozenTeachers:
    """Teachers by name, not part of any module's state: they are never trained, saved or synchronised."""

    def __init__(self, teachers: Mapping[str, Teacher]) -> None:
        self._teachers = {name: teacher.requires_grad_(False).eval() for name, teacher in teachers.items()}

    def names(self) -> list[str]:
        """Return the teachers' names."""
        return list(self._teachers)

    def to(self, device: torch.device) -> Self:
        """Move all teachers to `device`."""
        for teacher in self._teachers.values():
            teacher.to(device).to(memory_format=torch.channels_last)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[str, Features]:
        """Return each teacher's features of `images` [B, 3, H, W] in [0, 1], without gradient, in evaluation mode."""
        return {name: teacher.eval()(images) for name, teacher in self._teachers.items()}


class Distiller(nn.Module):
    """d(F_student, F_teacher) for one teacher.

    Maps are paired from the deepest backwards. If the channels of a pair differ, the student's map gets a 1x1
    projection; if the sizes differ, the teacher's map is resized; equal shapes are compared directly. A pair's distance
    is the squared L2 distance of channel vectors normalised to length 1, averaged over positions, in [0, 4]; that of
    embeddings is 1 - cosine, in [0, 2]. The result is the mean over map pairs plus the embedding term.

    Args:
        student: Features of the student for any one batch, to read shapes from.
        teacher: Features of the teacher for the same batch.
        use: Which features to compare.
        name: Name of the teacher, for errors.

    Raises:
        SettingsError: The teacher lacks what `use` asks for.
    """

    def __init__(self, student: StudentFeatures, teacher: Features, use: str = "both", name: str = "teacher") -> None:
        super().__init__()
        self.use = use
        self.n_pairs = min(len(student.maps), len(teacher.maps)) if use != "embedding" else 0
        goal = self._goal(teacher)
        if self.n_pairs == 0 and goal is None:
            raise SettingsError(
                f"teachers.{name}: it gives no {use if use != 'both' else 'features'}; choose another `use`."
            )
        pairs = self._pairs(student, teacher)
        self.projections = nn.ModuleList(_projection(s.shape[1], t.shape[1]) for s, t in pairs)
        self.project_embedding: nn.Module = nn.Identity()
        if goal is not None and goal.shape[1] != student.embedding.shape[1]:
            self.project_embedding = nn.Linear(student.embedding.shape[1], goal.shape[1], bias=False)

    def _goal(self, teacher: Features) -> Tensor | None:
        """Return the teacher's embedding if there is one and `use` includes it."""
        return None if self.use == "maps" else teacher.embedding

    def _pairs(self, student: StudentFeatures, teacher: Features) -> list[tuple[Tensor, Tensor]]:
        if self.n_pairs == 0:
            return []
        return list(zip(student.maps[-self.n_pairs :], teacher.maps[-self.n_pairs :], strict=True))

    def forward(self, student: StudentFeatures, teacher: Features) -> Tensor:
        """Return the scalar distance, float32."""
        pairs = zip(self.projections, self._pairs(student, teacher), strict=True)
        distances = [map_distance(projection(seen), given) for projection, (seen, given) in pairs]
        terms = [torch.stack(distances).mean()] if distances else []
        goal = self._goal(teacher)
        if goal is not None:
            seen = self.project_embedding(student.embedding).float()
            terms.append(1 - F.cosine_similarity(seen, goal.float(), dim=1).mean())
        return torch.stack(terms).sum()


def map_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared distance, in [0, 4], of unit channel vectors of two maps [B, C, h, w], [B, C, h', w']."""
    size = (student.shape[-2], student.shape[-1])
    if teacher.shape[-2:] != size:
        larger = teacher.shape[-1] > size[1]
        teacher = (
            F.adaptive_avg_pool2d(teacher, size)
            if larger
            else F.interpolate(teacher, size, mode="bilinear", align_corners=False)
        )
    difference = F.normalize(student.float(), dim=1) - F.normalize(teacher.float(), dim=1)
    return difference.square().sum(dim=1).mean()


def _projection(channels: int, wanted: int) -> nn.Module:
    return nn.Identity() if channels == wanted else nn.Conv2d(channels, wanted, kernel_size=1, bias=False)
