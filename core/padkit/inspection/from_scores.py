"""Figures of scores and logs, without a model. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from padkit.errors import DataError
from padkit.inspection.request import FigureRequest, slug
from padkit.report.figures.alignment import Course, alignment_figure
from padkit.report.figures.curves import Curve, det_comparison, roc_comparison
from padkit.report.figures.run import score_figure, training_figure
from padkit.runs.finished import FinishedRun

Named = tuple[str, Figure]
"""The stem of a file's name, and what goes into it."""


def roc(request: FigureRequest) -> Iterator[Named]:
    """Draw the ROC of all runs; runs with the same label are averaged."""
    yield "roc", roc_comparison(_curves(request), note=request.note, palette=request.palette)


def det(request: FigureRequest) -> Iterator[Named]:
    """Draw the DET of all runs; runs with the same label are averaged."""
    yield "det", det_comparison(_curves(request), note=request.note, palette=request.palette)


def scores(request: FigureRequest) -> Iterator[Named]:
    """Draw each run's histograms of scores with the policies' thresholds."""
    for run in request.chosen():
        title = request.name(run)
        figure = score_figure(run.results, run.target, run.source_dev, title=title, palette=request.palette)
        yield f"scores-{slug(run.label)}", figure


def training(request: FigureRequest) -> Iterator[Named]:
    """Draw each run's losses over the steps.

    Raises:
        DataError: No run logged a number.
    """
    drawn = []
    for run in request.chosen():
        title = request.name(run)
        figure = training_figure(run.log, title=title, selected=run.selected, palette=request.palette)
        drawn += [(f"training-{slug(run.label)}", figure)] if figure is not None else []
    if not drawn:
        raise DataError("no run has a log.jsonl with numbers, so there is no course of training.")
    yield from drawn


def alignment(request: FigureRequest) -> Iterator[Named]:
    """Draw how well the source domain is classified over the steps, one line per run.

    Raises:
        DataError: No run logged it.
    """
    courses = [
        Course(label=run.label, domains=len(run.results.protocol.sources), log=run.log) for run in request.chosen()
    ]
    figure = alignment_figure(courses, note=request.note, palette=request.palette)
    if figure is None:
        raise DataError("no run logged how well the domain is told; that needs two source domains or more.")
    yield "alignment", figure


def _curves(request: FigureRequest) -> list[Curve]:
    grouped: dict[tuple[str, str], list[FinishedRun]] = {}
    for run in request.runs:
        target = run.results.protocol.target
        if request.target in ("", target):
            grouped.setdefault((run.label, target), []).append(run)
    return [
        Curve(label=label, target=target, runs=tuple(run.target for run in runs))
        for (label, target), runs in grouped.items()
    ]
