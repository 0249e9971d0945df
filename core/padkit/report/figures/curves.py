"""ROC and DET curves of several detectors, or of one detector on several sets, one panel per target (DTDA, Fig. 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.metrics import Floats, auc, roc
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.paired import spread
from padkit.report.figures.style import (
    LIGHT,
    LINES,
    MARKERS,
    WIDTH,
    Palette,
    dress,
    legend_below,
    new_figure,
    plain_settings,
)

RATES = (0.1, 0.5, 1, 2, 5, 10, 20, 40, 60)  # percent, the ticks of a DET curve
HIGHEST = 0.7  # share at which a DET ends; beyond it a detector is of no use
GRID = np.linspace(0, 1, 1001)
SIDE = 3.6  # inches of a panel if there are several


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a figure.

    Attributes:
        label: The detector, or the set that it was tested on.
        target: Title of the panel.
        runs: Scores of each of its runs (seeds); if there are several, the line is their mean.
        quiet: Draw it grey and thin, for comparison only.
    """

    label: str
    target: str
    runs: tuple[Scores, ...]
    quiet: bool = False


def roc_comparison(curves: Sequence[Curve], *, note: str = "", palette: Palette = LIGHT) -> Figure:
    """Draw attacks accepted (%) against bona fide accepted (%).

    Args:
        curves: At least one; a label has the same colour in every panel.
        note: A note about all panels, for example that the data are simulated.
        palette: Colours.

    Raises:
        DataError: A set of scores holds only one class.
    """

    def panel(axes: Axes, shown: Sequence[Curve], style: Callable[[Curve], dict[str, Any]]) -> None:
        for curve in shown:
            fpr, tpr = mean_roc(curve.runs)
            axes.plot(100 * fpr, 100 * tpr, **style(curve))
        axes.plot([0, 100], [100, 0], color=palette.quiet, linestyle=(0, (1, 2)), linewidth=0.9, label="FPR = FNR")
        axes.set(xlim=(-1, 101), ylim=(-1, 101), aspect="equal")
        axes.set(xlabel="attacks accepted, species pooled (%)", ylabel="bona fide accepted (%)")

    return _panels(curves, panel, "ROC", note, palette)


def det_comparison(
    curves: Sequence[Curve],
    *,
    points: Sequence[tuple[str, float, float]] = (),
    note: str = "",
    palette: Palette = LIGHT,
) -> Figure:
    """Draw attacks accepted against bona fide rejected, both in percent, on normal deviate scales.

    A detector with normally distributed scores gives a straight line, and the corner of few errors takes most of the
    space. A rate of zero is drawn as half a presentation. Arguments and errors as in `roc_comparison`; `points` are
    (label, FPR, FNR) to mark in every panel, shares in [0, 1].
    """
    lowest = min(_half_a_presentation(scores) for curve in curves for scores in curve.runs)
    ends = float(norm.ppf(min(lowest, 0.02))), float(norm.ppf(HIGHEST))
    ticks = [rate for rate in RATES if ends[0] <= norm.ppf(rate / 100) <= ends[1]]

    def panel(axes: Axes, shown: Sequence[Curve], style: Callable[[Curve], dict[str, Any]]) -> None:
        for curve in shown:
            fpr, tpr = mean_roc(curve.runs)
            low = min(_half_a_presentation(scores) for scores in curve.runs)
            x, y = (norm.ppf(np.clip(rates, low, 1 - low)) for rates in (fpr, 1 - tpr))
            axes.plot(x, y, **style(curve))
        axes.plot(ends, ends, color=palette.quiet, linestyle=(0, (1, 2)), linewidth=0.9, label="equal error")
        for number, (name, accepted, rejected) in enumerate(points):
            place = [float(norm.ppf(min(max(rate, lowest), 1 - lowest))) for rate in (accepted, rejected)]
            colour, marker = palette.marks[number % len(palette.marks)], MARKERS[number % len(MARKERS)]
            label = f"{name}: attacks {100 * accepted:.2f} %, bona fide {100 * rejected:.2f} %"
            axes.plot(*place, marker, color=colour, ms=7, mec=palette.background, zorder=3, label=label, clip_on=False)
        places = [float(norm.ppf(rate / 100)) for rate in ticks]
        names = [f"{rate:g}" for rate in ticks]
        axes.set_xticks(places, names)
        axes.set_yticks(places, names)
        axes.set(xlim=ends, ylim=ends, aspect="equal")
        axes.set(xlabel="attacks accepted, species pooled (%)", ylabel="bona fide rejected: BPCER (%)")

    return _panels(curves, panel, "DET", note, palette)


