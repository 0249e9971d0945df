"""The kinds of figures, by name, and drawing them into a folder; imports torch only for figures that need a model."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from padkit.errors import PadkitError
from padkit.inspection.request import FigureRequest
from padkit.report.figures.style import write_figure

KINDS = {
    "roc": ("ROC of all runs, the mean over those of one name", "padkit.inspection.from_scores"),
    "det": ("DET of all runs, likewise", "padkit.inspection.from_scores"),
    "scores": ("histograms of the scores with thresholds", "padkit.inspection.from_scores"),
    "training": ("losses over the steps", "padkit.inspection.from_scores"),
    "alignment": ("how well the source domain is told, over the steps", "padkit.inspection.from_scores"),
    "tsne": ("embeddings, by class and by domain", "padkit.inspection.from_models"),
    "gradcam": ("where the students look, on the same faces", "padkit.inspection.from_models"),
    "perturbation": ("what aligners add to images, amplified", "padkit.inspection.from_models"),
}


def draw(
    request: FigureRequest, kinds: Sequence[str], out: Path, suffix: str = "png"
) -> Iterator[tuple[str, Path | PadkitError]]:
    """Draw figures of some kinds into the folder `out`; yield (kind, file) or (kind, why there is none) one by one.

    Args:
        request: What to draw.
        kinds: Keys of `KINDS`.
        out: The folder.
        suffix: One of `padkit.report.figures.style.FORMATS`.

    Raises:
        DataError: The folder cannot be written.
    """
    for kind in kinds:
        drawer = getattr(importlib.import_module(KINDS[kind][1]), kind)
        figures = drawer(request)
        while True:
            try:
                stem, figure = next(figures)
            except StopIteration:
                break
            except PadkitError as problem:
                yield kind, problem
                break
            path = out / f"{stem}.{suffix}"
            write_figure(figure, path)
            yield kind, path
