"""A request for figures: of which runs, which frames, and how many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from padkit.errors import DataError
from padkit.evaluation.selection import checkpoint_mark
from padkit.report.figures.style import LIGHT, Palette
from padkit.runs.finished import FinishedRun, one_of_each


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRequest:
    """A request for figures.

    Attributes:
        runs: At least one. ROC and DET take all of them, other figures the first of each label on one target.
        target: That target; "" takes the first run's target for figures of single runs, and all targets otherwise.
        seed: Draws frames, and initialises t-SNE and attacks.
        points: Frames of a t-SNE, at most.
        faces: Faces of each class of a Grad-CAM, at most.
        palette: Colours.
        shown: Show the progress of preparing data.

    Raises:
        DataError: Some of the runs are on simulated data and some are not, or none is on the target.
    """

    runs: Sequence[FinishedRun]
    target: str = ""
    seed: int = 0
    points: int = 600
    faces: int = 4
    palette: Palette = LIGHT
    shown: bool = False

    def __post_init__(self) -> None:
        if len({run.results.protocol.simulated for run in self.runs}) > 1:
            raise DataError("runs on simulated and on real data do not belong into one figure; draw them apart.")
        one_of_each(self.runs, self.target)

    @property
    def note(self) -> str:
        """What every title says about the data, and about checkpoints that were chosen on the test set."""
        marks = {run.label: checkpoint_mark(run.results.checkpoint_selection) for run in self.runs}
        shared = len(set(marks.values())) == 1
        told = dict.fromkeys(mark if shared else f"{label}: {mark}" for label, mark in marks.items() if mark)
        return "".join([self._data(), *(f", {mark}" for mark in told)])

    def chosen(self) -> list[FinishedRun]:
        """Return the runs shown in figures of single runs."""
        return one_of_each(self.runs, self.target)

    def name(self, run: FinishedRun) -> str:
        """Return the title of a single run's figure."""
        mark = checkpoint_mark(run.results.checkpoint_selection)
        told = f", {mark}" if mark else ""
        return f"{run.label}: {run.results.protocol.name}, seed {run.seed}{self._data()}{told}"

    def _data(self) -> str:
        return self.runs[0].results.protocol.note


def slug(label: str) -> str:
    """Return a label as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", label).strip("-.") or "run"
