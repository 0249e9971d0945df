"""Measures a training step as a whole and each of its parts alone, against a plain loop and timm's step, in turn."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F

from padkit.catalog import Catalog
from padkit.data.augmentation import Augmentation
from padkit.data.batches import Augmented, BalancedBatches, Frames, to_images
from padkit.deploy.benchmark import machine
from padkit.deploy.timing import Timing, timed
from padkit.inspection.drawn_crops import DOMAINS, DrawnTable
from padkit.inspection.plain_loop import plain_batches, plain_step, timm_step
from padkit.inspection.synchronisation import counted_waits
from padkit.networks.detector import Detector
from padkit.roles import Batch, StudentFeatures
from padkit.runs.folder import RunFolder
from padkit.training import (
    FrozenTeachers,
    LateLosses,
    Objective,
    TeacherOptions,
    averaged,
    compile_networks,
    make_optimizer,
    parameter_groups,
    seed_step,
    warm_up_cosine,
)
from padkit.training.compiling import enable_fast_kernels
from padkit.training.distillation import HALF_PRECISION
from padkit.training.loader import KEPT, training_loader

WHOLE, STEP, STUDENT, ATTACK = "step with its batch", "step", "student", "attack"
AUGMENTATION, LOADER, REFERENCE, TIMM = "augmentation", "loader", "plain loop", "timm's step"
CROPS = 384
WARM, TURNS = 1, 3
WATCHED = 3  # steps in which it is looked whether they wait for the device


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is measured.

    Attributes:
        model: The student's name in timm.
        teachers: The teachers' names.
        aligner: Its name; "" for none.
        batch: Images per step.
        size: Side of the images in pixels.
        precision: `no`, `bf16` or `fp16`.
        threads: CPU threads.
        workers: Loader processes.
        compiled: Whether networks are compiled.
        seconds: About how long each kind is measured.
    """

    model: str = "resnet18"
    teachers: Sequence[str] = ("arcface", "stargan")
    aligner: str = "daa"
    batch: int = 48
    size: int = 128
    precision: Literal["no", "bf16", "fp16"] = "no"
    threads: int = 1
    workers: int = 0
    compiled: bool = False
    seconds: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpeed:
    """What was measured.

    Attributes:
        workload: Of what.
        timings: By kind; teachers are called `teacher NAME`, and their networks alone `teacher NAME, features alone`.
        waiting: Share of the time of the step with its batch in which it waited for the batch.
        memory: Peak memory of padkit's own loop in MiB: of the GPU, or else of the process.
        machine: On what, by name.
        synchronisations: Places where some steps waited for the CUDA device, and how often; None on other devices.
    """

    workload: Workload
    timings: Mapping[str, Timing]
    waiting: float
    memory: float
    machine: Mapping[str, str]
    synchronisations: Mapping[str, int] | None = None

    def parts(self) -> list[str]:
        """Return the kinds that a step with its batch consists of: student, each teacher, attack, augmentation, batch.

        A teacher's part is its network and its loss with the adapters, the student's with optimiser and average.
        """
        teachers = [f"teacher {name}" for name in self.workload.teachers]
        found = [STUDENT, *teachers, ATTACK, AUGMENTATION, LOADER]
        return [name for name in found if name in self.timings]

    @property
    def over_parts(self) -> float:
        """The step with its batch over the sum of its parts; loader processes work beside it, so below 1 with them."""
        return self.timings[WHOLE].p50 / sum(self.timings[name].p50 for name in self.parts())

    def times(self, other: str) -> float:
        """Return how many times as fast as `other` (`plain loop`) the step with its batch is."""
        return self.timings[other].p50 / self.timings[WHOLE].p50

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        load = {name: getattr(self.workload, name) for name in Workload.__dataclass_fields__}
        rows = [
            {"part": name, "p50_ms": one.p50, "p95_ms": one.p95, "calls": one.calls, "per_second": one.throughput}
            for name, one in self.timings.items()
        ]
        ratios = {"over_parts": self.over_parts, "times_plain_loop": self.times(REFERENCE), "waiting": self.waiting}
        waits = self.synchronisations
        facts = {"workload": load, "machine": dict(self.machine), "peak_memory_mib": self.memory}
        facts |= {"synchronisations": None if waits is None else dict(waits)}
        return {"schema": "padkit-training-benchmark/1", **facts, **ratios, "rows": rows}


