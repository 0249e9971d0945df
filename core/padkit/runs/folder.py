"""The run folder: the name of every file that a run leaves, each written completely or not at all. Imports no torch.

`settings.yaml` (pass it back with `--config`), `environment.json`, `log.jsonl` (one line per step or evaluation),
`checkpoints/` (to resume), `model/` (the bundle), scores, `metrics.json`, `data.json` (what was trained and tested on)
and `report/index.html`. Training writes the folder; everything that follows reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from padkit.deploy import BUNDLE
from padkit.errors import DataError, TrainingError
from padkit.files import read_json_lines, try_lock, write_atomically, write_json

# Settings that do not change a run's figures.
BOOKKEEPING = frozenset(
    {
        "out", "resume", "threads", "workers", "tracker", "checkpoint_every", "checkpoints_kept", "compile",
        "stability", "thumbnails",
    }
)  # fmt: skip
EVIDENCE = "source_dev/"  # what a log says of held-out source begins so
DISTILLATION = "distillation/"  # what a log says of how far teachers are imitated begins so
STEP = "step"  # a note in the head of a weights file: the training step that they are of
_locked: dict[Path, int] = {}  # the folders that this process trains in, until it ends


class RunFolder:
    """One run's folder.

    Attributes:
        path: The folder.
        settings: The resolved settings.
        environment: Versions, hardware, git revision, command, plugins.
        log_file: One JSON record per step or evaluation.
        checkpoints: Folder of the checkpoints to resume from.
        selected: Weights of the detector that the run ships.
        selected_aligner: The aligner's weights of the same step.
        model: Folder of the bundle; `bundle` describes it.
        scores: Scores of the target's presentations; the other two files hold the scores of held-out source and of the
            target's own dev split.
        metrics: The results; the file exists once the run has finished.
        data: What was trained and tested on (`write_json` of a mapping, see `padkit.training.outcome`).
        report: Folder of the page and its figures.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path = Path(path)
        self.settings = path / "settings.yaml"
        self.environment = path / "environment.json"
        self.log_file = path / "log.jsonl"
        self.checkpoints = path / "checkpoints"
        self.selected = path / "checkpoints" / "selected.safetensors"
        self.selected_aligner = path / "checkpoints" / "selected_aligner.safetensors"
        self.model = path / "model"
        self.bundle = path / "model" / BUNDLE
        self.scores = path / "scores.parquet"
        self.source_dev_scores = path / "scores_source_dev.parquet"
        self.target_dev_scores = path / "scores_target_dev.parquet"
        self.metrics = path / "metrics.json"
        self.data = path / "data.json"
        self.report = path / "report"

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, Any], environment: Mapping[str, Any]) -> RunFolder:
        """Make the folder and write its settings and environment; see `reserve`.

        Raises:
            TrainingError: The folder already holds a run, is in use, or cannot be written.
        """
        run = cls(path)
        run.reserve()
        run.checkpoints.mkdir(exist_ok=True)
        run.log_file.unlink(missing_ok=True)
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
        if not run.begun:
            raise TrainingError(f"--resume {path}: no {run.settings.name} there; give the folder of a run.")
        return run

    def reserve(self, *, resumed: bool = False) -> None:
        """Make the folder, so that hours of work do not end in "permission denied", and lock it until the process ends.

        A run that ended before its first checkpoint left nothing worth keeping: its folder may be taken again.

        Args:
            resumed: The folder's run is to be continued.

        Raises:
            TrainingError: The folder already holds another run, is in use, or cannot be written.
        """
        if self.begun and self.advanced and not resumed:
            raise TrainingError(
                f"{self.path} already holds a run; continue it with --resume {self.path} or choose another --out."
            )
        check_writable(self.path)
        place = self.path.resolve()
        if place in _locked:
            return
        lock = os.open(place / ".lock", os.O_RDWR | os.O_CREAT)
        if not try_lock(lock):
            os.close(lock)
            raise TrainingError(f"another process trains in {self.path}; wait for it or choose another --out.")
        _locked[place] = lock

    def release(self) -> None:
        """Unlock the folder: this process has written all that it will."""
        if (lock := _locked.pop(self.path.resolve(), None)) is not None:
            os.close(lock)

    @property
    def begun(self) -> bool:
        """Whether the folder holds a run, finished or not."""
        return self.settings.exists()

    @property
    def advanced(self) -> bool:
        """Whether training has left something to go on from or to read: a checkpoint, selected weights or results."""
        return self.finished or self.selected.exists() or any(self.checkpoints.glob("step-*"))

    @property
    def finished(self) -> bool:
        """Whether the run has its results."""
        return self.metrics.exists()

    def read_settings(self) -> dict[str, Any]:
        """Return the resolved settings; empty if the file holds none.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            content = yaml.safe_load(self.settings.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            cause = " ".join(str(error).split())
            raise DataError(f"{self.settings}: cannot be read ({cause}); restore it.") from error
        return content if isinstance(content, dict) else {}

    def extend(self, settings: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Record that the run goes on: its settings from now on, and under `continued` in what environment.

        Raises:
            DataError: The folder cannot be written.
        """
        before = self.read_environment()
        changed = {name: value for name, value in environment.items() if before.get(name) != value}
        if isinstance(before.get("begun_with"), dict):
            changed.pop("begun_with", None)
            before["begun_with"] |= environment.get("begun_with", {})
        write_json(self.environment, {**before, "continued": [*before.get("continued", []), changed]})
        write_atomically(self.settings, yaml.safe_dump(dict(settings), sort_keys=False).encode())

    def read_environment(self) -> dict[str, Any]:
        """Return the content of `environment.json`; empty if the file is missing or damaged, as it only informs."""
        try:
            content = json.loads(self.environment.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one record to `log.jsonl` and flush it."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Return the records of `log.jsonl`; a last line that a kill cut short is left out."""
        return read_json_lines(self.log_file)

    def rewind_log(self, step: int) -> None:
        """Drop the records logged after `step`, because a resumed run does these steps again."""
        kept = [record for record in self.read_log() if record["step"] <= step]
        write_atomically(self.log_file, "".join(json.dumps(record) + "\n" for record in kept).encode())


def check_writable(path: Path) -> None:
    """Make a folder and write into it, for a moment.

    Raises:
        TrainingError: It cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingError(f"run folder {path} cannot be written: {error.strerror}; choose another --out.") from error


def read_step(path: Path) -> int | None:
    """Return the training step in the header of a safetensors file; None if the file or the entry is missing."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            noted = (file.metadata() or {}).get(STEP)
    except (OSError, SafetensorError):
        return None
    return int(noted) if noted else None
