"""Figures that need the models of runs; every run is shown with the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from padkit.catalog import Catalog
from padkit.data.preparation.prepare import FrameTable
from padkit.data.presentation import BONA_FIDE
from padkit.errors import DataError, PadkitError, one_line
from padkit.inspection.frame_choice import balanced_rows, face_rows
from padkit.inspection.gradcam import attention
from padkit.inspection.perturbation import Perturbed, perturb
from padkit.inspection.request import FigureRequest, slug
from padkit.inspection.tsne import plane
from padkit.report.figures.alignment import PROBE, accuracies
from padkit.report.figures.embeddings import planes_figure
from padkit.report.figures.face_grids import Attention, attention_figure, perturbation_figure
from padkit.runs.opened import Opener, OpenRun, Rows

Named = tuple[str, Figure]


@dataclass(frozen=True, slots=True)
class _Frames:
    """Runs on the same data, with the rows that none of them was trained on."""

    runs: Sequence[OpenRun]
    table: FrameTable
    test: Rows
    dev: Rows


def tsne(request: FigureRequest) -> Iterator[Named]:
    """Draw the embeddings of test and held-out source frames, by class and by domain, one row per run.

    Raises:
        PadkitError: A run's model or data are gone, or the runs share no data.
    """
    frames = _open(request)
    rows = balanced_rows(frames.table, np.concatenate([frames.test, frames.dev]), request.points, request.seed)
    planes = [plane(opened, rows, request.seed) for opened in frames.runs]
    yield "tsne", planes_figure(planes, note=request.note, palette=request.palette)


def gradcam(request: FigureRequest) -> Iterator[Named]:
    """Draw where each run's student looks on the same test faces; errors as in `tsne`."""
    frames = _open(request)
    table = frames.table
    rows = face_rows(table, frames.test, request.faces, request.seed, by="species")
    labels = table.column("label")[rows].astype(np.int64)
    images = frames.runs[0].images(rows)
    shown = []
    for opened in frames.runs:
        heat = attention(opened.detector, images, labels)
        threshold = opened.run.results.results[0].threshold
        _, scores = opened.score(rows)
        shown.append(Attention(label=opened.run.label, heat=heat, scores=scores, threshold=threshold))
    target = frames.runs[0].run.results.protocol.target
    pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
    note = f", faces of {target}{request.note}"
    yield "gradcam", attention_figure(pixels, labels, _kinds(table, rows), shown, note=note, palette=request.palette)


def perturbation(request: FigureRequest) -> Iterator[Named]:
    """Draw what each run's aligner adds to held-out source images, one live face and one attack of each domain.

    Raises:
        PadkitError: No run has an aligner that changes images, or its weights, model or data are gone.
    """
    opener, problems, drawn = Opener(Catalog(), shown=request.shown), [], False
    for run in request.chosen():
        try:
            opened = opener.open(run)
            dev = opened.dev[opened.domains(opened.dev) >= 0]
            rows = face_rows(opened.table, dev, len(run.results.protocol.sources), request.seed, by="domain")
            found = perturb(opener, opened, rows, request.seed)
        except PadkitError as problem:
            problems.append(one_line(problem))
            continue
        labels = opened.table.column("label")[rows].astype(np.int64)
        domains = opened.table.column("domain")[rows]
        kinds = [f"{domain}\n{kind}" for domain, kind in zip(domains, _kinds(opened.table, rows), strict=True)]
        title = f"{request.name(run)}\n{_about(opened, found)}"
        figure = perturbation_figure(found.clean, found.attacked, labels, kinds, title=title, palette=request.palette)
        drawn = True
        yield f"perturbation-{slug(run.label)}", figure
    if not drawn:
        raise DataError(problems[0])


def _open(request: FigureRequest) -> _Frames:
    """Open the chosen runs and find the frames that all of them held out."""
    opener = Opener(Catalog(), shown=request.shown)
    runs = [opener.open(run) for run in request.chosen()]
    first = runs[0]
    for other in runs[1:]:
        if other.table.folders != first.table.folders:
            cause = f"{first.run.label} and {other.run.label} are on different data, so they have no frames in common"
            raise DataError(f"{cause}; draw them apart.")
    test, dev = first.test, first.dev
    for other in runs[1:]:
        test, dev = np.intersect1d(test, other.test), np.intersect1d(dev, other.dev)
    if not len(test):
        raise DataError("the runs were tested on different frames of the same data; draw them apart.")
    return _Frames(runs, first.table, test, dev)


def _kinds(table: FrameTable, rows: Rows) -> list[str]:
    """Return what each frame shows, in words."""
    columns = (table.column(name)[rows] for name in ("label", "species", "attack_type"))
    return [
        "bona fide" if label == BONA_FIDE else str(species or attack_type or "attack")
        for label, species, attack_type in zip(*columns, strict=True)
    ]


def _about(opened: OpenRun, found: Perturbed) -> str:
    """Return whose weights the figure shows, and how well they classify the domain according to the run's log."""
    weights = f"aligner {found.aligner}"
    if found.step is not None:
        weights += f", its weights of step {found.step}, when the shipped detector was selected"
    told = []
    for name, (steps, values) in accuracies(opened.run.log).items():
        if name != PROBE and found.step in steps:
            state = name.rpartition(", ")[2]
            told.append(f"{state} {100 * values[steps.index(found.step)]:.0f} %")
    chance = f"chance {100 / len(opened.run.results.protocol.sources):.0f} %"
    return f"{weights}\n" + (f"domain then named on held-out source: {', '.join(told)} ({chance})" if told else "")
