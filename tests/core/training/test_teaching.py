"""What a constant explains of distillation: nearly all of raw features, little of standardised ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from padkit.networks.detector import Detector
from padkit.roles import Features, Student, StudentFeatures, Teacher
from padkit.training import teaching
from padkit.training.distillation import FrozenTeachers, TeacherOptions, explained_by_constant
from padkit.training.objective import Objective
from padkit.training.teaching import explained, fit_statistics, fit_teachers, teaching_figures

torch.set_num_threads(1)

SIZE, N_DOMAINS = 8, 2


class Small(Student):
    channels, strides, embedding_dim = (6,), (2,), 6

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 12, 2, stride=2), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 6, 1))

    def forward(self, images):
        maps = self.layers(images)
        return StudentFeatures((maps,), maps.mean((2, 3)))


class MostlyConstant(Teacher):
    """A map that is the same for every image, ten times as strong as what depends on the image."""

    def __init__(self, depends: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.register_buffer("face", 10 * torch.randn(5, 4, 4, generator=generator))
        self.register_buffer("kernel", torch.randn(5, 3, 2, 2, generator=generator))
        self.depends = depends

    def extract(self, inputs):
        return Features((self.face + self.depends * nn.functional.conv2d(inputs, self.kernel, stride=2),), None)


def images(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def build(teacher: Teacher | None = None, **options: Any) -> Objective:
    torch.manual_seed(0)
    teachers = FrozenTeachers({"fr": teacher or MostlyConstant()})
    return Objective(Detector(Small()), None, teachers, {"fr": TeacherOptions(**options)}, SIZE)


def share(objective: Objective, steps: int = 150) -> float:
    """Train on the teacher alone and return what a constant explains of the fall on other images."""
    held_out = images(64, seed=1).split(32)
    start = explained(objective, held_out)["fr"].loss
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    for step in range(steps):
        optimizer.zero_grad()
        batch = images(24, seed=10 + step)
        losses = objective(batch, torch.arange(24) % 2, torch.zeros(24, dtype=torch.long), 0.0)
        losses["fr"].backward()
        optimizer.step()
    after = explained(objective, held_out)["fr"]
    assert after.loss < start
    return explained_by_constant(start, after)


def test_a_constant_explains_nearly_all_of_raw_features_and_little_of_standardised_ones():
    raw, standardised = build(), build()
    fit_statistics(standardised, images(256, seed=0).split(64))
    assert share(raw) > 0.9, "the figure does not see that a constant was learnt"
    assert share(standardised) < 0.1
    assert explained(standardised, [images(64, seed=1)])["fr"].loss < 0.5, "the image itself was not learnt"


def test_statistics_are_of_the_images_given_whatever_the_batches():
    seen = images(100, seed=0)
    first, second = build(), build()
    fit_statistics(first, seen.split(100))
    fit_statistics(second, seen.split(17))
    for name, value in first.distillers.state_dict().items():
        torch.testing.assert_close(value, second.distillers.state_dict()[name], equal_nan=True)
    given = MostlyConstant()(seen).maps[0]
    standard = first.distiller("fr").standards[0]
    torch.testing.assert_close(standard.mean, given.mean(0))
    spread = (given - given.mean(0)).square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(standard.spread.flatten(), spread)


def test_figures_touch_neither_modes_nor_state():
    objective = build()
    fit_statistics(objective, [images(32, seed=0)])
    objective.train()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    explained(objective, [images(8, seed=1)])
    assert all(module.training for module in objective.modules())
    after = objective.state_dict()
    assert before
    assert all(torch.equal(value, after[name]) or value.isnan().all() for name, value in before.items())


class Rows:
    """Frames of noise, labels and domains in turn."""

    def __init__(self, rows) -> None:
        self.rows = np.asarray(rows)
        self.labels, self.domains = self.rows % 2, self.rows // 2 % N_DOMAINS

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(int(self.rows[place]))
        return {"image": torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)}


def experiment(seed: int = 0) -> Any:
    protocol = SimpleNamespace(train=np.arange(400), dev=np.arange(1000, 1150))
    accelerator = SimpleNamespace(device=torch.device("cpu"))
    return SimpleNamespace(protocol=protocol, accelerator=accelerator, frames=Rows, batch_size=24, seed=seed)


def test_a_run_fits_alike_every_time_and_notes_where_it_began():
    states = []
    for _ in range(2):
        objective = build(use="maps")
        fit_teachers(experiment(), objective)
        states.append(objective.distillers.state_dict())
    assert len(states[0]) > 2
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    distiller = objective.distiller("fr")
    assert distiller.start.item() == pytest.approx(1, abs=0.1)
    assert not torch.equal(distiller.standards[0].mean, torch.zeros_like(distiller.standards[0].mean))
    figures = teaching_figures(experiment(), objective)
    assert figures["distillation/fr/start"] == distiller.start.item()
    assert figures["distillation/fr/loss"] == pytest.approx(distiller.start.item(), abs=1e-5)
    assert figures["distillation/fr/constant"] == pytest.approx(1, abs=0.1)
    distiller.start.fill_(0.9)
    figures = teaching_figures(experiment(), objective)
    assert "distillation/fr/explained_by_constant" not in figures, "nothing has fallen"
    distiller.start.fill_(2.0)
    assert teaching_figures(experiment(), objective)["distillation/fr/explained_by_constant"] == 1


def test_without_teachers_nothing_is_read():
    objective = Objective(Detector(Small()), None, FrozenTeachers({}), {}, SIZE)
    unread: Any = None
    fit_teachers(unread, objective)
    assert teaching_figures(unread, objective) == {}


def test_a_resumed_run_calibrates_random_teachers_again_and_keeps_its_statistics(monkeypatch):
    """Teachers are in no checkpoint, what their features are standardised by is."""
    seen: list[int] = []
    objective = build()
    objective.teachers.random = ["fr"]
    monkeypatch.setattr(objective.teachers, "calibrate", lambda batches: seen.append(len(batches)))
    monkeypatch.setattr(teaching, "training_images", lambda experiment: iter([images(8, seed=0)]))
    before = {name: value.clone() for name, value in objective.distillers.state_dict().items()}
    fit_teachers(SimpleNamespace(), objective, resumed=True)
    assert seen == [1]
    for name, value in objective.distillers.state_dict().items():
        torch.testing.assert_close(value, before[name], equal_nan=True)
