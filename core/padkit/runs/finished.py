"""Reads finished runs from their folders, and the runs of an ablation by cell. Imports no torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from padkit.errors import DataError
from padkit.evaluation.results import Results, read_results
from padkit.evaluation.scores import Scores, read_scores
from padkit.runs.folder import RunFolder, read_step

ABLATION = "results.csv"
DATA = {"division": dict, "preparation": dict, "tables": list}


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """One finished run.

    Attributes:
        label: Its name in figures.
        folder: Its folder.
        results: Its `metrics.json`.
        target: Scores of the target test set.
        source_dev: Scores of held-out source presentations, or None.
        settings: Its resolved settings.
        log: Records of its `log.jsonl`.
        environment: Its `environment.json`; empty if the file is missing.
        data: Its `data.json` (`padkit.training.outcome`); empty for runs of earlier versions.
    """

    label: str
    folder: RunFolder
    results: Results
    target: Scores
    source_dev: Scores | None
    settings: Mapping[str, Any]
    log: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Its folder as a path."""
        return self.folder.path

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.results.seed

    @property
    def stability(self) -> Mapping[str, Any] | None:
        """How its verdicts hold: `padkit.deploy.steady.Stable.record`; None if that was not measured."""
        return _stability(self.data)

    @property
    def selected(self) -> int | None:
        """Step whose weights it ships; None if unknown."""
        noted = self.data.get("selected_step")
        return int(noted) if noted is not None else read_step(self.folder.selected)


def read_runs(words: Iterable[str]) -> list[FinishedRun]:
    """Read run folders and ablation folders, each given as `NAME=FOLDER` or `FOLDER`.

    A run without a name is labelled by the part of its path that differs from the others'. An ablation's runs are
    labelled by their cells; failed runs are left out.

    Raises:
        DataError: A folder holds neither a run nor an ablation, or a run is unfinished or damaged.
    """
    found: list[tuple[str, Path]] = []
    for word in words:
        name, path = _named(word)
        found += _cells(name, path) if (path / ABLATION).exists() else [(name, path)]
    blank = [path for name, path in found if not name]
    short = dict(zip(blank, distinct_names(blank), strict=True))
    return [read_run(path, name or short[path]) for name, path in found]


def read_run(path: Path, label: str = "") -> FinishedRun:
    """Read one run folder; its label is the folder's name unless another is given.

    Raises:
        DataError: It holds no finished run, or a file of it is damaged.
    """
    folder = RunFolder(path)
    if not folder.finished:
        cause = "an unfinished run" if folder.begun else "no run"
        raise DataError(f"{path}: holds {cause}; give the folder of a finished run or of an ablation.")
    dev = folder.source_dev_scores
    return FinishedRun(
        label=label or path.resolve().name,
        folder=folder,
        settings=folder.read_settings(),
        results=read_results(folder.metrics),
        target=read_scores(folder.scores),
        source_dev=read_scores(dev) if dev.exists() else None,
        log=folder.read_log(),
        environment=_facts(folder.environment),
        data=_data(folder),
    )


def stability_of(folder: RunFolder) -> Mapping[str, Any] | None:
    """Return how the verdicts of a finished run hold (`padkit.deploy.steady.Stable.record`), None if not measured.

    Raises:
        DataError: Its `data.json` is damaged.
    """
    return _stability(_data(folder)) if folder.data.exists() else None


def one_of_each(runs: Sequence[FinishedRun], target: str = "") -> list[FinishedRun]:
    """Return the first run of each label on one target, by default the target of the first run.

    If a method has several seeds, figures that need one model use the first.

    Raises:
        DataError: No run is tested on `target`.
    """
    wanted = target or runs[0].results.protocol.target
    chosen: dict[str, FinishedRun] = {}
    for run in runs:
        if run.results.protocol.target == wanted:
            chosen.setdefault(run.label, run)
    if not chosen:
        known = ", ".join(dict.fromkeys(run.results.protocol.target for run in runs))
        raise DataError(f"--target {wanted}: no run is tested on it, only on {known}.")
    return list(chosen.values())


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return names that distinguish paths: their parts without the common beginning and the common end."""
    parts = [path.resolve().parts for path in paths]
    if len(parts) < 2 or len(set(parts)) < len(parts):
        return [path.resolve().name for path in paths]
    shortest = min(map(len, parts))
    before = next(number for number in range(shortest + 1) if len({each[: number + 1] for each in parts}) > 1)
    after = next(
        number for number in range(shortest + 1) if len({each[len(each) - number - 1 :] for each in parts}) > 1
    )
    return ["/".join(each[before : len(each) - after]) or each[-1] for each in parts]


def _named(word: str) -> tuple[str, Path]:
    """Split `NAME=FOLDER`; a folder whose own name contains `=` is taken as a folder."""
    name, equals, folder = word.partition("=")
    if equals and name and folder and not Path(word).exists():
        return name, Path(folder).expanduser()
    return "", Path(word).expanduser()


def _cells(name: str, folder: Path) -> list[tuple[str, Path]]:
    """Return (cell, run folder) of an ablation's finished runs."""
    path = folder / ABLATION
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # A run that was taken from a file of kept runs has no folder.
            rows = [row for row in csv.DictReader(file) if row["status"] == "finished" and row["folder"]]
        found = [(f"{name}: {row['cell']}" if name else row["cell"], folder / row["folder"]) for row in rows]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); give the folder of an ablation.") from error
    if not found:
        raise DataError(f"{path}: no run of this ablation has finished in a folder of its own; run it on.")
    return found


def _data(folder: RunFolder) -> dict[str, Any]:
    """Return the run's `data.json`; of an earlier version's run what its bundle says, the division alone.

    Raises:
        DataError: The file cannot be read, or is not what training writes.
    """
    if not folder.data.exists():
        division = _facts(folder.bundle).get("provenance", {}).get("protocol")
        return {"division": division} if division else {}
    found = _facts(folder.data)
    for name, kind in DATA.items():
        if not isinstance(found.get(name), kind):
            raise DataError(f"{folder.data}: `{name}` is missing or wrong; restore the file or remove it.")
    lacks = [name for name in ("train", "test") if name not in found["division"].get("parts", {})]
    lacks += [name for name in ("dataset", "key", "image_size") if name not in found["preparation"]]
    if lacks or not all(isinstance(table, str) for table in found["tables"]):
        raise DataError(f"{folder.data}: {lacks[0] if lacks else 'tables'} is missing or wrong; restore or remove it.")
    return found


def _stability(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = data.get("stability")
    return found if isinstance(found, Mapping) else None


def _facts(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty if the file is missing.

    Raises:
        DataError: It cannot be read, or holds something else.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); restore or remove it.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no JSON object; restore or remove it.")
    return content
