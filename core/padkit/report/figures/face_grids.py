"""Grids of faces: where students look (DTDA, Fig. 5), and what an aligner does to images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from padkit.data.presentation import BONA_FIDE
from padkit.report.figures.style import LIGHT, Palette, new_figure, plain_settings

TILE = 1.0  # inches
MARGIN = 1.15  # inches left of the faces, for the names of the rows
HEAT = "inferno"  # rises in lightness, so that it is readable without colour too
Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One run's row.

    Attributes:
        label: The run.
        heat: [n, H, W] in [0, 1].
        scores: P(bona fide) [n].
        threshold: Accepted iff score >= threshold.
    """

    label: str
    heat: Pixels
    scores: NDArray[np.float32]
    threshold: float


def attention_figure(
    images: Pixels,
    labels: NDArray[np.int64],
    kinds: Sequence[str],
    rows: Sequence[Attention],
    *,
    note: str = "",
    palette: Palette = LIGHT,
) -> Figure:
    """Draw faces at the top, and below them one row per run: the evidence for the true class, with the frame's score.

    Args:
        images: [n, H, W, 3], RGB in [0, 1].
        labels: [n], 1 = bona fide, 0 = attack.
        kinds: What each image shows [n].
        rows: Of each run.
        note: A note about all of them.
        palette: Colours.
    """
    title = f"Grad-CAM: what speaks for the true class{note}"
    with plain_settings():
        figure, grid = _grid(len(rows) + 1, len(images), title, palette, extra=0.85 + 0.17 * len(rows))
        for axes, image, label, kind in zip(grid[0], images, labels, kinds, strict=True):
            axes.imshow(image, interpolation="nearest", vmin=0, vmax=1)
            _head(axes, kind, int(label), palette)
        _name(grid[0, 0], "image", palette)
        for line, row in zip(grid[1:], rows, strict=True):
            _name(line[0], row.label, palette)
            for axes, image, heat, score, label in zip(line, images, row.heat, row.scores, labels, strict=True):
                axes.imshow(overlay(image, heat), interpolation="nearest")
                wrong = (score >= row.threshold) != (label == BONA_FIDE)
                verdict = "accepted" if score >= row.threshold else "rejected"
                text = axes.set_xlabel(f"{score:.2f} {verdict}", fontsize=7.5, labelpad=2)
                text.set(color=palette.attack if wrong else palette.text, weight="bold" if wrong else "normal")
        bar = figure.colorbar(
            ScalarMappable(Normalize(0, 1), HEAT), ax=grid, location="bottom", shrink=0.45, aspect=40, pad=0.01
        )
        bar.set_label(
            "evidence, each map scaled to its own maximum; below it the frame's score, bold where it is judged wrongly",
            color=palette.text,
        )
        bar.ax.tick_params(colors=palette.text)
    return figure


def overlay(image: Pixels, heat: Pixels) -> Pixels:
    """Return the grey image [H, W, 3] overlaid by the heat [H, W], which is more opaque where it is higher."""
    grey = np.repeat(image @ np.array([0.299, 0.587, 0.114], dtype=np.float32)[:, None], 3, axis=2)  # ITU-R BT.601
    colour = mpl.colormaps[HEAT](heat)[..., :3]
    share = (0.15 + 0.6 * heat)[..., None]
    mixed: Pixels = ((1 - share) * grey + share * colour).astype(np.float32)
    return mixed


def perturbation_figure(
    clean: Pixels,
    attacked: Pixels,
    labels: NDArray[np.int64],
    kinds: Sequence[str],
    *,
    title: str,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw images, what was added to them (amplified around grey), and the sums.

    All differences are amplified by the same factor, so that the largest one fills the range.

    Args:
        clean: [n, H, W, 3], RGB in [0, 1].
        attacked: [n, H, W, 3], likewise.
        labels: [n], 1 = bona fide, 0 = attack.
        kinds: What each image shows [n].
        title: Title of the figure.
        palette: Colours.
    """
    added = attacked - clean
    largest = np.abs(added).max(axis=(1, 2, 3))
    factor = amplification(added)
    with plain_settings():
        figure, grid = _grid(3, len(clean), title, palette, extra=0.55)
        shown = (clean, np.clip(0.5 + factor * added, 0, 1), attacked)
        for line, pictures, name in zip(
            grid, shown, ("image", f"added,\nx {factor:.0f}", "image\nwith it"), strict=True
        ):
            _name(line[0], name, palette)
            for axes, picture in zip(line, pictures, strict=True):
                axes.imshow(picture, interpolation="nearest", vmin=0, vmax=1)
        for axes, kind, label in zip(grid[0], kinds, labels, strict=True):
            _head(axes, kind, int(label), palette)
        for axes, most in zip(grid[1], largest, strict=True):
            axes.set_xlabel(f"largest {255 * most:.1f}/255", fontsize=7.5, labelpad=2, color=palette.text)
    return figure


def amplification(added: Pixels) -> float:
    """Return the factor that scales the largest difference to half of the range; 1 if there is no difference."""
    most = float(np.abs(added).max())
    return 0.5 / most if most > 0 else 1.0


def _grid(rows: int, columns: int, title: str, palette: Palette, *, extra: float) -> tuple[Figure, NDArray[np.object_]]:
    lines = title.count("\n") + 1
    figure = new_figure(rows * (TILE + 0.04) + 0.17 * lines + extra, palette, MARGIN + columns * (TILE + 0.04))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
    figure.suptitle(title, color=palette.text, fontsize=10)
    return figure, grid


def _head(axes: Axes, kind: str, label: int, palette: Palette) -> None:
    axes.set_title(kind, fontsize=8, color=palette.bona_fide if label == BONA_FIDE else palette.attack)


def _name(axes: Axes, name: str, palette: Palette) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6, color=palette.text, wrap=True)
