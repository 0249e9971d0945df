"""The objective: one module that turns a batch into named losses. Only it is given to `accelerator.prepare`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import PluginError, SettingsError
from padkit.networks.detector import Detector, label_loss
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.training.distillation import Distiller, FrozenTeachers, TeacherOptions

LIVE = "live"
RESERVED = frozenset({LIVE, "total", "step", "epoch", "lr"})  # columns of a run's log


class Objective(nn.Module):
    """L = CE(student(x_adv), y) + sum_t lambda_t d(F_s(x_adv), F_t(x_adv)) + the aligner's own losses (DTDA).

    x_adv = aligner.perturb(x) feeds the student and the teachers alike; `aligner.inside` is open only while the student
    runs. Teachers are not part of this module's parameters, state and mode. Losses are returned unweighted, under their
    own names: `live`, one per teacher and the aligner's.

    Args:
        detector: The student with its head.
        aligner: The domain aligner, or None.
        teachers: The frozen teachers.
        options: Options of each teacher.
        image_size: Side of the training images in pixels, used once to read feature shapes.

    Raises:
        SettingsError: A teacher's name is taken, or the teacher lacks what its `use` needs.
    """

    def __init__(
        self,
        detector: Detector,
        aligner: Aligner | None,
        teachers: FrozenTeachers,
        options: Mapping[str, TeacherOptions],
        image_size: int,
    ) -> None:
        super().__init__()
        self.detector = detector
        self.aligner = aligner
        self._teachers = teachers
        self.distillers = nn.ModuleDict()
        self.teacher_weights = {name: options[name].loss_weight for name in teachers.names()}
        if teachers.names():
            seen = _dry_run(detector, image_size)
            given = teachers(torch.zeros(2, 3, image_size, image_size))
            for name in teachers.names():
                if name in RESERVED or "." in name or hasattr(self.distillers, name):
                    raise SettingsError(f"teachers.{name}: padkit uses the name {name!r} itself; choose another name.")
                self.distillers[name] = Distiller(seen, given[name], options[name].use, name)
        self.to(memory_format=torch.channels_last)  # the layout convolutions are fastest in

    def forward(self, images: Tensor, labels: Tensor, domains: Tensor, progress: float) -> dict[str, Tensor]:
        """Return the named scalar losses.

        Args:
            images: [B, 3, H, W], RGB in [0, 1].
            labels: [B] int64, 1 = bona fide, 0 = attack.
            domains: [B] int64, index of the source domain.
            progress: Share of training done, in [0, 1].

        Raises:
            PluginError: The aligner gives a loss a name that is already used.
        """
        batch = Batch(images, labels, domains, partial(label_loss, self.detector))
        inputs = images if self.aligner is None else self.aligner.perturb(batch)
        with nullcontext() if self.aligner is None else self.aligner.inside(self.detector.student, batch):
            features = self.detector.student(inputs)
        losses = {LIVE: F.cross_entropy(self.detector.classify(features).float(), labels)}
        for name, given in self._teachers(inputs).items():
            losses[name] = self.distillers[name](features, given)
        own = {} if self.aligner is None else self.aligner.losses(batch, features, progress)
        taken = sorted((losses.keys() | RESERVED) & own.keys())
        if taken:
            raise PluginError(f"aligner {type(self.aligner).__name__} names a loss {taken[0]!r}, which is taken.")
        return losses | own

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of `losses`."""
        weights = self.teacher_weights | dict(self.aligner.weights() if self.aligner else {})
        return torch.stack([value * weights.get(name, 1.0) for name, value in losses.items()]).sum()


@torch.no_grad()
def _dry_run(detector: Detector, image_size: int) -> StudentFeatures:
    was_training = detector.training
    features: StudentFeatures = detector.eval().student(torch.zeros(2, 3, image_size, image_size))
    detector.train(was_training)
    return features
