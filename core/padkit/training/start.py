"""Starts a run: sets up Accelerate, whose launcher owns device, precision and processes, and the run's folder."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.util
import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import (
    DataLoaderConfiguration,
    DistributedType,
    InitProcessGroupKwargs,
    LoggerType,
    broadcast_object_list,
)

from padkit.catalog import Catalog
from padkit.data.protocols.names import file_name
from padkit.errors import SettingsError, TrainingError, closest, one_line, pip_install
from padkit.plugins import Discovery
from padkit.processes import cores
from padkit.runs.comparison import (
    SETTINGS,
    added_since,
    check_facts,
    check_settings,
    check_untouched,
    digest_of,
    facts_of,
)
from padkit.runs.environment import describe_environment
from padkit.runs.folder import RunFolder, check_writable
from padkit.settings import Settings, Slot, read_settings
from padkit.training.compiling import enable_fast_kernels
from padkit.training.sharding import mark_sharded
from padkit.training.threads import Threads, ThreadTuner, begin_threads

FLUSH_EVERY = 10.0  # seconds between what TensorBoard writes
# One process alone prepares data or asks the aligner's judge, for hours if need be, while others wait for its answer.
PATIENCE = dt.timedelta(hours=12)
RUNS = Path("runs")  # in the working folder: where a run goes that names no folder
# Variables by which Accelerate's launcher asks for a sharded model.
SHARDING = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "tensor or context parallelism",
}
Options = TypeVar("Options")


def start(
    *, batch_size: int, accumulate: int = 1, tracker: str = "none", shards: bool = False,
    clip_norm: float | None = None,
) -> Accelerator:  # fmt: skip
    """Return the Accelerator of this process.

    A batch does not depend on the number of processes: each takes a slice of it. On a machine without an accelerator,
    Accelerate is set to use the CPU; otherwise it would treat two processes of `torchrun` as two runs.

    Args:
        batch_size: Frames per optimiser step; must divide evenly among micro-batches and processes.
        accumulate: Micro-batches per optimiser step.
        tracker: A tracker of Accelerate whose package is installed, or `none`.
        shards: The recipe can share out weights among processes; see `padkit.training.sharding.is_sharded`.
        clip_norm: Length that the recipe shortens gradients to, if it does.

    Raises:
        SettingsError: The tracker is unknown or not installed, the precision cannot be had, the numbers are
            inconsistent, or the launch's configuration would override one.
    """
    check_tracker(tracker)
    if accumulate < 1:
        raise SettingsError(f"accumulate ({accumulate}) must be at least 1.")
    sharded = shards and asks_for_fsdp2()
    passed_over = drop_sharding(keep=("FSDP",) if sharded else ("DeepSpeed",) if shards and deepspeed_fits() else ())
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),
        gradient_accumulation_steps=accumulate,
        log_with=None if tracker == "none" else tracker,
        project_dir="runs",  # Accelerate wants one for its trackers; `open_run` names the real one
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )
    check_precision(accelerator, sharded=sharded)
    check_launch(accelerator, accumulate=accumulate, clip_norm=clip_norm)
    if sharded and accelerator.num_processes > 1:
        mark_sharded(accelerator)
    if passed_over:
        accelerator.print(
            f"note: Accelerate is configured for {passed_over}, which padkit does not use here: every process holds "
            "the whole model; `accelerate config` changes it."
        )
    if batch_size % (accumulate * accelerator.num_processes):
        shares = f"{accumulate} micro-batches x {accelerator.num_processes} processes"
        raise SettingsError(f"batch_size {batch_size} does not divide into {shares}; choose a multiple.")
    enable_fast_kernels(accelerator.device)
    return accelerator


def choose_threads(accelerator: Accelerator, asked: Threads, *, steady: bool = False) -> ThreadTuner:
    """Set the CPU threads of this process and return what keeps their number right; see `padkit.training.threads`.

    Args:
        accelerator: Its device and number of processes.
        asked: `--threads`.
        steady: Keep the number that the load at the start suggests, as with several processes: compiled networks are
            made for one number, and a recipe may time no steps.

    Raises:
        SettingsError: The number is below 1.
    """
    return begin_threads(
        asked, on_cpu=accelerator.device.type == "cpu", steady=steady or accelerator.num_processes > 1,
        tell=accelerator.print,
    )  # fmt: skip


def check_tracker(name: str) -> None:
    """Refuse a tracker that would track nothing.

    Raises:
        SettingsError: The tracker is unknown, or its package is not installed.
    """
    trackers = sorted({str(member.value) for member in LoggerType} - {"all"})
    if name not in ("none", *trackers):
        raise SettingsError(f"tracker {name!r} is unknown.{closest(name, ['none', *trackers])}")
    installed = sorted(str(getattr(member, "value", member)) for member in get_available_trackers())
    if name not in ("none", *installed):
        others = ", ".join([*installed, "none"])
        raise SettingsError(f"tracker {name!r} is not installed; {pip_install(name)} or choose from: {others}.")


def begin_tracking(accelerator: Accelerator) -> None:
    """Start the trackers.

    Raises:
        TrainingError: One cannot start, for example because nobody is logged in to its service.
    """
    try:
        accelerator.init_trackers("padkit")
        for tracker in accelerator.trackers:
            _flush_seldom(getattr(tracker, "writer", None))
    except Exception as error:
        raise TrainingError(
            f"tracker {accelerator.log_with[0]} cannot start ({one_line(error)}); set it up, or use --tracker none."
        ) from error


def _flush_seldom(writer: Any) -> None:
    """Have TensorBoard's writer flush every few seconds at most: Accelerate flushes it after each record."""
    flush, last = getattr(writer, "flush", None), time.monotonic()
    if flush is None:
        return

    def seldom() -> None:
        nonlocal last
        if time.monotonic() - last >= FLUSH_EVERY:
            flush()
            last = time.monotonic()

    writer.flush = seldom


