"""Draws what attack settings do to a face of each domain: clean, attacked, and the difference amplified.

    python benchmarks/attack_picture.py [--only 'pixels 2/255;opponent style, min-max'] [--steps 100] [--seed 0]
                                        [--out docs/world/attack.png]

The faces are simulated and held out; the attacked classifiers are trained on all four domains of the world, otherwise
as in `benchmarks/alignment.py`, whose settings these are. Each setting's largest changes are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from alignment import CANDIDATES, batch, train
from matplotlib.figure import Figure
from numpy.typing import NDArray

from padkit.alignment.fresh import perturb_all
from padkit.catalog import Catalog
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.report.figures.face_grids import amplification
from padkit.report.figures.style import LIGHT, new_figure, plain_settings, write_figure
from padkit.roles import Batch
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.world import SOURCES

Pixels = NDArray[np.float32]
NAMES = [domain.name for domain in SOURCES]


def faces(table: FrameTable, seed: int) -> NDArray[np.int64]:
    """Return one bona fide and one attack row of each domain's test split, drawn by the seed."""
    random = np.random.default_rng(seed)
    domain, label, split = (table.column(name) for name in ("domain", "label", "split"))
    kinds = [(domain == name) & (label == kind) & (split == "test") for name in NAMES for kind in (1, 0)]
    return np.array([random.choice(np.flatnonzero(kind)) for kind in kinds])


def attacked(setting: str, frames: Batch, shown: Batch, options: argparse.Namespace) -> Pixels:
    """Return `shown` as a setting attacks it, its classifiers trained on `frames`, [n, H, W, 3]."""
    torch.manual_seed(options.seed)
    kind, settings = CANDIDATES[setting]
    aligner = Catalog().build("aligner", kind, {**settings, "attacked_share": 1.0}, len(NAMES), 1)
    train(aligner, frames, options.steps, options.batch_size, options.seed)
    return pixels(perturb_all(aligner.perturb, shown))


def pixels(images: torch.Tensor) -> Pixels:
    """Return [n, 3, H, W] as [n, H, W, 3]."""
    return images.permute(0, 2, 3, 1).contiguous().numpy()


def draw(clean: Pixels, results: Sequence[tuple[str, Pixels]], heads: Sequence[str]) -> Figure:
    """Return the figure: clean images, then for each setting the attacked ones and the differences around grey."""
    lines: list[tuple[str, Pixels]] = [("clean", clean)]
    for name, images in results:
        factor, most = amplification(images - clean), 255 * np.abs(images - clean).max(axis=(1, 2, 3))
        added = f"difference x {factor:.1f};\nlargest {most.min():.0f} to {most.max():.0f}\nof 255"
        lines += [(name.replace(", ", ",\n"), images), (added, 0.5 + factor * (images - clean))]
    with plain_settings():
        figure = new_figure(1.15 * len(lines) + 0.5, LIGHT, 1.7 + 1.12 * len(heads))
        figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
        grid = figure.subplots(len(lines), len(heads), squeeze=False)
        for row, (name, images) in zip(grid, lines, strict=True):
            for axes, image in zip(row, images, strict=True):
                axes.imshow(image.clip(0, 1), interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6)
        for axes, head in zip(grid[0], heads, strict=True):
            axes.set_title(head, fontsize=8)
    return figure


def main() -> None:
    """Train, attack and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="pixels 2/255;opponent style, min-max", help="settings, separated by ;")
    parser.add_argument("--steps", type=int, default=100, help="steps of the aligner's own classifiers")
    parser.add_argument("--batch_size", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0, help="of faces, classifiers and attacks")
    parser.add_argument("--out", type=Path, default=Path("docs/world/attack.png"))
    options = parser.parse_args()
    table = prepare(SyntheticReader(size="small", image_size=64), dataset_name="synthetic")
    index = np.array([NAMES.index(name) if name in NAMES else -1 for name in table.column("domain")])
    learned = np.flatnonzero((index >= 0) & (table.column("split") == "train"))
    rows = faces(table, options.seed)
    frames, shown = batch(table, learned, index), batch(table, rows, index)
    results = [(name, attacked(name, frames, shown, options)) for name in options.only.split(";")]
    clean = pixels(shown.images)
    for name, images in results:
        largest = 255 * np.abs(images - clean).max(axis=(1, 2, 3))
        print(f"{name}: largest change {largest.min():.1f} to {largest.max():.1f} of 255")
    heads = [f"{name}, {kind}" for name in NAMES for kind in ("live", "attack")]
    write_figure(draw(clean, results, heads), options.out)


if __name__ == "__main__":
    main()
