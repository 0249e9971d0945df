"""Starting Accelerate: the launcher owns device, precision and processes; this mends what it gets wrong on a CPU."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, LoggerType

from padkit.errors import SettingsError, closest
from padkit.processes import cores


def start(*, batch_size: int, accumulate: int = 1, tracker: str = "none", threads: int | None = None) -> Accelerator:
    """Return the Accelerator of this process.

    A batch is the same whatever the number of processes: each takes a slice of it. Without an accelerator Accelerate is
    told so, or it would take two processes of `torchrun` for two runs.

    Args:
        batch_size: Frames per optimiser step; must divide evenly among micro-batches and processes.
        accumulate: Micro-batches per optimiser step.
        tracker: A tracker of Accelerate, or `none`.
        threads: CPU threads per process; None shares the cores among the machine's processes, because launchers set
            OMP_NUM_THREADS to 1. Another value found in that variable is kept.

    Raises:
        SettingsError: The tracker is unknown, or a number does not fit the others.
    """
    trackers = sorted({str(member.value) for member in LoggerType} - {"all"})
    if tracker not in ("none", *trackers):
        raise SettingsError(f"tracker {tracker!r} is unknown.{closest(tracker, ['none', *trackers])}")
    if accumulate < 1 or (threads is not None and threads < 1):
        raise SettingsError(f"accumulate ({accumulate}) and threads ({threads}) must be at least 1.")
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),
        gradient_accumulation_steps=accumulate,
        log_with=None if tracker == "none" else tracker,
        project_dir="runs",  # Accelerate wants one for its trackers; `open_run` names the real one
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )
    if batch_size % (accumulate * accelerator.num_processes):
        shares = f"{accumulate} micro-batches x {accelerator.num_processes} processes"
        raise SettingsError(f"batch_size {batch_size} does not divide into {shares}; choose a multiple.")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if threads is not None:
        torch.set_num_threads(threads)
    elif os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(cores() // processes, 1))
    return accelerator


def loader_workers(asked: int | None, accelerator: Accelerator) -> int:
    """Return the loader processes: none on a CPU that trains itself, up to eight beside an accelerator."""
    if asked is not None:
        return asked
    return 0 if accelerator.device.type == "cpu" else min(8, cores())
