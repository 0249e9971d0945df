"""The run folder: everything a run leaves behind, each file written whole or not at all.

`settings.yaml` (pass it back with `--config`), `environment.json`, `log.jsonl` (one line a step or an evaluation),
`checkpoints/` (to resume), `model/` (the bundle), `scores.parquet`, `metrics.json`, `report/index.html`.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from padkit.errors import TrainingError
from padkit.files import read_json_lines, write_atomically, write_json
from padkit.plugins import Discovery

LIBRARIES = ("padkit", "torch", "torchvision", "timm", "accelerate", "datasets", "safetensors", "numpy", "scikit-learn")


class RunFolder:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.yaml"
        self.environment = path / "environment.json"
        self.log_file = path / "log.jsonl"
        self.checkpoints = path / "checkpoints"
        self.selected = path / "checkpoints" / "selected.safetensors"
        self.selected_aligner = path / "checkpoints" / "selected_aligner.safetensors"
        self.model = path / "model"
        self.scores = path / "scores.parquet"
        self.source_dev_scores = path / "scores_source_dev.parquet"
        self.target_dev_scores = path / "scores_target_dev.parquet"
        self.metrics = path / "metrics.json"
        self.report = path / "report"

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, Any], environment: Mapping[str, Any]) -> RunFolder:
        """Make the folder and write its settings and environment.

        Raises:
            TrainingError: The folder already holds a run, or cannot be written.
        """
        check_writable(path)
        run = cls(path)
        run.checkpoints.mkdir(exist_ok=True)
        write_json(run.environment, environment)
        write_atomically(run.settings, yaml.safe_dump(dict(settings), sort_keys=False).encode())
        return run

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises:
            TrainingError: There is no run.
        """
        run = cls(path)
        if not run.settings.exists():
            raise TrainingError(f"--resume {path}: no settings.yaml there; give the folder of a run.")
        return run

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one record to `log.jsonl` and flush it."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Return the records of `log.jsonl`; a last line that a kill cut short is left out."""
        return read_json_lines(self.log_file)

    def rewind_log(self, step: int) -> None:
        """Drop what was logged after `step`: a resumed run does these steps again."""
        kept = [record for record in self.read_log() if record["step"] <= step]
        write_atomically(self.log_file, "".join(json.dumps(record) + "\n" for record in kept).encode())


def check_writable(path: Path) -> None:
    """Make the folder of a new run, so that hours of work do not end in "permission denied".

    Raises:
        TrainingError: The folder already holds a run, or cannot be written.
    """
    if (path / "settings.yaml").exists():
        raise TrainingError(f"{path} already holds a run; continue it with --resume {path} or choose another --out.")
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingError(f"run folder {path} cannot be written: {error.strerror}; choose another --out.") from error


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
        out: The folder, or None for a fresh one named by time and `name` under `runs/`.
        resume: Whether the run exists already.
        name: What distinguishes the run.
        settings: The resolved settings.
        discovery: The plugins, for the record.
    """
    now = dt.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    paths = [Path(out) if out else Path("runs") / f"{now}-{name}"]
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
    """Put the settings of the run that `--resume DIR` names before the other arguments, and `--out DIR` after them.

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


def describe_environment(discovery: Discovery, hardware: Mapping[str, Any]) -> dict[str, Any]:
    """Return versions, platform, source revision, command and plugin table; `hardware` comes from Accelerate."""
    return {
        "command": [sys.executable, *sys.argv],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "revision": _revision(),
        "hardware": dict(hardware),
        "plugins": [
            {"name": p.name, "distribution": p.distribution, "version": p.version, "problem": p.problem}
            for p in discovery.plugins
        ],
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _revision() -> str:
    """Return the git revision of the source tree with `+` where it has changes; "" for an installed wheel."""
    folder = Path(__file__).parent
    try:
        head = _git("rev-parse", "HEAD", folder=folder)
        return head + ("+" if head and _git("status", "--porcelain", "--untracked-files=no", folder=folder) else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603, S607
    return done.stdout.strip()
