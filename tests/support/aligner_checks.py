"""What every aligner must keep, as tests to inherit: `class TestMine(AlignerChecks)`, with a toy to train on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from padkit.detector import Detector
from padkit.roles import Aligner, Batch, Features, Student
from padkit.training.average import averaged
from padkit.training.distillation import FrozenTeachers
from padkit.training.objective import Objective

torch.set_num_threads(1)

SIZE, N_DOMAINS, DIM = 16, 3, 6


class ToyStudent(Student):
    """Two stages, each a module, with what a real backbone has: BatchNorm, ReLU in place, dropout."""

    channels, strides, embedding_dim = (4, DIM), (2, 4), DIM

    def __init__(self) -> None:
        super().__init__()
        self.first = stage(3, 4)
        self.second = stage(4, DIM)
        self.drop = nn.Dropout(0.1)

    def forward(self, images):
        shallow = self.first(images - 0.5)
        deep = self.second(shallow)
        return Features((shallow, deep), self.drop(deep.mean((2, 3))))


def stage(channels: int, width: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def toy_data(n: int = 24, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise; a slope along the columns tells bona fide, the brightness of a channel the domain."""
    generator = torch.Generator().manual_seed(seed)
    labels, domains = torch.arange(n) % 2, torch.arange(n) // 2 % N_DOMAINS
    images = torch.rand(n, 3, SIZE, SIZE, generator=generator) * 0.6
    images = images + 0.2 * labels.view(-1, 1, 1, 1) * torch.linspace(0, 1, SIZE)
    images[torch.arange(n), domains] += 0.15
    return images.clamp(0, 1), labels, domains


def build(aligner: Aligner, seed: int = 0) -> Objective:
    torch.manual_seed(seed)
    return Objective(Detector(ToyStudent()), aligner, FrozenTeachers({}), {}, SIZE)


