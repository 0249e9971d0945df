"""Figures of one run in addition to its ROC: the distribution of the scores and the losses over the steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.results import Results
from padkit.evaluation.scores import Scores
from padkit.evaluation.selection import TARGET_AUC
from padkit.report.figures.style import LIGHT, LINES, Palette, dress, legend_below, new_figure, plain_settings
from padkit.runs.folder import DISTILLATION, EVIDENCE

_BINS = np.linspace(0, 1, 41)
_NOT_A_SERIES = {"step", "epoch"}
WEIGHT = "weight/"  # a weight that changes over training


def score_figure(
    results: Results, target: Scores, source_dev: Scores | None = None, *, title: str = "", palette: Palette = LIGHT
) -> Figure:
    """Draw histograms of P(bona fide) by class with every policy's threshold; held-out source above target.

    The number of presentations is on a logarithmic scale, so that the few wrong ones are visible.
    """
    panels = [(f"target: {results.protocol.target}", target)]
    if source_dev is not None:
        panels.insert(0, ("held-out source", source_dev))
    with plain_settings():
        figure = new_figure(0.7 + 2.1 * len(panels), palette)
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
        for axes, (name, scores) in zip(grid[:, 0], panels, strict=True):
            _histogram(axes, results, scores, palette)
            axes.set_ylabel("presentations")
            dress(axes, palette, name)
        grid[-1, 0].set_xlabel("score: P(bona fide)")
        figure.suptitle(title, color=palette.text, fontsize=9)
        legend_below(figure, grid[-1, 0], palette, columns=2)
    return figure


def series(log: Iterable[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """Return name -> (steps, values) of every number in the log, by first appearance.

    Args:
        log: Records of `log.jsonl`; each has `step`, some have `epoch`, the rest are named values. Records without a
            step, texts, nested values and numbers that are not finite are skipped. If a resumed run logged a step
            twice, the later record counts.
    """
    found: dict[str, dict[float, float]] = {}
    for record in log:
        step: object = record.get("step")
        if not _is_number(step):
            continue
        for name, value in record.items():
            if name not in _NOT_A_SERIES and _is_number(value):
                found.setdefault(name, {})[step] = float(value)
    return {name: (sorted(points), [points[step] for step in sorted(points)]) for name, points in found.items()}


def training_figure(
    log: Iterable[Mapping[str, Any]], *, title: str = "", selected: int | None = None, palette: Palette = LIGHT
) -> Figure | None:
    """Draw the losses, the learning rate and the figures on held-out source over the steps, one small panel each.

    Args:
        log: Records of `log.jsonl`.
        title: Title of the figure.
        selected: Step whose weights the run ships; marked if known.
        palette: Colours.

    Returns:
        The figure, or None if the log holds no number.
    """
    curves = {head: points for name, points in series(log).items() if (head := _title(name))}
    if not curves:
        return None
    rows = math.ceil(len(curves) / 2)
    with plain_settings():
        figure = new_figure(0.5 + 1.55 * rows, palette)
        grid = figure.subplots(rows, 2, sharex=True, squeeze=False).ravel()
        for axes, (head, (steps, values)) in zip(grid, curves.items(), strict=False):
            _course(axes, steps, values, palette)
            if selected is not None:
                axes.axvline(selected, color=palette.attack, linestyle=":", linewidth=1.2)
            dress(axes, palette, head)
        figure.suptitle(title, color=palette.text, fontsize=9)
        for axes in grid[len(curves) :]:
            axes.set_axis_off()
        for axes in grid[max(0, len(curves) - 2) : len(curves)]:
            axes.set_xlabel("step")
            axes.tick_params(labelbottom=True)
        if selected is not None:
            figure.supxlabel(f"dotted: step {selected}, whose weights are shipped", color=palette.attack, fontsize=9)
    return figure


def _title(name: str) -> str:
    """Return a panel's title; "" for what `report.figures.alignment` and `report.page.distillation` show."""
    if name.startswith(DISTILLATION):
        return ""
    if name.startswith(WEIGHT):
        return f"weight of loss {name.removeprefix(WEIGHT)}"
    if not name.startswith(EVIDENCE):
        known = {"total": "loss, weighted sum", "lr": "learning rate", TARGET_AUC: "target (test set): AUC"}
        return known.get(name, f"loss: {name}")
    plain = name.removeprefix(EVIDENCE)
    known = {"auc": "held-out source: AUC", "eer": "held-out source: EER", "loss": "held-out source: log loss"}
    return "" if "domain_" in plain else known.get(plain, f"held-out source: {plain}")


def _histogram(axes: Axes, results: Results, scores: Scores, palette: Palette) -> None:
    for label, name, colour in ((ATTACK, "attack", palette.attack), (BONA_FIDE, "bona fide", palette.bona_fide)):
        values = scores.score[scores.label == label]
        axes.hist(values, bins=_BINS.tolist(), color=colour, alpha=0.3)
        axes.hist(values, bins=_BINS.tolist(), color=colour, histtype="step", linewidth=1.3, label=name)
    for number, entry in enumerate(results.results):
        colour, line = palette.marks[number % len(palette.marks)], LINES[number % len(LINES)]
        told = f"threshold {entry.policy}" + (" (chosen on the test set)" if entry.test_set_choice else "")
        axes.axvline(entry.threshold, color=colour, linestyle=line, label=told)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())  # ranges below a decade would get labels in mathematical notation
    axes.set_ylim(bottom=0.7)
    axes.set_xlim(0, 1)


def _course(axes: Axes, steps: list[float], values: list[float], palette: Palette) -> None:
    """Draw a curve; a long one is drawn pale, with its running mean over a twentieth of its length."""
    window = len(values) // 20
    if window < 2:
        axes.plot(steps, values, color=palette.bona_fide, linewidth=1.4, marker="o" if len(values) < 30 else "", ms=2.5)
    else:
        axes.plot(steps, values, color=palette.bona_fide, linewidth=0.6, alpha=0.4)
        mean = np.convolve(values, np.full(window, 1 / window), mode="valid")
        axes.plot(steps[window // 2 :][: len(mean)], mean, color=palette.bona_fide, linewidth=1.4)
    if max(values) - min(values) < 1e-4 * abs(max(values)):  # an offset of the axis is hard to read
        axes.set_ylim(*sorted((0, 1.25 * max(values))))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
