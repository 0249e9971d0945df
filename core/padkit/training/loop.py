"""What every training loop does at a step: seed it, refuse NaN, keep its record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator

from padkit.errors import TrainingError
from padkit.runs.folder import RunFolder


def seed_step(accelerator: Accelerator, seed: int, micro_step: int) -> None:
    """Seed torch anew at a micro-step, so that a resumed run draws what an uninterrupted one would.

    Args:
        accelerator: Each process draws its own numbers.
        seed: The run's seed.
        micro_step: Micro-batches done since training began.
    """
    torch.manual_seed(seed + 1_000_003 * (micro_step * accelerator.num_processes + accelerator.process_index))


def require_finite(losses: Mapping[str, float], step: int, run: RunFolder) -> None:
    """Stop before a NaN reaches the weights; what was saved before stays.

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