def mean_roc(runs: Sequence[Scores]) -> tuple[Floats, Floats]:
    """Return FPR and TPR of all vertices of one run, or the mean TPR of several runs at equal FPR (Fawcett 2006)."""
    if len(runs) == 1:
        curve = roc(runs[0].label, runs[0].score)
        return curve.fpr, curve.tpr
    return GRID, np.mean([_tpr_at(GRID, scores) for scores in runs], axis=0)


def _tpr_at(grid: Floats, scores: Scores) -> Floats:
    """Return the TPR at each FPR of `grid`: the upper end where the ROC is vertical, linear interpolation elsewhere."""
    curve = roc(scores.label, scores.score)
    last = np.append(curve.fpr[1:] != curve.fpr[:-1], True)
    rates: Floats = np.interp(grid, curve.fpr[last], curve.tpr[last])
    return rates


def _half_a_presentation(scores: Scores) -> float:
    fewer = min(int(np.sum(scores.label == BONA_FIDE)), int(np.sum(scores.label == ATTACK)))
    return 0.5 / max(fewer, 1)


def _panels(
    curves: Sequence[Curve],
    panel: Callable[[Axes, Sequence[Curve], Callable[[Curve], dict[str, Any]]], None],
    name: str,
    note: str,
    palette: Palette,
) -> Figure:
    targets = list(dict.fromkeys(curve.target for curve in curves))
    labels = list(dict.fromkeys(curve.label for curve in curves))
    names = {label: _name(label, [curve for curve in curves if curve.label == label]) for label in labels}

    def style(curve: Curve) -> dict[str, Any]:
        if curve.quiet:
            return {"color": palette.quiet, "lw": 1.1, "label": names[curve.label]}
        number = labels.index(curve.label)
        colour = palette.series[number % len(palette.series)]
        # When the colours are used up, they repeat with another line style.
        line = LINES[(number + number // len(palette.series)) % len(LINES)]
        return {"color": colour, "linestyle": line, "lw": 1.7, "label": names[curve.label]}

    columns = min(len(targets), 2)
    rows = math.ceil(len(targets) / columns)
    size = (WIDTH, WIDTH) if columns == 1 else (SIDE * columns, SIDE * rows)
    with plain_settings():
        figure = new_figure(size[1] + 0.18 * len(labels), palette, size[0])
        figure.set_layout_engine("compressed")  # no gaps beside square panels
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, target in zip(grid, targets, strict=False):
            panel(axes, [curve for curve in curves if curve.target == target], style)
            dress(axes, palette, f"{name} on {target}{note}" if len(targets) == 1 else target, centred=True)
        for axes in grid[len(targets) :]:
            axes.set_axis_off()
        if len(targets) > 1:
            figure.suptitle(f"{name}{note}", color=palette.text)
        fullest = max(grid, key=lambda axes: len(axes.lines))
        legend_below(figure, fullest, palette)
    return figure


def _name(label: str, curves: Sequence[Curve]) -> str:
    """Return the label with its AUC: the mean over runs, and over targets if there are several."""
    areas = [[100 * auc(scores.label, scores.score) for scores in curve.runs] for curve in curves]
    if len(curves) > 1:
        return f"{label}, mean AUC {np.mean([np.mean(area) for area in areas]):.2f} %"
    found = spread(areas[0])
    if found.deviation is None:
        return f"{label}, AUC {found.mean:.2f} %"
    return f"{label}, AUC {found.mean:.2f} ± {found.deviation:.2f} % ({found.count} runs)"
