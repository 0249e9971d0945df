"""Steps that every training loop needs: seeding, reading batches and losses, stopping at NaN, showing progress."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.utils import set_seed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from padkit.errors import TrainingError
from padkit.runs.folder import RunFolder


def seed_run(seed: int) -> None:
    """Seed Python, NumPy and torch, before anything is built."""
    set_seed(seed)


def seed_step(accelerator: Accelerator, seed: int, micro_step: int) -> None:
    """Seed torch anew at a micro-step, so that a resumed run draws what an uninterrupted one would.

    Args:
        accelerator: Each process draws its own numbers.
        seed: The run's seed.
        micro_step: Micro-batches done since training began.
    """
    torch.manual_seed(seed + 1_000_003 * (micro_step * accelerator.num_processes + accelerator.process_index))


def require_room(done: int, total: int, run: RunFolder) -> None:
    """Refuse to continue a run that has made more steps than it is now asked to make.

    Raises:
        TrainingError: It has; names both numbers.
    """
    if done > total:
        raise TrainingError(
            f"--resume {run.path}: {done} steps are done, epochs and max_steps ask for {total} in all; ask for more, "
            "or start a new run with another --out."
        )


def batches_from(loader: Any, done: int, epoch: int) -> Iterable[Any]:
    """Return the batches of `loader` after the first `done`; its loader processes stay from one epoch to the next.

    Accelerate tells the sampler how often the loader has been gone through by this process. Where a run was continued,
    that is another number than `epoch`, and its batches would be those of an earlier epoch.
    """
    if hasattr(loader, "set_epoch"):
        loader.set_epoch(epoch)
    batches: Iterable[Any] = skip_first_batches(loader, done) if done else loader
    return batches


def require_finite(losses: Mapping[str, float], step: int, run: RunFolder) -> None:
    """Stop before a NaN reaches a checkpoint; earlier ones stay.

    Raises:
        TrainingError: A loss is NaN or infinite; names it, the step and the checkpoint that is kept.
    """
    broken = [name for name, value in losses.items() if not math.isfinite(value)]
    if broken:
        kept = sorted(run.checkpoints.glob("step-*"))
        where = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint had been saved"
        raise TrainingError(f"loss {broken[0]!r} became {losses[broken[0]]} at step {step}; {where}; lower --lr.")


def keep(accelerator: Accelerator, run: RunFolder, record: Mapping[str, Any]) -> None:
    """Write one record to log.jsonl and to the trackers."""
    if accelerator.is_main_process:
        run.log(record)
    accelerator.log({name: value for name, value in record.items() if name != "step"}, step=record["step"])


class Advance(Protocol):
    """Move the bar to `step` and show `losses`."""

    def __call__(self, step: int, losses: Mapping[str, float]) -> None:
        """Move and show."""


class LateLosses:
    """Reads each step's losses while the next step is computed, so that the device never waits for the host.

    `add` stacks the losses of a micro-batch on their device; `step` starts one copy to the host and keeps the record of
    the step before. `flush` keeps what is left: call it before anything is judged or saved, so that a NaN is found
    before it is.

    Args:
        accelerator: Averages over processes.
        run: Its log gets the records.
        advance: Shows the losses.
    """

    def __init__(self, accelerator: Accelerator, run: RunFolder, advance: Advance) -> None:
        self._accelerator, self._run, self._advance = accelerator, run, advance
        self._names: list[str] = []
        self._parts: list[Tensor] = []
        self._pending: tuple[_Reading, list[str], Mapping[str, Any]] | None = None

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Take in the named scalars of one micro-batch."""
        self._names = list(losses)
        self._parts.append(torch.stack([value.detach().float() for value in losses.values()]))

    def step(self, record: Mapping[str, Any]) -> None:
        """End an optimiser step.

        Args:
            record: What the log says of it beside the losses: `step`, and more.

        Raises:
            TrainingError: A loss of the step before is NaN or infinite.
        """
        stacked = self._accelerator.reduce(torch.stack(self._parts), "mean")
        self._parts = []
        reading = _Reading(stacked)
        self.flush()
        self._pending = (reading, self._names, record)

    def flush(self) -> None:
        """Keep the record of the last step, if that has not been done.

        Raises:
            TrainingError: One of its losses is NaN or infinite.
        """
        if self._pending is None:
            return
        (reading, names, record), self._pending = self._pending, None
        rows = reading.rows()
        losses = {name: sum(row[at] for row in rows) / len(rows) for at, name in enumerate(names)}
        require_finite(losses, record["step"], self._run)
        first = {name: record[name] for name in ("step", "epoch") if name in record}
        keep(self._accelerator, self._run, {**first, **losses, **record})
        self._advance(record["step"], losses)


class _Reading:
    """A copy of a tensor on its way to the host."""

    def __init__(self, values: Tensor) -> None:
        self._values, self._arrived = values, None
        if values.device.type == "cuda":
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record()

    def rows(self) -> list[list[float]]:
        """Return the values; waits for the copy where that is still under way."""
        if self._arrived is not None:
            self._arrived.synchronize()
        found: list[list[float]] = self._values.tolist()
        return found


@contextmanager
def training_bar(total: int, completed: int, *, shown: bool) -> Iterator[Advance]:
    """Show a bar of `total` steps on stderr; if that is not a terminal, print a line after every tenth of the steps."""
    console = Console(stderr=True)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    interactive = console.is_terminal
    with Progress(*columns, console=console, disable=not (shown and interactive)) as bar:
        task = bar.add_task("training", total=total, completed=completed, losses="")

        def advance(step: int, losses: Mapping[str, float]) -> None:
            text = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            bar.update(task, completed=step, losses=text)
            if shown and not interactive and (step % max(total // 10, 1) == 0 or step == total):
                print(f"step {step}/{total} {text}", file=sys.stderr, flush=True)

        yield advance
