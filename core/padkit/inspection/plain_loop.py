"""What padkit's training step is compared with: the same method as research code is written, and timm's own step."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image, ImageEnhance
from timm.optim import create_optimizer_v2
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from padkit.inspection.drawn_crops import DrawnTable
from padkit.roles import Batch
from padkit.training.objective import Objective


class PlainCrops(Dataset[tuple[Tensor, int, int]]):
    """Crops that are decoded, resized, mirrored, jittered and made tensors one by one by Pillow."""

    def __init__(self, table: DrawnTable, size: int) -> None:
        self.table, self.size = table, size

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> tuple[Tensor, int, int]:
        picture = Image.open(io.BytesIO(self.table.encoded(row))).convert("RGB")
        picture = picture.resize((self.size, self.size), Image.Resampling.BILINEAR)
        generator = np.random.default_rng()
        if generator.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        shift = tuple(int(x) for x in generator.integers(-8, 9, 2))
        picture = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, shift[0], 0, 1, shift[1]))
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = enhance(picture).enhance(float(generator.uniform(0.85, 1.15)))
        pixels = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).astype(np.float32) / 255)
        return pixels, int(self.table.label[row]), int(self.table.domain_index[row])


def plain_batches(table: DrawnTable, size: int, batch: int, workers: int) -> Iterator[Any]:
    """Yield batches of `PlainCrops` without end."""
    loader = DataLoader(PlainCrops(table, size), batch_size=batch, shuffle=True, drop_last=True, num_workers=workers)
    return iter(_endless(loader))


def _endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def plain_step(objective: Objective, batches: Iterator[Any], device: torch.device) -> Callable[[], None]:
    """Return a step of the same losses as research code is written.

    float32, images and weights channel by channel (NCHW), every loss read at once, an optimiser and an average that go
    through parameters one by one, each teacher called on the images for itself.

    Args:
        objective: Networks, of the same settings; they are laid out anew.
        batches: What `plain_batches` gives.
        device: The device.
    """
    objective.to(device).to(memory_format=torch.contiguous_format).train()
    for teacher in objective.teachers.networks():
        teacher.to(device).to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-3, foreach=False, fused=False)
    average = {name: value.detach().clone() for name, value in objective.detector.state_dict().items()}

    def step() -> None:
        images, labels, domains = (part.to(device) for part in next(batches))
        batch = Batch(images, labels, domains)
        inputs = images if objective.aligner is None else objective.aligner.perturb(batch)
        features = objective.detector.student(inputs)
        losses = {"live": F.cross_entropy(objective.detector.classify(features), labels)}
        for name, teacher in zip(objective.teachers.names(), objective.teachers.networks(), strict=True):
            with torch.no_grad():
                given = teacher(inputs)
            losses[name] = objective.distiller(name)(features, given)
        losses |= {} if objective.aligner is None else objective.aligner.losses(batch, features, 0.5)
        total = objective.total(losses)
        _seen = {name: value.item() for name, value in losses.items()}
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for name, value in objective.detector.state_dict().items():
            average[name] = 0.98 * average[name] + 0.02 * value

    return step


def timm_step(model: str, batch: int, size: int, device: torch.device, half: torch.dtype | None) -> Callable[[], None]:
    """Return a step of timm's benchmark of training (`benchmark.py --bench train`, which its package leaves out).

    The same ready batch of noise each time, cross-entropy, `create_optimizer_v2(opt="sgd")`, channels last, automatic
    mixed precision; no data, augmentation or average.

    Args:
        model: timm's name.
        batch: Images per step.
        size: Their side in pixels.
        device: The device.
        half: Precision, None for float32.
    """
    settings: dict[str, Any] = {"img_size": size} if "vit" in model else {}
    network: nn.Module = timm.create_model(model, num_classes=2, **settings).to(device)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = create_optimizer_v2(network, opt="sgd", lr=1e-4)
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.long, device=device)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, half, enabled=half is not None):
            output = network(images)
        F.cross_entropy(output.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