def check_precision(accelerator: Accelerator, *, sharded: bool) -> None:
    """Refuse float16 where Accelerate would compute in float32, or scale gradients that it does not see whole.

    Raises:
        SettingsError: float16 on a CPU, or of a sharded objective; 8 bits.
    """
    if accelerator.mixed_precision == "fp8":
        raise SettingsError("--mixed_precision fp8: padkit trains in bf16, fp16 or no (float32); use one of them.")
    if accelerator.mixed_precision != "fp16":
        return
    if accelerator.device.type == "cpu":
        raise SettingsError("--mixed_precision fp16: a CPU does not compute in float16; use bf16 or no.")
    if sharded:
        raise SettingsError("--mixed_precision fp16: shared-out weights are trained in bf16 or no; use one of them.")


def check_launch(accelerator: Accelerator, *, accumulate: int, clip_norm: float | None) -> None:
    """Refuse options that the configuration of the launch overrides without a word.

    Args:
        accelerator: The launch.
        accumulate: Micro-batches per optimiser step that the recipe counts with.
        clip_norm: Length that it shortens gradients to, or None.

    Raises:
        SettingsError: The launch accumulates another number of micro-batches, or DeepSpeed clips itself.
    """
    plugin = getattr(accelerator, "deepspeed_plugin", None)
    for found in (accelerator.gradient_accumulation_steps, getattr(plugin, "gradient_accumulation_steps", "auto")):
        if found not in ("auto", accumulate):
            raise SettingsError(
                f"--accumulate {accumulate}: the launch says gradient_accumulation_steps {found}, which would count; "
                "give both the same number."
            )
    if clip_norm is not None and accelerator.distributed_type == DistributedType.DEEPSPEED:
        raise SettingsError(
            f"--clip_norm {clip_norm:g}: DeepSpeed clips gradients itself and ignores it; drop it and write "
            f"gradient_clipping: {clip_norm:g} under deepspeed_config in the launch's --config_file."
        )


def asks_for_fsdp2() -> bool:
    """Return whether Accelerate's launcher asks for FSDP in its second version."""
    asked = os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("true", "1")
    return asked and os.environ.get("FSDP_VERSION") == "2"


def deepspeed_fits() -> bool:
    """Return whether DeepSpeed is installed and the stage asked for leaves every process the whole weights."""
    stage = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    return importlib.util.find_spec("deepspeed") is not None and stage in ("0", "1", "2")


def drop_sharding(*, keep: Collection[str] = ()) -> str:
    """Let Accelerate forget a configuration that padkit does not use; return its names, or "" if there is none.

    `accelerate config` stores one answer for all programs of a user, and the launcher hands it on in variables. Weights
    are shared out by `padkit.training.sharding`, not by Accelerate, whose way knows nothing of an aligner that
    differentiates through the objective.

    Args:
        keep: Names of what is not spoken of: padkit does it itself, or leaves DeepSpeed to Accelerate.
    """
    found = [
        name
        for variable, name in SHARDING.items()
        if os.environ.get(variable, "").lower() in ("true", "1") and name not in keep
    ]
    for variable, name in SHARDING.items():
        if not (name == "DeepSpeed" and name in keep):
            os.environ.pop(variable, None)
    if "DeepSpeed" in found:  # the number stands in its configuration
        os.environ.pop("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", None)
    return " and ".join(found)


def loader_workers(asked: int | None, accelerator: Accelerator) -> int:
    """Return the number of loader processes: 0 when training on the CPU, up to eight with an accelerator."""
    if asked is not None:
        return asked
    return 0 if accelerator.device.type == "cpu" else min(8, cores())


def reserve_folder(accelerator: Accelerator, out: str | None, resume: str | None) -> None:
    """Make sure, before hours of work, that the run can be written where it will be; lock the folder if it is named.

    Raises:
        TrainingError: The folder already holds another run, is in use, or cannot be written.
    """
    if accelerator.is_main_process:
        if resume or out:
            RunFolder(resume or out or "").reserve(resumed=resume is not None)
        else:
            check_writable(RUNS)


