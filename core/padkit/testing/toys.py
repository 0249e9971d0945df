"""Toys for the suites: a student of two layers, images of three domains, and an objective with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from padkit.networks.detector import Detector
from padkit.roles import Aligner, Batch, Student, StudentFeatures
from padkit.training.distillation import FrozenTeachers
from padkit.training.objective import Objective

SIZE, N_DOMAINS, DIM = 16, 3, 6


class ToyStudent(Student):
    """Two stages, each a module, with layers of a real backbone: BatchNorm, ReLU in place, dropout."""

    channels, strides, embedding_dim = (4, DIM), (2, 4), DIM

    def __init__(self) -> None:
        super().__init__()
        self.first = stage(3, 4)
        self.second = stage(4, DIM)
        self.drop = nn.Dropout(0.1)

    def forward(self, images: Tensor) -> StudentFeatures:
        """Return two maps and, as the embedding, the mean of the deeper one."""
        shallow = self.first(images - 0.5)
        deep = self.second(shallow)
        return StudentFeatures((shallow, deep), self.drop(deep.mean((2, 3))))


def stage(channels: int, width: int) -> nn.Sequential:
    """Return a convolution of stride 2 with BatchNorm and ReLU."""
    convolution = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def toy_data(n: int = 24, seed: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Return images [n, 3, SIZE, SIZE], labels [n] and domains [n].

    Noise; a slope along the columns marks bona fide, the brightness of a channel marks the domain.
    """
    generator = torch.Generator().manual_seed(seed)
    labels, domains = torch.arange(n) % 2, torch.arange(n) // 2 % N_DOMAINS
    images = torch.rand(n, 3, SIZE, SIZE, generator=generator) * 0.6
    images = images + 0.2 * labels.view(-1, 1, 1, 1) * torch.linspace(0, 1, SIZE)
    images[torch.arange(n), domains] += 0.15
    return images.clamp(0, 1), labels, domains


def build(aligner: Aligner, seed: int = 0) -> Objective:
    """Return the objective of a toy student with `aligner` and no teacher."""
    torch.manual_seed(seed)
    return Objective(Detector(ToyStudent()), aligner, FrozenTeachers({}), {}, SIZE)


class _Catch(Aligner):
    def __init__(self) -> None:
        super().__init__(N_DOMAINS, DIM)
        self.caught: Batch | None = None

    def perturb(self, batch: Batch) -> Tensor:
        self.caught = batch
        return batch.images


def batch_of(objective: Objective, images: Tensor, labels: Tensor, domains: Tensor) -> Batch:
    """Return the batch as the objective passes it to the aligner."""
    catch = _Catch()
    kept, objective.aligner = objective.aligner, catch
    modes = {module: module.training for module in objective.modules()}
    objective.eval()
    with torch.no_grad():
        objective(images, labels, domains, 0.0)
    for module, training in modes.items():
        module.training = training
    objective.aligner = kept
    assert catch.caught is not None
    return catch.caught


def state(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the module's state."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> list[str]:
    """Return the names of the tensors that are not bitwise equal in two states."""
    common = before.keys() & after.keys()
    return sorted(before.keys() ^ after.keys()) + sorted(n for n in common if not torch.equal(before[n], after[n]))


def backward(loss: Tensor) -> None:
    """Compute the gradients of a scalar."""
    loss.backward()  # type: ignore[no-untyped-call]


def hooks(module: nn.Module) -> int:
    """Count the forward hooks on a module and its parts."""
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


@contextmanager
def one_process_group(folder: Path) -> Iterator[None]:
    """Open a process group that contains only this process."""
    address = (folder.resolve() / "store").as_uri()
    torch.distributed.init_process_group("gloo", init_method=address, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
