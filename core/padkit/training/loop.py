"""Steps that every training loop needs: seeding, stopping at NaN, logging, showing progress."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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


def require_finite(losses: Mapping[str, float], step: int, run: RunFolder) -> None:
    """Stop before a NaN reaches the weights; earlier checkpoints stay.

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
