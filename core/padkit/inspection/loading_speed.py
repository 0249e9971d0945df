"""Measures how fast training images come from a table, by number of loader processes, against per-image Pillow code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from padkit.data.augmentation import Augmentation
from padkit.data.batches import Augmented, BalancedBatches, Frames
from padkit.data.table.frames import open_table
from padkit.deploy.benchmark import machine
from padkit.deploy.timing import Timing, timed
from padkit.inspection.drawn_crops import DrawnTable
from padkit.inspection.plain_loop import plain_batches
from padkit.inspection.training_speed import CROPS
from padkit.training.loader import training_loader

PLAIN = "plain loader, 0 processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingSpeed:
    """What was measured.

    Attributes:
        timings: Of fetching a batch, by kind: `decoding alone` of one crop after the other, `N processes`, and a plain
            loader, which is left out for a table from disk.
        batch: Images per batch.
        size: Side of the images in pixels.
        source: Where they came from, in words.
        machine: On what, by name.
    """

    timings: Mapping[str, Timing]
    batch: int
    size: int
    source: str
    machine: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        rows = [
            {"kind": name, "p50_ms": one.p50, "p95_ms": one.p95, "calls": one.calls, "per_second": one.throughput}
            for name, one in self.timings.items()
        ]
        facts = {"batch": self.batch, "image_size": self.size, "source": self.source, "machine": dict(self.machine)}
        return {"schema": "padkit-loading-benchmark/1", **facts, "rows": rows}


def measure_loading(
    *,
    table: Path | None = None,
    batch: int = 48,
    size: int = 128,
    workers: Sequence[int] = (0, 1),
    seconds: float = 2.0,
) -> LoadingSpeed:
    """Measure a prepared table, or drawn crops.

    Args:
        table: Folder of a prepared table; None draws crops.
        batch: Images per batch.
        size: Side of drawn crops.
        workers: Numbers of loader processes.
        seconds: About how long each kind is measured.

    Raises:
        DataError: The folder holds no table.
    """
    opened: Any = DrawnTable(max(CROPS, 2 * batch), size) if table is None else open_table(table)
    labels = opened.column("label")
    domains = opened.domain_index if table is None else np.zeros(len(labels), np.int64)
    frames = Frames(cast("Any", opened), np.arange(len(labels)), domains)
    size = int(frames[0]["image"].shape[-1])
    kinds = {"decoding alone": partial(_decode, frames, batch)}
    for count in workers:
        kinds[f"{count} processes"] = partial(next, _batches(frames, batch, count))
    if table is None:
        kinds[PLAIN] = partial(next, plain_batches(opened, size, batch, 0))
    timings = timed(kinds, seconds=seconds, items=batch, warm=2, turns=3)
    source = "drawn crops, PNG as in tables" if table is None else str(table)
    return LoadingSpeed(timings=timings, batch=batch, size=size, source=source, machine=machine())


def _decode(frames: Frames, batch: int) -> None:
    for place in range(min(batch, len(frames))):
        frames.table.image(int(frames.rows[place]))


def _batches(frames: Frames, batch: int, workers: int) -> Iterator[Any]:
    batches = BalancedBatches(frames.labels, frames.domains, batch_size=batch, numbered=True)
    loader = training_loader(Augmented(frames, Augmentation(), 0), batches, workers, torch.device("cpu"))
    epoch = 0
    while True:
        batches.set_epoch(epoch)
        yield from loader
        epoch += 1
