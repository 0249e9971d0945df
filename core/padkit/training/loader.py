"""The loader of training batches: its processes stay, load ahead, and hand over in memory a GPU copies from at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.data import DataLoader, Dataset

from padkit.data.batches import BalancedBatches, Sample
from padkit.errors import TrainingError, one_line

AHEAD = 4  # batches that each loader process has ready
KEPT = 2**29  # bytes of decoded pictures that stay in memory where no loader process decodes ahead
NOTICE = 0.5  # seconds in which the end of a process is noticed
# How torch begins to tell that a loader process is gone. An error raised within one begins with "Caught".
ENDED = ("DataLoader worker (pid", "DataLoader timed out", "Pin memory thread exited")


def training_loader(
    samples: Dataset[Sample], batches: BalancedBatches, workers: int, device: torch.device
) -> DataLoader[Sample]:
    """Return the loader of `batches` of `samples` by so many processes, for a device."""
    return DataLoader(
        samples, batch_sampler=batches, num_workers=workers, pin_memory=device.type == "cuda",
        persistent_workers=workers > 0, prefetch_factor=AHEAD if workers else None,
    )  # fmt: skip


@contextmanager
def naming_dead_workers() -> Iterator[None]:
    """Turn the end of a loader process into one line that names it; torch notices it and does not hang.

    A process that has nothing to load may end at any moment, so this stands around the whole of a recipe's `main`, as a
    decorator. What a loader process raises itself, such as an unreadable image, passes through.

    Raises:
        TrainingError: A loader process has died, or waited too long.
    """
    try:
        yield
    except (RuntimeError, OSError, EOFError) as error:
        told = _end_behind(error)
        if told is None:
            raise
        raise TrainingError(
            f"a process that loads images ended ({told}); the machine may be short of memory: use fewer --workers (0 "
            "loads in the main process). A run that has checkpoints goes on with --resume."
        ) from error


def _end_behind(error: BaseException) -> str | None:
    """Return what torch tells of a loader process whose end is behind an error, or None.

    A batch that lies in the memory of a process which has just ended is an error of the connection; torch gets to know
    of the end a moment later, by a signal, and raises it wherever Python is.
    """
    found = [error.__cause__, error]
    try:
        if not any(str(one).startswith(ENDED) for one in found):
            time.sleep(NOTICE)
    except RuntimeError as later:
        found.append(later)
    return next((one_line(one) for one in found if one is not None and str(one).startswith(ENDED)), None)
