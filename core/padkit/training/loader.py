"""The loader of training batches: its processes stay, load ahead, and hand over in memory a GPU copies from at once."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader, Dataset

from padkit.data.batches import BalancedBatches, Sample

AHEAD = 4  # batches that each loader process has ready
KEPT = 2**29  # bytes of decoded pictures that stay in memory where no loader process decodes ahead


def training_loader(
    samples: Dataset[Sample], batches: BalancedBatches, workers: int, device: torch.device
) -> DataLoader[Sample]:
    """Return the loader of `batches` of `samples` by so many processes, for a device."""
    return DataLoader(
        samples, batch_sampler=batches, num_workers=workers, pin_memory=device.type == "cuda",
        persistent_workers=workers > 0, prefetch_factor=AHEAD if workers else None,
    )  # fmt: skip
