"""Fine-tunes a finished detector on few captures, with old data mixed in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, default_collate

from padkit.data.augmentation import Augmentation, draw_generator, vary_image
from padkit.data.batches import BalancedBatches, Draw, Sample, to_images
from padkit.data.preparation.prepare import FrameTable
from padkit.errors import SettingsError, TrainingError
from padkit.networks.detector import Detector
from padkit.runs.adaptation import AdaptationPart
from padkit.training.loop import seed_run, training_bar
from padkit.training.optimisation import make_optimizer, warm_up_cosine

WARMUP = 0.1
WEIGHT_DECAY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningOptions:
    """How a detector is fine-tuned.

    Attributes:
        lr: Peak learning rate of AdamW; a linear warm-up over a tenth of the steps precedes, a cosine to zero follows.
        epochs: Passes over the own captures.
        batch_size: Frames of a step; where there are old data, half of them are old.
        seed: Draws batches and augmentation.
    """

    lr: float = 1e-4
    epochs: int = 10
    batch_size: int = 32
    seed: int = 0


class TuningFrames(Dataset[Sample]):
    """Frames of several tables, as large as the student takes them, varied by an augmentation.

    Attributes:
        labels: [n], class of each frame.
        domains: [n], number of each frame's domain.
    """

    def __init__(
        self, parts: Sequence[tuple[FrameTable, NDArray[np.int64]]], size: int, augmentation: Augmentation | None,
        seed: int,
    ) -> None:  # fmt: skip
        """Give access to rows of tables; `size` is the side in pixels, `seed` draws the variation."""
        self.frames = [(table, int(row)) for table, rows in parts for row in rows]
        self.labels = np.concatenate([table.column("label")[rows] for table, rows in parts])
        names = [table.column("domain")[rows] for table, rows in parts]
        named = np.array([f"{number}/{name}" for number, part in enumerate(names) for name in part])
        self.domains: NDArray[np.int64] = np.unique(named, return_inverse=True)[1].reshape(-1).astype(np.int64)
        self.size, self.augmentation, self.seed = size, augmentation, seed

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, draw: Draw) -> Sample:
        table, row = self.frames[draw.frame]
        image, label = np.ascontiguousarray(table.image(row).transpose(1, 2, 0)), int(self.labels[draw.frame])
        if len(image) != self.size:
            image = np.asarray(
                Image.fromarray(image).resize((self.size, self.size), Image.Resampling.BICUBIC), dtype=np.uint8
            )
        if self.augmentation is not None and self.augmentation.varies_images:
            image, label = vary_image(self.augmentation, image, label, draw_generator(self.seed, draw.number))
        planes = torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C"))
        return {"image": planes, "label": label, "domain": int(self.domains[draw.frame]), "index": row}


def tune(
    detector: Detector,
    parts: Sequence[AdaptationPart],
    size: int,
    augmentation: Augmentation | None,
    options: TuningOptions,
    *,
    shown: bool = True,
) -> list[float]:
    """Fine-tune a detector in place and return the loss of each step; afterwards it is in evaluation mode on the CPU.

    Cross-entropy on batches that are balanced over domain and class; the statistics of batch normalisation stay as they
    are, because few captures would give bad ones.

    Args:
        detector: The detector.
        parts: Own captures, which come first, and old domains.
        size: Side of the crops that the student takes, in pixels.
        augmentation: What varies the images, if anything.
        options: How.
        shown: Whether to show progress on stderr.

    Raises:
        SettingsError: The batch is smaller than the (domain, class) cells.
        TrainingError: The loss became infinite or NaN.
    """
    seed_run(options.seed)
    loaders, steps = _loaders(parts, size, augmentation, options)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    detector.to(device)
    optimizer = make_optimizer(
        "adamw", [one for one in detector.parameters() if one.requires_grad], options.lr, WEIGHT_DECAY
    )
    total = options.epochs * steps
    schedule = warm_up_cosine(optimizer, total, WARMUP)
    losses: list[float] = []
    _train_mode(detector)
    with training_bar(total, 0, shown=shown) as advance:
        for step in range(total):
            torch.manual_seed(options.seed + 1_000_003 * step)
            samples = [next(loader) for loader in loaders]
            images = to_images(torch.cat([sample["image"] for sample in samples]))
            images = (images if augmentation is None else augmentation.vary(images)).to(device)
            labels = torch.cat([torch.as_tensor(sample["label"]) for sample in samples]).to(device)
            loss = F.cross_entropy(detector.classify(detector.student(images)).float(), labels)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise TrainingError(f"the loss became {losses[-1]} at step {step + 1}; lower --lr.")
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            advance(step + 1, {"loss": losses[-1]})
    detector.cpu().eval()
    return losses


def _loaders(
    parts: Sequence[AdaptationPart], size: int, augmentation: Augmentation | None, options: TuningOptions
) -> tuple[list[Iterator[Sample]], int]:
    """Return what gives own and old frames without end, each its half of a batch, and the steps of an epoch."""
    own, *old = parts
    sides = [[(own.table, own.train)], [(one.table, one.train) for one in old if len(one.train)]]
    sides = [side for side in sides if side]
    if options.batch_size % len(sides):
        raise SettingsError(f"batch_size {options.batch_size}: must be even, because half of a batch is old data.")
    pools = [TuningFrames(side, size, augmentation, options.seed + at) for at, side in enumerate(sides)]
    batches = [
        BalancedBatches(
            pool.labels, pool.domains, batch_size=options.batch_size // len(pools), seed=pool.seed, numbered=True
        )
        for pool in pools
    ]
    return [_endless(pool, one) for pool, one in zip(pools, batches, strict=True)], batches[0].steps


def _train_mode(detector: Detector) -> None:
    """Set training mode, but for batch normalisation, whose statistics then stay."""
    detector.train()
    for module in detector.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _endless(pool: TuningFrames, batches: BalancedBatches) -> Iterator[Sample]:
    loader = DataLoader(pool, batch_sampler=batches, collate_fn=default_collate)
    epoch = 0
    while True:
        batches.set_epoch(epoch)
        yield from loader
        epoch += 1