class _Loop:
    """One training loop as `recipes/dtda.py` has it, step by step, with its parts."""

    def __init__(self, load: Workload, accelerator: Accelerator, run: RunFolder, table: DrawnTable) -> None:
        self.load, self.accelerator, self.device = load, accelerator, accelerator.device
        catalog = Catalog()
        self.augmentation: Augmentation = catalog.build("augmentation", "light", {})
        rows, keep = torch.arange(len(table)).numpy(), 0 if load.workers else KEPT
        frames = Frames(cast("Any", table), rows, table.domain_index, keep)
        self.batches = BalancedBatches(frames.labels, frames.domains, batch_size=load.batch, numbered=True)
        samples = Augmented(frames, self.augmentation, 0)
        loader = training_loader(samples, self.batches, load.workers, self.device)
        self.objective = objective_of(load, catalog, self.device, load.precision)
        optimizer = make_optimizer("adamw", parameter_groups(self.objective, 1e-3, {}), 1e-3, 0.01)
        schedule = warm_up_cosine(optimizer, 10**6, 0.1)
        parts = accelerator.prepare(self.objective, optimizer, schedule, loader)
        self.model, self.optimizer, self.schedule, self.loader = parts
        self.average = averaged(self.objective.detector, 0.98)
        if load.compiled:
            compile_networks(self.objective)
        self.noted = LateLosses(accelerator, run, lambda _step, _losses: None)
        self.endless, self.steps, self.waited, self.lasted = self._endless(), 0, 0.0, 0.0
        self.ready = next(self.endless)
        self.model.train()

    def _endless(self) -> Iterator[Any]:
        epoch = 0
        while True:
            self.batches.set_epoch(epoch)
            yield from self.loader
            epoch += 1

    def whole(self) -> None:
        """Take a batch and make a step."""
        begun = time.perf_counter()
        sample = next(self.endless)
        fetched = time.perf_counter()
        self.step(sample)
        self.waited += fetched - begun
        self.lasted += time.perf_counter() - begun

    def step(self, sample: Any) -> None:
        """Make a step with a batch."""
        seed_step(self.accelerator, 0, self.steps)
        with self.accelerator.accumulate(self.model):
            images = self.augmentation.vary(to_images(sample["image"]))
            losses = self.model(images, sample["label"], sample["domain"], 0.5)
            total = self.objective.total(losses, 0.5)
            self.noted.add({**losses, "total": total})
            self.accelerator.backward(total)
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad()
        self.average.update_parameters(self.objective.detector)
        self.steps += 1
        self.noted.step({"step": self.steps, "epoch": 1, "lr": self.schedule.get_last_lr()[0]})

    def parts(self) -> dict[str, Callable[[], object]]:
        """Return what each part of a step does alone, by name."""
        images = to_images(self.ready["image"])
        batch = Batch(images, self.ready["label"], self.ready["domain"])
        found: dict[str, Callable[[], object]] = {STUDENT: partial(self._student, batch)}
        features, teachers = self._features(images), self.objective.teachers
        for name, network, called in zip(teachers.names(), teachers.networks(), self.load.teachers, strict=True):
            alone = FrozenTeachers({name: network}).to(self.device, self.load.precision)
            found[f"teacher {called}"] = partial(self._teacher, name, alone, images, features)
            found[f"teacher {called}, features alone"] = partial(alone, images)
        if self.objective.aligner is not None:
            found[ATTACK] = partial(self._attack, batch, features)
        found[AUGMENTATION] = lambda: self.augmentation.vary(to_images(self.ready["image"]))
        return found | {LOADER: lambda: next(self.endless)}

    def _features(self, images: Tensor) -> StudentFeatures:
        """Return the student's features of images, as the start of a gradient's way back."""
        with torch.no_grad(), self.accelerator.autocast():
            maps, embedding = self.objective.detector.student(images)
        return StudentFeatures(tuple(one.requires_grad_() for one in maps), embedding.requires_grad_())

    def _student(self, batch: Batch) -> None:
        """Train the student alone: forward, backward, its optimiser and its average."""
        detector = self.objective.detector
        with self.accelerator.autocast():
            loss = F.cross_entropy(detector.classify(detector.student(batch.images)).float(), batch.labels)
        self.accelerator.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(detector)

    def _teacher(self, name: str, alone: FrozenTeachers, images: Tensor, features: Any) -> None:
        with self.accelerator.autocast():
            loss = self.objective.distiller(name)(features, alone(images)[name])
        self.accelerator.backward(loss)

    def _attack(self, batch: Batch, features: Any) -> None:
        aligner = self.objective.aligner
        assert aligner is not None
        with self.accelerator.autocast():
            aligner.perturb(batch)
            losses = list(aligner.losses(batch, features, 0.5).values())
        if losses:
            self.accelerator.backward(torch.stack(losses).sum())


