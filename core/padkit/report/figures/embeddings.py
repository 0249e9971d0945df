"""Embeddings in a plane, one row per run: coloured by class on the left, by domain on the right (DTDA, Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.report.figures.style import LIGHT, Palette, new_figure, plain_settings

WIDTH, PANEL = 7.2, 3.3  # inches
DOMAIN_MARKERS = ("o", "s", "D", "X", "v", "p")  # no triangles, which attacks have


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """The frames of one run in a plane.

    Attributes:
        label: The run.
        places: [n, 2], without unit.
        labels: [n], 1 = bona fide, 0 = attack.
        domains: [n], names.
        test: [n], whether a frame is of the test set; the others are held-out source.
        probe: Share in [0, 1] of these frames whose source domain a linear probe names correctly; None if unknown.
        sources: Number of source domains.
    """

    label: str
    places: NDArray[np.float32]
    labels: NDArray[np.int64]
    domains: NDArray[np.str_]
    test: NDArray[np.bool_]
    probe: float | None
    sources: int


def planes_figure(planes: Sequence[Plane], *, note: str = "", palette: Palette = LIGHT) -> Figure:
    """Draw each run's frames twice.

    Args:
        planes: At least one; all of the same frames.
        note: A note about all panels, for example that the data are simulated.
        palette: Colours.
    """
    with plain_settings():
        figure = new_figure(PANEL * len(planes) + 0.9, palette, WIDTH)
        grid = figure.subplots(len(planes), 2, squeeze=False)
        for (left, right), each in zip(grid, planes, strict=True):
            _classes(left, each, palette)
            _domains(right, each, palette)
            _frame(left, palette, f"{each.label}: by class")
            _frame(right, palette, f"{each.label}: by domain")
            right.set_xlabel(_probe(each), color=palette.text, fontsize=8, loc="right")
        count, test = len(planes[0].test), int(planes[0].test.sum())
        title = f"t-SNE of the student's embeddings{note}: {test} test frames, {count - test} of held-out source"
        reading = "Neighbours are alike; axes and distances between groups have no meaning."
        figure.suptitle(f"{title}\n{reading}", fontsize=9, color=palette.text)
        _legend(figure, grid[0, 0], "outside lower left", palette)
        _legend(figure, grid[0, 1], "outside lower right", palette)
    return figure


def _classes(axes: Axes, plane: Plane, palette: Palette) -> None:
    for label, name, colour, marker in (
        (ATTACK, "attack", palette.attack, "^"),
        (BONA_FIDE, "bona fide", palette.bona_fide, "o"),
    ):
        for test in (False, True):
            rows = (plane.labels == label) & (plane.test == test)
            _points(axes, plane, rows, colour, marker, f"{name}, {'test' if test else 'source'}", palette, filled=test)


def _domains(axes: Axes, plane: Plane, palette: Palette) -> None:
    """Draw source domains in colours, and domains that are only tested on in the colour of the text."""
    names = sorted(set(plane.domains.tolist()), key=lambda name: (bool(plane.test[plane.domains == name].all()), name))
    for number, name in enumerate(names):
        unseen = bool(plane.test[plane.domains == name].all())
        colour = palette.text if unseen else palette.series[number % len(palette.series)]
        told, marker = f"{name} (test)" if unseen else name, DOMAIN_MARKERS[number % len(DOMAIN_MARKERS)]
        _points(axes, plane, plane.domains == name, colour, marker, told, palette, filled=True)


def _points(
    axes: Axes, plane: Plane, rows: NDArray[np.bool_], colour: str, marker: str, label: str,
    palette: Palette, *, filled: bool,
) -> None:  # fmt: skip
    face = colour if filled else "none"
    edge = palette.background if filled else colour
    axes.scatter(
        plane.places[rows, 0], plane.places[rows, 1], s=15, marker=marker, facecolors=face, edgecolors=edge,
        linewidths=0.3 if filled else 0.8, alpha=0.85, label=label,
    )  # fmt: skip


def _frame(axes: Axes, palette: Palette, title: str) -> None:
    axes.set_title(title, loc="left", color=palette.text)
    axes.set_facecolor(palette.background)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.04)
    for spine in axes.spines.values():
        spine.set_color(palette.quiet)


def _probe(plane: Plane) -> str:
    if plane.probe is None:
        return ""
    chance = f"chance {100 / plane.sources:.0f} %"
    return f"source domain named by a linear probe: {100 * plane.probe:.0f} % ({chance})"


def _legend(
    figure: Figure, axes: Axes, place: Literal["outside lower left", "outside lower right"], palette: Palette
) -> None:
    """Draw the legend below a column."""
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc=place, ncols=2, labelcolor=palette.text, fontsize=8)
    legend.get_frame().set(facecolor=palette.background, edgecolor=palette.grid)
