"""One run of an ablation: its folder, its state, and the command that starts or continues it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from padkit.ablation.plan import Cell
from padkit.errors import DataError, SettingsError
from padkit.files import write_json
from padkit.runs.comparison import first_difference
from padkit.runs.folder import BOOKKEEPING, RunFolder
from padkit.settings.layers import flatten

NOTE = "ablation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One cell with one target (or protocol) and one seed.

    Attributes:
        cell: The cell.
        target: Domain tested on, or name of the protocol.
        seed: Seed.
        folder: Its run folder.
        settings: The resolved settings that the run must have.
        facts: What else its figures depend on (the data's key, the precision); noted in `ablation.json`.
        options: Command line shared by all runs.
        option: The option of the recipe for `target`: `target` or `protocol`.
        script: File of the recipe; "" where the workers' command names it.
        given: Dotted names of the settings that a file or the command line set.
        content: Stands for all frames and labels, wherever they lie; "" if unknown.
    """

    cell: Cell
    target: str
    seed: int
    folder: Path
    settings: Mapping[str, Any]
    facts: Mapping[str, str]
    options: Sequence[str]
    option: str = "target"
    script: str = ""
    given: frozenset[str] = frozenset()
    content: str = ""

    @property
    def name(self) -> str:
        """A readable name of the run."""
        return f"{self.cell.name}, {self.target}, seed {self.seed}"

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is kept by: cell, target and seed."""
        return self.cell.name, self.target, self.seed

    @property
    def files(self) -> RunFolder:
        """Its files."""
        return RunFolder(self.folder)

    @property
    def metrics(self) -> Path:
        """The results; they exist once the run has finished."""
        return self.files.metrics

    @property
    def output(self) -> Path:
        """What the run printed; the file is beside the run folder, which may be deleted and made again."""
        return self.folder.with_name(f"{self.folder.name}.txt")

    @property
    def begun(self) -> bool:
        """Whether the folder holds a run, finished or not."""
        return self.files.begun

    @property
    def finished(self) -> bool:
        """Whether the run has its results."""
        return self.begun and self.files.finished

    @property
    def wanted(self) -> dict[str, Any]:
        """All that its figures depend on, by dotted key."""
        return comparable(self.settings, self.facts)

    def check(self) -> None:
        """Refuse a folder that holds a different run; nothing is ever overwritten.

        Raises:
            SettingsError: The folder holds a different run; the error names the first setting that differs.
        """
        if not self.begun:
            return
        try:
            there = self.files.read_settings()
            note = self.folder / NOTE
            facts = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
            found = comparable(there, {key: facts.get(key) for key in self.facts})
        except (OSError, ValueError, AttributeError, DataError) as error:
            raise SettingsError(
                f"{self.folder}: its settings cannot be read ({error}); choose another --out."
            ) from error
        if cause := first_difference(found, self.wanted):
            raise SettingsError(
                f"{self.folder} holds a run with other settings ({cause}); choose another --out or remove it."
            )

    def arguments(self) -> list[str]:
        """Prepare the folder and return the recipe's arguments, which resume from a checkpoint or start the run.

        A run that was interrupted before its first checkpoint starts again.
        """
        if self.begun and any(self.files.checkpoints.glob("step-*/progress.json")):
            return ["--resume", str(self.folder)]
        if self.begun:
            shutil.rmtree(self.folder)
        write_json(self.folder / NOTE, dict(self.facts))
        own = [f"--{self.option}", self.target, "--seed", str(self.seed), "--out", str(self.folder)]
        return [*self.options, *self.cell.arguments(), *own]

    def failure(self, status: int, since: int = 0) -> str:
        """Return the last error line that the output holds from byte `since` on, or how the process ended."""
        text = self.output.read_bytes()[since:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines()]
        told = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")]
        if status < 0:
            return f"killed by signal {-status}"
        return (told or [line for line in lines if line] or [f"exit status {status}"])[-1]

    def prune(self) -> None:
        """Remove the checkpoints to resume from; the model stays."""
        for checkpoint in self.files.checkpoints.glob("step-*"):
            shutil.rmtree(checkpoint)


def comparable(settings: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those that change no figure, and facts, as plain values by dotted key."""
    kept = {key: value for key, value in settings.items() if key not in BOOKKEEPING}
    plain: dict[str, Any] = yaml.safe_load(yaml.safe_dump(kept))
    return flatten(plain) | dict(facts)