def batch_of(objective: Objective, images, labels, domains) -> Batch:
    """The batch as the objective hands it to the aligner."""
    caught: list[Batch] = []

    class Catch(Aligner):
        def perturb(self, batch):
            caught.append(batch)
            return batch.images

    kept, objective.aligner = objective.aligner, Catch(N_DOMAINS, DIM)
    modes = {module: module.training for module in objective.modules()}
    objective.eval()
    with torch.no_grad():
        objective(images, labels, domains, 0.0)
    for module, training in modes.items():
        module.training = training
    objective.aligner = kept
    return caught[0]


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def hooks(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


@contextmanager
def one_process_group(folder) -> Iterator[None]:
    store = torch.distributed.FileStore(str(folder / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


class AlignerChecks:
    """Inherit and give `make`, `losses`, `reaches_student` and `pinned`."""

    losses: tuple[str, ...]
    reaches_student: bool  # whether its own losses teach the student
    pinned: tuple[tuple[float, ...], ...]  # rows: steps; columns: live and the losses above

    def make(self, **settings) -> Aligner:
        raise NotImplementedError

    def train(self, steps: int = 4, seed: int = 0) -> tuple[Objective, list[list[float]]]:
        objective = build(self.make(), seed)
        data = toy_data()
        optimizer = torch.optim.SGD(objective.parameters(), lr=0.05, momentum=0.9)
        found = []
        for step in range(steps):
            torch.manual_seed(100 * seed + step)
            losses = objective(*data, step / steps)
            optimizer.zero_grad()
            objective.total(losses).backward()
            optimizer.step()
            found.append([value.item() for value in losses.values()])
        return objective, found

    def test_its_losses_have_names(self):
        objective = build(self.make())
        losses = objective(*toy_data(), 0.5)
        assert tuple(losses) == ("live", *self.losses)
        assert objective.aligner.weights().keys() <= set(self.losses)
        assert all(loss.shape == () and loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())

    def test_pinned_losses(self):
        found = self.train()[1]
        np.testing.assert_allclose(found, self.pinned, rtol=2e-4, atol=1e-6)

    def test_the_seed_decides(self):
        assert self.train()[1] == self.train()[1]
        assert self.train()[1] != self.train(seed=1)[1]

    @pytest.mark.parametrize("kind", ["usual", "live", "attack", "one domain", "one image a domain"])
    def test_every_parameter_gets_a_gradient_in_every_batch(self, kind):
        """As distributed training needs it: there an unused parameter stops the run."""
        objective = build(self.make())
        images, labels, domains = toy_data()
        rows = {
            "usual": torch.arange(24),
            "live": labels == 1,
            "attack": labels == 0,
            "one domain": domains == 1,
            "one image a domain": torch.tensor([0, 2, 5]),
        }[kind]
        for progress in (0.0, 1.0):
            objective.zero_grad()
            losses = objective(images[rows], labels[rows], domains[rows], progress)
            objective.total(losses).backward()
            assert [name for name, p in objective.named_parameters() if p.grad is None] == []
            assert all(p.grad.isfinite().all() for p in objective.parameters())

    def test_distributed_and_accumulated(self, tmp_path):
        with one_process_group(tmp_path):
            model = DistributedDataParallel(build(self.make()))
            for _ in range(2):
                with model.no_sync():
                    model.module.total(model(*toy_data(), 0.5)).backward()
                model.module.total(model(*toy_data(), 0.5)).backward()
                assert all(p.grad is not None for p in model.parameters())

    def test_perturbed_images_are_images_and_nothing_else_has_changed(self):
        objective = build(self.make()).train()
        objective.detector.student.first[1].eval()  # a part that is kept frozen must stay so
        modes = [module.training for module in objective.modules()]
        batch = batch_of(objective, *toy_data())
        before = state(objective)
        for context in (torch.no_grad, torch.enable_grad):
            with context():
                images = objective.aligner.perturb(batch)
            assert images.shape == batch.images.shape
            assert images.dtype == torch.float32
            assert not images.requires_grad
            assert images.min() >= 0
            assert images.max() <= 1
        assert same(state(objective), before)
        assert all(p.grad is None and p.requires_grad for p in objective.parameters())
        assert [module.training for module in objective.modules()] == modes

    def test_its_losses_teach_whom_they_should(self):
        objective = build(self.make())
        batch = batch_of(objective, *toy_data())
        features = objective.detector.student(batch.images)
        before = state(objective.detector)
        total = sum(objective.aligner.losses(batch, features, 0.5).values())
        assert same(state(objective.detector), before), "statistics of the detector moved"
        if self.losses:
            total.backward()
        reached = [p.grad is not None and bool(p.grad.any()) for p in objective.detector.student.parameters()]
        assert any(reached) is self.reaches_student
        assert all(p.grad is None for p in objective.detector.head.parameters())
        assert all(p.grad is not None for p in objective.aligner.parameters())

    def test_half_precision(self):
        objective = build(self.make())
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            losses = objective(*toy_data(), 0.5)
            total = objective.total(losses)
        total.backward()
        assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
        assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())
        torch.manual_seed(0)
        full = build(self.make())(*toy_data(), 0.5)
        assert all(abs(losses[name] - full[name]) < 0.05 + 0.05 * abs(full[name]) for name in full)

    def test_a_saved_aligner_goes_on_as_it_was(self):
        trained, fresh = self.train()[0], build(self.make(), seed=7)
        fresh.load_state_dict(trained.state_dict())
        results = []
        for objective in (trained, fresh):
            torch.manual_seed(3)
            results.append([loss.item() for loss in objective(*toy_data(), 0.5).values()])
        assert results[0] == results[1]

    def test_copies_of_the_detector_are_plain(self):
        """The averaged and the shipped detector know nothing of the aligner, in training mode either."""
        objective = self.train(steps=2)[0]
        average = averaged(objective.detector, 0.9)
        objective(*toy_data(), 0.5)
        average.update_parameters(objective.detector)
        plain = Detector(ToyStudent())
        for detector in (objective.detector, average.module, copy.deepcopy(objective).detector):
            assert hooks(detector) == 0
            plain.load_state_dict(detector.state_dict())
            found = []
            for module in (detector.train(), plain.train()):
                torch.manual_seed(0)
                found.append(module(toy_data()[0]))
            assert torch.equal(*found)

    def test_evidence_is_a_figure_an_image_and_leaves_no_trace(self):
        objective = self.train()[0].train()
        batch = batch_of(objective, *toy_data())
        with torch.no_grad():
            features = objective.detector.student.eval()(batch.images)
        objective.train().zero_grad()
        before = state(objective)
        found = objective.aligner.evidence(batch, features)
        for value in found.values():
            assert value.shape == (24,)
            assert value.isfinite().all()
            assert not value.requires_grad
        assert same(state(objective), before)
        assert all(module.training for module in objective.modules())
        assert all(p.grad is None for p in objective.parameters())
