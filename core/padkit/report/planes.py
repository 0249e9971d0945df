"""Embeddings in a plane, a row per run: coloured by class on the left, by domain on the right (DTDA, Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.report.style import LIGHT, Palette, new_figure, plain_settings

WIDTH, PANEL = 7.2, 3.3  # inches
DOMAIN_MARKERS = ("o", "s", "D", "v", "p", "X")  # the last is the target's; no triangle that attacks have


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Frames in a plane.

    Attributes:
        label: The run.
        places: [n, 2], without unit.
        labels: [n], 1 = bona fide, 0 = attack.
        domains: [n], names.
        probe: Share in [0, 1] of these frames whose domain, among the sources, a linear probe names; None where it
            cannot be told.
        sources: Number of source domains.
    """

    label: str
    places: NDArray[np.float32]
    labels: NDArray[np.int64]
    domains: NDArray[np.str_]
    probe: float | None
    sources: int


def planes_figure(planes: Sequence[Plane], target: str, *, note: str = "", palette: Palette = LIGHT) -> Figure:
    """Draw each run's frames twice.

    Args:
        planes: At least one; all of the same frames.
        target: The domain that was not trained on, told apart by its colour.
        note: What must be known of all panels, for example that the data are simulated.
        palette: Colours.
    """
    domains = [name for name in dict.fromkeys(sorted(planes[0].domains.tolist())) if name != target]
    with plain_settings():
        figure = new_figure(PANEL * len(planes) + 0.9, palette, WIDTH)
        grid = figure.subplots(len(planes), 2, squeeze=False)
        for (left, right), each in zip(grid, planes, strict=True):
            _classes(left, each, target, palette)
            _domains(right, each, [*domains, target], palette)
            _frame(left, palette, f"{each.label}: by class")
            _frame(right, palette, f"{each.label}: by domain")
            right.set_xlabel(_probe(each), color=palette.text, fontsize=8, loc="right")
        count = len(planes[0].labels)
        title = f"t-SNE of the student's embeddings{note}: {count} frames of {target} (test) and held-out source"
        reading = "Neighbours are alike; axes and distances between groups have no meaning."
        figure.suptitle(f"{title}\n{reading}", fontsize=9, color=palette.text)
        _legend(figure, grid[0, 0], "outside lower left", palette)
        _legend(figure, grid[0, 1], "outside lower right", palette)
    return figure


def _classes(axes: Axes, plane: Plane, target: str, palette: Palette) -> None:
    for label, name, colour, marker in (
        (ATTACK, "attack", palette.attack, "^"),
        (BONA_FIDE, "bona fide", palette.bona_fide, "o"),
    ):
        for unseen in (False, True):
            rows = (plane.labels == label) & ((plane.domains == target) == unseen)
            told = f"{name}, {target}" if unseen else f"{name}, source"
            _points(axes, plane, rows, colour, marker, told, palette, filled=unseen)


def _domains(axes: Axes, plane: Plane, domains: Sequence[str], palette: Palette) -> None:
    for number, name in enumerate(domains):
        last = number == len(domains) - 1
        colour = palette.text if last else palette.series[number % (len(palette.series) - 2)]
        told = f"{name} (test)" if last else name
        _points(
            axes,
            plane,
            plane.domains == name,
            colour,
            DOMAIN_MARKERS[-1 if last else number % (len(DOMAIN_MARKERS) - 1)],
            told,
            palette,
            filled=True,
        )


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
    """Explain a column below it."""
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc=place, ncols=2, labelcolor=palette.text, fontsize=8)
    legend.get_frame().set(facecolor=palette.background, edgecolor=palette.grid)