def open_run(
    accelerator: Accelerator,
    out: str | None,
    resume: str | None,
    name: str,
    settings: Mapping[str, Any],
    discovery: Discovery,
    preparation: Mapping[str, Any],
) -> RunFolder:
    """Make the run folder on the main process, or reopen it; all processes agree on its path.

    Args:
        accelerator: Tells the processes apart.
        out: The folder, or None for a new one under `runs/`, named by time and `name`.
        resume: Folder of the run to continue, or None.
        name: Identifies the run: names of recipe and protocol, and the seed.
        settings: The resolved settings.
        discovery: The plugins, for the record.
        preparation: Facts of the prepared table.

    Raises:
        SettingsError: The run to continue was begun on other data or with another precision.
    """
    now = dt.datetime.now().astimezone()
    paths = [Path(resume or out or RUNS / f"{now.strftime('%Y%m%d-%H%M%S')}-{file_name(name)}")]
    broadcast_object_list(paths)
    run, precision = RunFolder(paths[0]), str(accelerator.mixed_precision)
    facts = facts_of(preparation, precision)
    if resume:
        check_facts(RunFolder.reopen(run.path), facts)
    if accelerator.is_main_process:
        hardware: dict[str, Any] = {"device": str(accelerator.device), "precision": precision}
        hardware |= {"processes": accelerator.num_processes, "threads": torch.get_num_threads()}
        environment = describe_environment(discovery, hardware) | {
            "begun_with": facts | {SETTINGS: digest_of(settings)}
        }
        if resume:
            run.extend(settings, {"time": now.isoformat(timespec="seconds"), **environment})
        else:
            if run.begun:
                accelerator.print(f"{run.path} holds what a run left that ended before its first checkpoint: replaced.")
            RunFolder.create(run.path, settings, environment)
    accelerator.wait_for_everyone()
    accelerator.project_configuration.set_directories(str(run.path))
    accelerator.project_configuration.logging_dir = str(run.path)
    return RunFolder.reopen(run.path)


def read_run_settings(
    recipe: type[Options], slots: Mapping[str, Slot], argv: Sequence[str], catalog: Catalog, prog: str
) -> Settings[Options]:
    """Return the settings of a new run, or with `--resume DIR` those of the run in DIR with what may change of them.

    Args:
        recipe: Its options, among them `out` and `resume`; for the others see `padkit.settings.read_settings`.
        slots: The recipe's places for components.
        argv: The command line without the program's name.
        catalog: The components.
        prog: The program's name, for its help.

    Raises:
        TrainingError: `--resume` names no run.
        SettingsError: An argument differs from what the run was begun with and may not; or see `read_settings`.
        PluginError: Unknown or broken component.
    """
    folder, words = split_resume(argv)
    if folder is None:
        settings = read_settings(recipe, slots, words, catalog, prog)
        if settings.tree["resume"] is not None:
            raise SettingsError(f"resume: {settings.tree['resume']} stands in a file; write --resume DIR on its own.")
        return settings
    run = RunFolder.reopen(Path(folder))
    check_untouched(run)
    own = ["--config", str(run.settings)]
    asked = read_settings(recipe, slots, [*own, "--resume", folder, *words], catalog, prog)
    there = read_settings(recipe, slots, own, catalog, prog)
    out = asked.tree["out"]
    if out != there.tree["out"] and (out is None or Path(out).resolve() != run.path.resolve()):
        raise SettingsError(f"--resume {folder} continues in that folder; drop --out {out}, or drop --resume.")
    check_settings(run, there.tree, asked.tree, added_since(run, there.tree))
    if (added := added_since(run, asked.tree)) and os.environ.get("LOCAL_RANK", "0") == "0":
        told = ", ".join(f"--{name} {value}" for name, value in added.items())
        print(f"note: {folder} was begun before padkit had {told}; give what the run did then.", file=sys.stderr)
    return dataclasses.replace(asked, tree={**asked.tree, "out": there.tree["out"], "resume": None})


def split_resume(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the folder that `--resume` names, None if it is not there, and the other words.

    Raises:
        TrainingError: `--resume` names no folder, or is there twice.
    """
    words = [
        word
        for argument in argv
        for word in (argument.split("=", 1) if argument.startswith("--resume=") else [argument])
    ]
    if "--resume" not in words:
        return None, words
    at = words.index("--resume")
    folder = words[at + 1] if at + 1 < len(words) else ""
    if not folder or folder.startswith("--"):
        raise TrainingError("--resume needs the folder of a run.")
    rest = [*words[:at], *words[at + 2 :]]
    if "--resume" in rest:
        raise TrainingError("--resume is there twice; continue one run at a time.")
    return folder, rest
