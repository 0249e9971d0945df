"""A training step never waits for its device: no value is asked for before the step is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from toy_run import reset_accelerate

from padkit.catalog import Catalog
from padkit.data.batches import to_images
from padkit.networks.detector import Detector
from padkit.roles import Features, Teacher
from padkit.runs.folder import RunFolder
from padkit.testing.toys import DIM, N_DOMAINS, SIZE, ToyStudent
from padkit.training import FrozenTeachers, LateLosses, Objective, TeacherOptions, averaged, make_optimizer, seed_step

ASKING = ("item", "cpu", "tolist", "numpy", "nonzero", "__bool__", "__int__", "__float__", "__index__")


class Coloured(Teacher):
    """A teacher with constants of its own and another size."""

    input_size, mean, std = 8, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def extract(self, inputs: Tensor) -> Features:
        maps = self.net(inputs)
        return Features((maps,), maps.mean((2, 3)))


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls by which Python asks a tensor for its values."""
    found: Counter[str] = Counter()
    patch = pytest.MonkeyPatch()

    def counting(name: str):
        asked = getattr(Tensor, name)

        def ask(self, *words, **more):
            found[name] += 1
            return asked(self, *words, **more)

        return ask

    for name in ASKING:
        patch.setattr(Tensor, name, counting(name))
    try:
        yield found
    finally:
        patch.undo()


class Loop:
    """The step of `recipes/dtda.py` with toys, but the aligner and the augmentation of the recipe."""

    def __init__(self, folder: Path, *, cpu: bool = True) -> None:
        reset_accelerate()
        self.accelerator = Accelerator(cpu=cpu)
        device = self.accelerator.device
        torch.manual_seed(0)
        catalog, options = Catalog(), {"fr": TeacherOptions(), "fe": TeacherOptions(kind="relations")}
        chosen = {"restart_every": 3, "colour": 0.02, "axes": "opponent"}
        aligner = catalog.build("aligner", "daa", chosen, N_DOMAINS, DIM)
        teachers = FrozenTeachers({"fr": Coloured(), "fe": Coloured()}, options)
        self.objective = Objective(Detector(ToyStudent()), aligner, teachers, options, SIZE)
        teachers.to(device)
        self.augmentation = catalog.build("augmentation", "light", {})
        optimizer = make_optimizer("adamw", self.objective.parameters(), 1e-3, 0.01)
        self.model, self.optimizer = self.accelerator.prepare(self.objective, optimizer)
        self.average = averaged(self.objective.detector, 0.98)
        self.seen: list[int] = []
        run = RunFolder.create(folder / "run", {}, {})
        self.noted = LateLosses(self.accelerator, run, lambda step, _losses: self.seen.append(step))
        generator = torch.Generator().manual_seed(1)
        self.pixels = torch.randint(0, 256, (12, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator).to(device)
        self.labels, self.domains = torch.arange(12, device=device) % 2, torch.arange(12, device=device) % N_DOMAINS
        self.model.train()

    def compute(self, number: int) -> None:
        seed_step(self.accelerator, 0, number)
        with self.accelerator.accumulate(self.model):
            images = self.augmentation.vary(to_images(self.pixels))
            losses = self.model(images, self.labels, self.domains, 0.5)
            total = self.objective.total(losses, 0.5)
            self.noted.add({**losses, "total": total})
            self.accelerator.backward(total)
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.average.update_parameters(self.objective.detector)

    def step(self, number: int) -> None:
        self.compute(number)
        self.noted.step({"step": number, "epoch": 1, "lr": 0.1})


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    yield Loop(tmp_path)
    reset_accelerate()


def test_nothing_is_asked_of_the_device_within_a_step(loop: Loop) -> None:
    loop.step(1)  # what is asked once, at the first step
    for number in (2, 3, 4):
        with counted() as asked:
            loop.compute(number)
        assert not asked, dict(asked)
        with counted() as asked:
            loop.noted.step({"step": number, "epoch": 1})
        assert asked == {"tolist": 1}  # the losses of the step before, which are on the host


def test_the_counter_counts() -> None:
    with counted() as asked:
        _found = bool(torch.tensor(1) > 0), torch.tensor(2.0).item(), torch.tensor(3).cpu(), int(torch.tensor(4))
    assert asked["__bool__"] == asked["item"] == asked["cpu"] == asked["__int__"] == 1


def test_losses_are_known_one_step_later_and_none_is_lost(loop: Loop, tmp_path: Path) -> None:
    loop.step(1)
    assert loop.seen == []
    loop.step(2)
    assert loop.seen == [1]
    loop.noted.flush()
    loop.noted.flush()
    assert loop.seen == [1, 2]
    records = RunFolder(tmp_path / "run").read_log()
    assert [record["step"] for record in records] == [1, 2]
    assert list(records[0]) == ["step", "epoch", "live", "fr", "fe", "domain", "total", "lr"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_sees_no_synchronisation(tmp_path: Path) -> None:
    loop = Loop(tmp_path, cpu=False)
    for number in (1, 2, 3):
        loop.step(number)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in (4, 5, 6):
            loop.step(number)
    finally:
        torch.cuda.set_sync_debug_mode("default")
        reset_accelerate()
