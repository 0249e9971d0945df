"""Starts a run: sets up Accelerate, whose launcher owns device, precision and processes, and the run's folder."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, LoggerType, broadcast_object_list

from padkit.data.protocols.names import file_name
from padkit.errors import SettingsError, TrainingError, closest
from padkit.plugins import Discovery
from padkit.processes import cores
from padkit.runs.environment import describe_environment
from padkit.runs.folder import RunFolder, check_writable


def start(
    *,
    batch_size: int,
    accumulate: int = 1,
    tracker: str = "none",
    threads: int | None = None,
    out: str | None = None,
) -> Accelerator:
    """Return the Accelerator of this process.

    A batch does not depend on the number of processes: each takes a slice of it. On a machine without an accelerator,
    Accelerate is set to use the CPU; otherwise it would treat two processes of `torchrun` as two runs.

    Args:
        batch_size: Frames per optimiser step; must divide evenly among micro-batches and processes.
        accumulate: Micro-batches per optimiser step.
        tracker: A tracker of Accelerate, or `none`.
        threads: CPU threads per process; None shares the cores among the machine's processes, because launchers set
            OMP_NUM_THREADS to 1. Another value found in that variable is kept.
        out: Folder of a new run, which must be free and writable; None if it is named later or exists.

    Raises:
        SettingsError: The tracker is unknown, or the numbers are inconsistent.
        TrainingError: The folder already holds a run, or cannot be written.
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
    if out and accelerator.is_main_process:
        check_writable(Path(out))
    return accelerator


def loader_workers(asked: int | None, accelerator: Accelerator) -> int:
    """Return the number of loader processes: 0 when training on the CPU, up to eight with an accelerator."""
    if asked is not None:
        return asked
    return 0 if accelerator.device.type == "cpu" else min(8, cores())


def open_run(
    accelerator: Accelerator,
    out: str | None,
    resume: bool,
    name: str,
    settings: Mapping[str, Any],
    discovery: Discovery,
) -> RunFolder:
    """Make the run folder on the main process, or reopen it; all processes agree on its path.

    Args:
        accelerator: Tells the processes apart.
        out: The folder, or None for a new one under `runs/`, named by time and `name`.
        resume: Whether the run exists already.
        name: Identifies the run: names of recipe and protocol, and the seed.
        settings: The resolved settings.
        discovery: The plugins, for the record.
    """
    now = dt.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    paths = [Path(out) if out else Path("runs") / f"{now}-{file_name(name)}"]
    broadcast_object_list(paths)
    if accelerator.is_main_process and not resume:
        hardware = {"device": str(accelerator.device), "precision": accelerator.mixed_precision}
        hardware |= {"processes": accelerator.num_processes, "threads": torch.get_num_threads()}
        RunFolder.create(paths[0], settings, describe_environment(discovery, hardware))
    accelerator.wait_for_everyone()
    accelerator.project_configuration.set_directories(str(paths[0]))
    accelerator.project_configuration.logging_dir = str(paths[0])
    return RunFolder.reopen(paths[0])


def resume_arguments(argv: Sequence[str]) -> list[str]:
    """Replace `--resume DIR` by that run's settings, followed by the other arguments and `--out DIR`.

    Raises:
        TrainingError: `--resume` names no run.
    """
    words = [
        word
        for argument in argv
        for word in (argument.split("=", 1) if argument.startswith("--resume=") else [argument])
    ]
    if "--resume" not in words:
        return list(argv)
    at = words.index("--resume")
    if at + 1 >= len(words):
        raise TrainingError("--resume needs the folder of a run.")
    folder = words[at + 1]
    run = RunFolder.reopen(Path(folder))
    return ["--config", str(run.settings), *words[:at], *words[at + 2 :], "--out", folder, "--resume", folder]
