"""Figures of scores and logs, which need no model. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from padkit.errors import DataError
from padkit.inspection.order import Order, slug
from padkit.inspection.runs import FinishedRun
from padkit.report.alignment import Course, alignment_figure
from padkit.report.curves import Curve, det_comparison, roc_comparison
from padkit.report.figures import score_figure, training_figure

Named = tuple[str, Figure]
"""The stem of a file's name, and what goes into it."""


def roc(order: Order) -> Iterator[Named]:
    """Draw the ROC of all runs, the mean over those of one label."""
    yield "roc", roc_comparison(_curves(order), note=order.note, palette=order.palette)


def det(order: Order) -> Iterator[Named]:
    """Draw the DET of all runs, the mean over those of one label."""
    yield "det", det_comparison(_curves(order), note=order.note, palette=order.palette)


def scores(order: Order) -> Iterator[Named]:
    """Draw each run's histograms of scores with the policies' thresholds."""
    for run in order.chosen():
        title = order.name(run)
        figure = score_figure(run.results, run.target, run.source_dev, title=title, palette=order.palette)
        yield f"scores-{slug(run.label)}", figure


def training(order: Order) -> Iterator[Named]:
    """Draw each run's losses over the steps.

    Raises:
        DataError: No run logged a number.
    """
    drawn = []
    for run in order.chosen():
        title = order.name(run)
        figure = training_figure(run.log, title=title, selected=run.selected, palette=order.palette)
        drawn += [(f"training-{slug(run.label)}", figure)] if figure is not None else []
    if not drawn:
        raise DataError("no run has a log.jsonl with numbers, so there is no course of training.")
    yield from drawn


def alignment(order: Order) -> Iterator[Named]:
    """Draw how well the source domain is told over the steps, a line per run.

    Raises:
        DataError: No run logged it.
    """
    courses = [
        Course(label=run.label, domains=len(run.results.protocol.sources), log=run.log) for run in order.chosen()
    ]
    figure = alignment_figure(courses, note=order.note, palette=order.palette)
    if figure is None:
        raise DataError("no run logged how well the domain is told; that needs two source domains or more.")
    yield "alignment", figure


def _curves(order: Order) -> list[Curve]:
    grouped: dict[tuple[str, str], list[FinishedRun]] = {}
    for run in order.runs:
        target = run.results.protocol.target
        if order.target in ("", target):
            grouped.setdefault((run.label, target), []).append(run)
    return [
        Curve(label=label, target=target, runs=tuple(run.target for run in runs))
        for (label, target), runs in grouped.items()
    ]
