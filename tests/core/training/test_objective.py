"""The objective: exactly the losses of the chosen parts, one attacked batch for all, a sequence that stays as it is."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from padkit.data.batches import BalancedBatches
from padkit.errors import PluginError, SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Aligner, Features, Student, Teacher
from padkit.training.distillation import FrozenTeachers, TeacherOptions
from padkit.training.objective import Objective
from padkit.training.teaching import fit_statistics
from padkit_daa.aligner import DomainAdversarialAttack
from padkit_dat.aligner import DomainAdversarialTraining

torch.set_num_threads(1)

SIZE, N_DOMAINS, DIM = 16, 3, 6


class TwoLayers(Student):
    """No BatchNorm, so that a batch's gradient is the mean of its parts'."""

    channels, strides, embedding_dim = (4, DIM), (2, 4), DIM

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, DIM, 3, stride=2, padding=1)
        self.seen: list[torch.Tensor] = []

    def forward(self, images):
        self.seen.append(images)
        shallow = self.first(images).relu()
        deep = self.second(shallow).relu()
        return Features((shallow, deep), deep.mean((2, 3)))


class Patches(Teacher):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 4, stride=4), nn.BatchNorm2d(width), nn.Dropout(0.5))
        self.seen: list[torch.Tensor] = []

    def forward(self, images):
        self.seen.append(images)
        return super().forward(images)

    def extract(self, inputs):
        maps = self.layers(inputs)
        return Features((maps,), maps.mean((2, 3)))


TEACHERS = {"none": (), "one": ("fr",), "two": ("fr", "fe")}
ALIGNERS = {
    "none": lambda: None,
    "daa": lambda: DomainAdversarialAttack(N_DOMAINS, DIM, epsilon=8 / 255, attacked_share=1.0, width=4),
    "dat": lambda: DomainAdversarialTraining(N_DOMAINS, DIM, weight=0.3, hidden=8, dropout=0.0),
}


def build(aligner: Aligner | str | None = None, names: tuple[str, ...] = ("fr", "fe"), seed: int = 0) -> Objective:
    torch.manual_seed(seed)
    teachers = FrozenTeachers({name: Patches(width) for name, width in zip(names, (DIM, 5), strict=False)})
    detector = Detector(TwoLayers())
    aligner = ALIGNERS[aligner]() if isinstance(aligner, str) else aligner
    weights = (0.5, 2.0)
    options = {name: TeacherOptions(loss_weight=w) for name, w in zip(names, weights, strict=False)}
    return Objective(detector, aligner, teachers, options, SIZE)


def data(n: int = 12, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels, domains = torch.arange(n) % 2, torch.arange(n) // 2 % N_DOMAINS
    images = torch.rand(n, 3, SIZE, SIZE, generator=generator) * 0.6
    images = images + 0.2 * labels.view(-1, 1, 1, 1) * torch.linspace(0, 1, SIZE) + 0.05 * domains.view(-1, 1, 1, 1)
    return images, labels, domains


def frozen(objective: Objective) -> dict[str, Teacher]:
    return objective.teachers._teachers


@pytest.mark.parametrize("aligner", ["none", "daa", "dat"])
@pytest.mark.parametrize("teachers", ["none", "one", "two"])
def test_losses_are_exactly_those_of_the_chosen_parts(aligner, teachers):
    objective = build(aligner, TEACHERS[teachers])
    losses = objective(*data(), 0.5)
    assert list(losses) == ["live", *TEACHERS[teachers], *([] if aligner == "none" else ["domain"])]
    assert all(loss.shape == () and loss.isfinite() and loss.item() > 0 for loss in losses.values())
    weights = {"live": 1.0, "fr": 0.5, "fe": 2.0, "domain": 0.3 if aligner == "dat" else 1.0}
    expected = sum(weights[name] * loss for name, loss in losses.items())
    torch.testing.assert_close(objective.total(losses), expected)
    objective.total(losses).backward()
    missing = [name for name, p in objective.named_parameters() if p.grad is None]
    assert missing == [], "distributed training needs a gradient in every parameter"


class Brighter(Aligner):
    """Moves every image by a known amount and keeps what it was given."""

    def __init__(self, name: str = "own") -> None:
        super().__init__(N_DOMAINS, DIM)
        self.name = name

    def perturb(self, batch):
        self.perturbed = (batch.images + 0.1).clamp(0, 1)
        return self.perturbed

    def losses(self, batch, features, progress):
        self.given = batch, features, progress
        return {self.name: features.embedding.sum() * 0 + 3.0}

    def weights(self):
        return {self.name: 0.5}


def test_student_and_teachers_see_the_same_perturbed_images_and_the_aligner_the_clean_batch():
    objective = build(Brighter())
    images, labels, domains = data()
    student, teachers = objective.detector.student, frozen(objective)
    for module in (student, *teachers.values()):
        module.seen.clear()
    losses = objective(images, labels, domains, 0.25)
    assert len(teachers) == 2
    for module in (student, *teachers.values()):
        assert len(module.seen) == 1
        assert module.seen[0] is objective.aligner.perturbed
    assert not torch.equal(objective.aligner.perturbed, images)
    batch, features, progress = objective.aligner.given
    assert batch.images is images
    assert batch.labels is labels
    assert batch.domains is domains
    assert progress == 0.25
    torch.testing.assert_close(features.embedding, student(objective.aligner.perturbed).embedding)
    expected = losses["live"] + 0.5 * losses["fr"] + 2.0 * losses["fe"] + 0.5 * 3.0
    torch.testing.assert_close(objective.total(losses), expected)


class Nosy(Aligner):
    """Keeps what it is handed and when its context is open."""

    def __init__(self) -> None:
        super().__init__(N_DOMAINS, DIM)
        self.events: list[str] = []

    def perturb(self, batch):
        self.batch = batch
        self.events.append("perturb")
        return batch.images

    @contextmanager
    def inside(self, student, batch):
        assert batch is self.batch
        self.student = student
        self.events.append("in")
        yield
        self.events.append("out")

    def losses(self, batch, features, progress):
        assert batch is self.batch
        self.events.append("losses")
        return {}


def test_the_aligner_is_inside_around_the_student_alone():
    aligner = Nosy()
    objective = build(aligner)
    objective.detector.student.register_forward_pre_hook(lambda *_: aligner.events.append("student"))
    for name, teacher in frozen(objective).items():
        teacher.register_forward_pre_hook(lambda *_, name=name: aligner.events.append(name))
    aligner.events.clear()
    objective(*data(), 0.5)
    assert aligner.events == ["perturb", "in", "student", "out", "fr", "fe", "losses"]
    assert aligner.student is objective.detector.student


def test_the_aligner_may_ask_for_the_label_loss_of_any_images():
    objective = build(Nosy()).train()
    losses = objective(*data(), 0.0)
    images, labels, _ = data(8, seed=2)
    images.requires_grad_(True)
    found = objective.aligner.batch.label_loss(images, labels)
    logits = objective.detector.classify(objective.detector.student(images))
    expected = F.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(p.grad is None for p in objective.parameters())
    assert list(losses) == ["live", "fr", "fe"]


def test_the_live_loss_is_the_cross_entropy_of_the_head():
    objective = build(None, ())
    images, labels, domains = data()
    logits = objective.detector.head(objective.detector.student(images).embedding)
    expected = -logits.log_softmax(1)[torch.arange(12), labels].mean()
    torch.testing.assert_close(objective(images, labels, domains, 0.0)["live"], expected)


@pytest.mark.parametrize("name", ["live", "fr", "total", "step"])
def test_a_loss_name_that_is_taken_is_refused(name):
    with pytest.raises(PluginError, match=f"Brighter names a loss '{name}', which is taken") as error:
        build(Brighter(name))(*data(), 0.0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["live", "total", "lr", "keys", "a.b"])
def test_a_teachers_name_that_is_taken_is_refused(name):
    with pytest.raises(SettingsError, match=f"teachers.{name}: .*choose another") as error:
        build(None, (name,))
    assert "\n" not in str(error.value)


def test_teachers_are_out_of_state_parameters_and_mode():
    objective = build("daa")
    teachers = frozen(objective)
    assert len(teachers) == 2
    kept = {id(t) for teacher in teachers.values() for t in (*teacher.parameters(), *teacher.buffers())}
    before = {name: {k: v.clone() for k, v in t.state_dict().items()} for name, t in teachers.items()}
    assert not kept & {id(t) for t in (*objective.parameters(), *objective.buffers())}
    modules = set(objective.modules())
    assert not any(module in modules for teacher in teachers.values() for module in teacher.modules())
    names = set(objective.state_dict())
    assert {name.partition(".")[0] for name in names} == {"detector", "aligner", "distillers"}
    objective.train()
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    objective.total(objective(*data(), 0.0)).backward()
    optimizer.step()
    for name, teacher in teachers.items():
        assert not any(module.training for module in teacher.modules())
        assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
        assert all(torch.equal(value, before[name][key]) for key, value in teacher.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_reading_the_shapes_leaves_the_detector_as_it_was(training):
    detector = Detector(TwoLayers()).train(training)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    Objective(detector, None, FrozenTeachers({"fr": Patches(5)}), {"fr": TeacherOptions()}, SIZE)
    assert all(module.training is training for module in detector.modules())
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert all(p.grad is None for p in detector.parameters())


def test_weights_follow_their_schedule_where_progress_is_known():
    teachers = FrozenTeachers({"fr": Patches(5), "fe": Patches(5)})
    options = {"fr": TeacherOptions(loss_weight=0.5, schedule="cosine"), "fe": TeacherOptions(loss_weight=2.0)}
    objective = Objective(Detector(TwoLayers()), None, teachers, options, SIZE)
    losses = {"live": torch.tensor(1.0), "fr": torch.tensor(10.0), "fe": torch.tensor(100.0)}
    found = [objective.total(losses, progress).item() for progress in (None, 0.0, 0.5, 1.0)]
    assert found == pytest.approx([1 + 5 + 200, 1 + 5 + 200, 1 + 2.5 + 200, 1 + 200])
    assert objective.teacher_weights == {"fr": 0.5, "fe": 2.0}
    assert objective.scheduled_weights(0.5) == {"weight/fr": pytest.approx(0.25)}
    assert build().scheduled_weights(0.5) == {}


@pytest.mark.parametrize("schedule", ["warmup", "cosine"])
def test_every_parameter_has_a_gradient_while_a_weight_is_zero(schedule):
    options = {"fr": TeacherOptions(schedule=schedule, use="both")}
    objective = Objective(Detector(TwoLayers()), None, FrozenTeachers({"fr": Patches(5)}), options, SIZE)
    for progress in (0.0, 1.0):
        objective.zero_grad(set_to_none=True)
        objective.total(objective(*data(), progress), progress).backward()
        assert [name for name, p in objective.named_parameters() if p.grad is None] == []


def sequence(aligner: str, parts: int = 1, steps: int = 5, still: bool = False) -> list[list[float]]:
    """Train on a toy set and return the losses of each step, averaged over its micro-batches.

    `still` keeps the adapters' normalisation out of training mode: in it, the statistics are those of a micro-batch.
    """
    objective = build(aligner)
    objective.distillers.train(not still)
    images, labels, domains = data(48, seed=9)
    fit_statistics(objective, images.split(20))
    batches = BalancedBatches(labels.numpy(), domains.numpy(), batch_size=24, parts=parts, seed=3)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.2, momentum=0.9)
    found: list[list[float]] = []
    torch.manual_seed(4)
    for epoch in range(steps):
        batches.set_epoch(epoch)
        micro = iter(batches)
        for _ in range(batches.steps):
            optimizer.zero_grad()
            sums: dict[str, float] = {}
            for _ in range(parts):
                rows = next(micro)
                losses = objective(images[rows], labels[rows], domains[rows], len(found) / steps)
                (objective.total(losses) / parts).backward()
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value.item() / parts
            optimizer.step()
            found.append(list(sums.values()))
            if len(found) == steps:
                return found
    raise AssertionError("the toy set gives too few steps")


# Columns: live, fr, fe and, with an aligner, domain.
PINNED = {
    "none": [
        [0.693833, 0.981831, 1.025267],
        [0.693644, 1.016932, 0.964389],
        [0.693386, 1.037866, 0.953959],
        [0.692269, 0.939602, 0.940164],
        [0.693683, 0.972747, 0.887181],
    ],
    "daa": [
        [0.693749, 1.006197, 1.065828, 1.154123],
        [0.693819, 1.029785, 0.985173, 1.054612],
        [0.693332, 1.058625, 0.957526, 0.791221],
        [0.692328, 0.960158, 0.947377, 0.756240],
        [0.694507, 0.982099, 0.888136, 0.610174],
    ],
    "dat": [
        [0.693833, 0.981831, 1.025267, 1.124202],
        [0.693644, 1.016932, 0.964389, 1.122690],
        [0.693386, 1.037871, 0.953980, 1.119934],
        [0.692295, 0.939614, 0.940451, 1.116295],
        [0.693780, 0.972852, 0.887194, 1.110512],
    ],
}


@pytest.mark.parametrize("aligner", ["none", "daa", "dat"])
def test_pinned_sequence(aligner):
    found = sequence(aligner)
    np.testing.assert_allclose(found, PINNED[aligner], rtol=1e-4)
    taught = np.array(found)[:, 1:3].sum(1)
    assert taught[-1] < taught[0] - 0.1, "nothing was learnt from the teachers"


@pytest.mark.parametrize("aligner", ["none", "dat"])
@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_gives_the_same_sequence(aligner, parts):
    np.testing.assert_allclose(sequence(aligner, parts, still=True), sequence(aligner, still=True), rtol=1e-4)
