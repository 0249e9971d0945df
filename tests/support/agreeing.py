"""What two processes (gloo) and one compute of the same small run.

`compute(FOLDER)` is the one process, `python agreeing.py FILE` the two, which `FILE` tells of.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, set_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

from padkit.data.batches import BalancedBatches
from padkit.networks.detector import Detector
from padkit.roles import Features, Student, StudentFeatures, Teacher
from padkit.runs import checkpoints
from padkit.training import (
    FrozenTeachers,
    Objective,
    TeacherOptions,
    averaged,
    batches_from,
    clip,
    compile_networks,
    follow,
    make_optimizer,
    prepare_parts,
    share_out,
    warm_up_cosine,
    whole,
)
from padkit.training.agreement import running_statistics
from padkit.training.scoring import score_frames
from padkit.training.sharding import mark_sharded
from padkit_daa.aligner import DomainAdversarialAttack
from padkit_dat.aligner import DomainAdversarialTraining

SIDE, FRAMES, BATCH, STEPS = 8, 96, 32, 4
Found = dict[str, dict[str, Any]]  # what was computed, by case


class SmallStudent(Student):
    """Two convolutions and a batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.strides, self.embedding_dim = (4, 8), (1, 2), 8
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Conv2d(4, 8, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> StudentFeatures:
        first = self.first(images)
        second = self.second(first)
        return StudentFeatures((first, second), second.mean(dim=(2, 3)))


class SmallTeacher(Teacher):
    """Blocks that repeat."""

    input_size, mean, std = SIDE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()) for _ in range(3)))

    def extract(self, inputs: Tensor) -> Features:
        return Features(maps=(self.blocks(inputs),), embedding=None)


class Noise(torch.utils.data.Dataset[dict[str, Any]]):
    """Random images of two domains and two classes."""

    def __init__(self) -> None:
        drawn = np.random.default_rng(0)
        self.labels = np.arange(FRAMES) % 2
        self.domains = np.arange(FRAMES) // 2 % 2
        self.images = drawn.integers(0, 256, (FRAMES, 3, SIDE, SIDE), dtype=np.uint8)
        self.rows = np.arange(FRAMES)

    def __len__(self) -> int:
        return FRAMES

    def __getitem__(self, at: int) -> dict[str, Any]:
        image = torch.from_numpy(self.images[at])
        return {"image": image, "label": int(self.labels[at]), "domain": int(self.domains[at]), "index": at}


def train(
    accelerator: Accelerator, *, sharded: bool, parts: int, frozen: bool, folder: Path, compiled: bool = False
) -> SimpleNamespace:
    """Train a few steps as the recipe does; return losses, average, figures and what each process holds."""
    set_seed(0)
    accelerator.gradient_accumulation_steps = parts
    accelerator.padkit_sharded = False  # type: ignore[attr-defined]
    if sharded:
        mark_sharded(accelerator)
    options = {"small": TeacherOptions(sharded=sharded)}
    teachers = FrozenTeachers({"small": SmallTeacher()}, options)
    # What is drawn for half a batch is not half of what is drawn for a whole one, and the attack takes signs of sums,
    # whose last digits depend on the order: where one process is compared with two, nothing is drawn and all is smooth.
    aligner = DomainAdversarialTraining(2, 8, hidden=16, dropout=0.0) if frozen else DomainAdversarialAttack(2, 8)
    fixed = score_frames(Detector(SmallStudent()), Noise(), accelerator, batch_size=20).scores  # type: ignore[arg-type]
    objective = Objective(Detector(SmallStudent()), aligner, teachers, options, SIDE)
    frames = Noise()
    batches = BalancedBatches(frames.labels, frames.domains, batch_size=BATCH, parts=parts)
    average = averaged(objective.detector, 0.9)
    share_out(accelerator, objective, sync_batchnorm=False)
    optimizer = make_optimizer("adamw", objective.parameters(), 1e-2, 0.01)
    schedule = warm_up_cosine(optimizer, 2 * STEPS, 0.1)
    loader = DataLoader(frames, batch_sampler=batches)
    model, optimizer, schedule, loader = prepare_parts(accelerator, objective, optimizer, schedule, loader)
    networks = compile_networks(objective, backend="eager") if compiled else 0
    accelerator._custom_objects.clear()
    accelerator.register_for_checkpointing(average)
    losses: list[float] = []

    def steps(number: int) -> None:
        done = micro = 0
        while True:
            for sample in batches_from(loader, 0, 0):
                model.train()
                if frozen:
                    model.eval()
                with accelerator.accumulate(model):
                    torch.manual_seed(0)
                    images = sample["image"].float() / 255
                    total = objective.total(model(images, sample["label"], sample["domain"], 0.0))
                    accelerator.backward(total)
                    clip(accelerator, model, 0.5)
                    optimizer.step()
                    schedule.step()
                    optimizer.zero_grad()
                losses.append(accelerator.reduce(total.detach(), "mean").item())
                micro += 1
                if accelerator.sync_gradients:
                    follow(average, objective, objective.detector, accelerator)
                    done += 1
                if done == number:
                    return

    steps(STEPS)
    checkpoints.save(accelerator, folder, checkpoints.Progress(STEPS))
    steps(1)
    before = [tensor.clone() for tensor in average.module.state_dict().values()]
    checkpoints.restore(accelerator, folder)
    steps(1)
    again = list(average.module.state_dict().values())
    assert all(torch.equal(one, other) for one, other in zip(before, again, strict=True)), "not resumed exactly"
    scores = score_frames(average.module, frames, accelerator, batch_size=20)  # type: ignore[arg-type]
    mine = torch.cat([tensor.detach().flatten().double() for tensor in average.module.state_dict().values()])
    with whole(objective):
        statistics = torch.cat([one.flatten() for one in running_statistics(objective.detector)])
    everyone = accelerator.gather(torch.cat([mine, statistics.double()])[None])
    held = sum(parameter.to_local().numel() if sharded else parameter.numel() for parameter in objective.parameters())
    teacher = next(iter(objective.teachers.networks()[0].parameters()))
    accelerator._models.clear()
    accelerator._optimizers.clear()
    accelerator._schedulers.clear()
    accelerator._dataloaders.clear()
    return SimpleNamespace(
        losses=np.array(losses).reshape(-1, parts).mean(1), average=mine.numpy(), everyone=everyone.numpy(),
        scores=scores.scores, fixed=fixed, held=held, teacher=type(teacher).__name__,
        compiled=networks,
    )  # fmt: skip


def compute(folder: Path) -> Found:
    """Return what this process, alone or one of several, finds in each case; checkpoints go into `folder`."""
    accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True))
    cases: dict[str, dict[str, Any]] = {
        "frozen": {"sharded": False, "parts": 1, "frozen": True},
        "accumulated": {"sharded": False, "parts": 2, "frozen": True},
    }
    if accelerator.num_processes > 1:
        cases |= {
            "plain": {"sharded": False, "parts": 1, "frozen": False},
            "sharded": {"sharded": True, "parts": 1, "frozen": False},
            "compiled": {"sharded": True, "parts": 1, "frozen": False, "compiled": True},
        }
    found = {name: vars(train(accelerator, **case, folder=folder / name)) for name, case in cases.items()}
    accelerator.end_training()
    return found


def main() -> None:
    """Compute every case in two processes that share what is imported; the first writes what it finds."""
    file = Path(sys.argv[1])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    other = os.fork()
    rank = 0 if other else 1
    # As torchrun sets them.
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    found = compute(file.parent / "two")
    if not other:
        return
    torch.save(found, file)
    _, status = os.waitpid(other, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