def objective_of(load: Workload, catalog: Catalog, device: torch.device, precision: str) -> Objective:
    """Build networks and losses of a workload on a device, as the recipe does."""
    torch.manual_seed(0)
    detector = Detector(catalog.build("student", "timm", {"model": load.model}))
    dim = detector.student.embedding_dim
    aligner = catalog.build("aligner", load.aligner, {}, DOMAINS, dim) if load.aligner else None
    names = {f"t{number}": name for number, name in enumerate(load.teachers)}
    options = {name: TeacherOptions() for name in names}
    teachers = FrozenTeachers({key: catalog.build("teacher", name, {}) for key, name in names.items()}, options)
    objective = Objective(detector, aligner, teachers, options, load.size)
    teachers.to(device, precision)
    return objective


def measure_training(load: Workload) -> TrainingSpeed:
    """Measure a workload, kind after kind and in turn."""
    torch.set_num_threads(load.threads)
    accelerator = Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=load.precision)
    device = accelerator.device
    enable_fast_kernels(device)
    table = DrawnTable(max(CROPS, 2 * load.batch), load.size)
    with tempfile.TemporaryDirectory(prefix="padkit-bench-") as folder:
        run = RunFolder.create(Path(folder) / "run", {}, {})
        loop = _Loop(load, accelerator, run, table)
        for _ in range(3):
            loop.whole()
        with counted_waits(device) as waits:
            for _ in range(WATCHED):
                loop.step(loop.ready)
        loop.waited = loop.lasted = 0.0
        kinds: dict[str, Callable[[], object]] = {WHOLE: loop.whole, STEP: partial(loop.step, loop.ready)}
        kinds |= loop.parts()
        memory = _peak(device)
        plain = objective_of(load, Catalog(), device, "no")
        kinds[REFERENCE] = plain_step(plain, plain_batches(table, load.size, load.batch, load.workers), device)
        half = HALF_PRECISION.get(load.precision)
        kinds[TIMM] = timm_step(load.model, load.batch, load.size, device, half)
        waiting = partial(_until_done, device)
        timings = timed(
            {name: partial(waiting, call) for name, call in kinds.items()},
            seconds=load.seconds, items=load.batch, warm=WARM, turns=TURNS,
        )  # fmt: skip
    share = loop.waited / loop.lasted if loop.lasted else 0.0
    return TrainingSpeed(
        workload=load, timings=timings, waiting=share, memory=memory, machine=machine(),
        synchronisations=waits if device.type == "cuda" else None,
    )  # fmt: skip


def _until_done(device: torch.device, call: Callable[[], object]) -> None:
    call()
    if device.type != "cpu":
        torch.accelerator.synchronize()


def _peak(device: torch.device) -> float:
    """Return the peak memory so far in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)
