"""The objective: one module that turns a batch into named losses. Only it is given to `accelerator.prepare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import PluginError, SettingsError
from padkit.networks.detector import Detector, label_loss
from padkit.roles import Aligner, Batch, Features, StudentFeatures
from padkit.training.distillation import Distiller, FrozenTeachers, TeacherOptions

LIVE = "live"
RESERVED = frozenset({LIVE, "total", "step", "epoch", "lr"})  # columns of a run's log


class Objective(nn.Module):
    """L = CE(student(x_adv), y) + sum_t lambda_t d(F_s(x_adv), F_t(x_adv)) + the aligner's own losses (DTDA).

    x_adv = aligner.perturb(x) feeds the student and the teachers alike; `aligner.inside` is open around the student
    alone. Teachers are kept out of this module's parameters, state and mode; what brings the student's features to
    theirs (`distillers`: adapters and statistics, which `padkit.training.teaching` sets before training) is in it.
    Losses are returned unweighted, under their own names: `live`, one per teacher and the aligner's.

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
        self.teachers = teachers
        self.distillers = nn.ModuleDict()
        self._options = {name: options[name] for name in teachers.names()}
        if teachers.names():
            seen = _dry_run(detector, image_size)
            given = teachers(torch.zeros(2, 3, image_size, image_size))
            for name in teachers.names():
                if name in RESERVED or "." in name or hasattr(self.distillers, name):
                    raise SettingsError(f"teachers.{name}: padkit uses the name {name!r} itself; choose another name.")
                self.distillers[name] = Distiller(seen, given[name], options[name], name, teachers.crop(name))
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
        for name, given in self.teachers(inputs).items():
            losses[name] = self.distillers[name](features, given)
        own = {} if self.aligner is None else self.aligner.losses(batch, features, progress)
        taken = sorted((losses.keys() | RESERVED) & own.keys())
        if taken:
            raise PluginError(f"aligner {type(self.aligner).__name__} names a loss {taken[0]!r}, which is taken.")
        return losses | own

    @property
    def teacher_weights(self) -> dict[str, float]:
        """The weight of each teacher's loss, without its schedule."""
        return self.weights_at(None)

    def weights_at(self, progress: float | None) -> dict[str, float]:
        """Return the weight of each teacher's loss at `progress` in [0, 1]; None leaves schedules out."""
        return {name: options.weight(progress) for name, options in self._options.items()}

    def scheduled_weights(self, progress: float) -> dict[str, float]:
        """Return the weights at `progress` that change over training, as a log names them: `weight/fr`."""
        moving = {name for name, options in self._options.items() if options.schedule != "constant"}
        return {f"weight/{name}": weight for name, weight in self.weights_at(progress).items() if name in moving}

    def total(self, losses: Mapping[str, Tensor], progress: float | None = None) -> Tensor:
        """Return the weighted sum of `losses`.

        Args:
            losses: What `forward` gave.
            progress: Share of training done, in [0, 1], for weights with a schedule; None leaves schedules out.
        """
        weights = self.weights_at(progress) | dict(self.aligner.weights() if self.aligner else {})
        return torch.stack([value * weights.get(name, 1.0) for name, value in losses.items()]).sum()

    def taught(self, images: Tensor) -> Iterator[tuple[str, Distiller, StudentFeatures, Features]]:
        """Give each teacher's name, distiller and features of `images`, beside the student's, as the modes are now."""
        seen = self.detector.student(images)
        for name, given in self.teachers(images).items():
            yield name, self.distiller(name), seen, given

    def distiller(self, name: str) -> Distiller:
        """Return the distiller of the teacher `name`."""
        found = self.distillers[name]
        assert isinstance(found, Distiller)
        return found


@torch.no_grad()
def _dry_run(detector: Detector, image_size: int) -> StudentFeatures:
    was_training = detector.training
    features: StudentFeatures = detector.eval().student(torch.zeros(2, 3, image_size, image_size))
    detector.train(was_training)
    return features
