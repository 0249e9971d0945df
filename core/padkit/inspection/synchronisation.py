"""Where a training step waits for its CUDA device: torch's debug mode tells each place, and nothing else can see it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

TOLD = "synchronizing CUDA operation"  # what torch warns of


@contextmanager
def counted_waits(device: torch.device) -> Iterator[Counter[str]]:
    """Context manager: count the operations within that wait for the device, by the line of Python that asks for them.

    Complete when the block ends; other warnings are given on. On other devices than CUDA nothing is counted.

    Args:
        device: The device that is computed on.
    """
    found: Counter[str] = Counter()
    if device.type != "cuda":
        yield found
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
    for one in told:
        if TOLD in str(one.message):
            found[f"{Path(one.filename).name}:{one.lineno}"] += 1
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
