"""Writes `report/index.html`: one run on one page without external files, for phones, dark mode and printing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from padkit.evaluation.assessment import NO_POLICY, assessment_of, resampled
from padkit.evaluation.methods import Method
from padkit.evaluation.rates import LABELS
from padkit.evaluation.results import Results
from padkit.evaluation.scores import Scores
from padkit.evaluation.selection import checkpoint_mark
from padkit.files import write_atomically
from padkit.report.figures.alignment import Course, alignment_figure
from padkit.report.figures.curves import Curve, det_comparison
from padkit.report.figures.roc import roc_figure
from padkit.report.figures.run import score_figure, training_figure
from padkit.report.figures.style import DARK, LIGHT, Palette, render
from padkit.report.page import summary
from padkit.report.page.alignment import alignment_table
from padkit.report.page.distillation import distillation_table
from padkit.report.page.mistakes import Faces, mistakes
from padkit.report.page.threshold_tool import script, tool_data
from padkit.report.tables.evaluation import literature_table, mean_last_tables
from padkit.report.tables.layout import html
from padkit.report.tables.rates import cells_of, counts_table, interval_notes, rate_tables
from padkit.report.tables.stability import stability_tables
from padkit.runs.finished import FinishedRun

TILES = ("hter", "apcer", "bpcer")
RESAMPLES = 1000
SECTIONS = {
    "result": "Result",
    "published": "Published",
    "threshold": "Threshold",
    "mistakes": "Mistakes",
    "curves": "Trade-off",
    "stability": "Stability",
    "training": "Training",
    "data": "Data",
    "again": "Run it again",
    "terms": "Terms",
}


def write_page(run: FinishedRun, faces: Faces | None = None) -> Path:
    """Write `report/index.html` into the run folder, and its figures beside it as PNG files for other uses.

    Args:
        run: The finished run; the page is made from its folder alone.
        faces: Faces of the presentations, to show the worst mistakes, and a note about them.

    Returns:
        The page's path.

    Raises:
        DataError: A set of scores holds only one class, or a file cannot be written.
    """
    faces = faces or Faces()
    results, target, source_dev = run.results, run.target, run.source_dev
    division = run.data.get("division")
    figures = _figures(run)
    code, script_hash = script()
    sets = [(f"{results.protocol.target} (test)", target)]
    sets += [(f"{one.target} (test)", target.select(target.domain == one.target)) for one in results.targets]
    sets += [("held-out source", source_dev)] if source_dev is not None else []
    content = _tables(results, target, source_dev) | {
        "results": results,
        "lead": summary.lead(results, run.settings, division),
        "division": summary.division_table(division) if division else None,
        "aligned": alignment_table(run.log),
        "distillation": distillation_table(run.log, run.selected),
        "data_notes": summary.data_notes(division, run.data.get("preparation"), run.settings.get("views")),
        "stability": stability_tables(run.stability) if run.stability else None,
        "mistakes": mistakes(target, results.results[0].threshold, faces.pictures),
        "faces_note": faces.note,
        "commands": summary.commands(run.environment, run.folder),
        "revision": summary.revision(run.environment),
        "settings": leaves(run.settings),
        "environment": leaves(run.environment),
        "style": Markup(_own("page.css")),  # noqa: S704 - our own file
        "script": code,
        "script_hash": script_hash,
        "tool_data": tool_data(sets, results.results),
        **{name: _texts(images) for name, images in figures.items()},
    }
    content["sections"] = [(anchor, name) for anchor, name in SECTIONS.items() if content.get(anchor, True)]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        _own("page.html.j2")
    )
    page = template.render(content)
    report = run.folder.report
    for name, images in figures.items():
        if images:
            write_atomically(report / f"{name}.png", images["light"])
    write_atomically(report / "index.html", page.encode())
    return report / "index.html"


def _figures(run: FinishedRun) -> dict[str, dict[str, bytes]]:
    """Return each figure's PNG by theme; empty if there is nothing to draw."""
    results, target, source_dev = run.results, run.target, run.source_dev
    course = Course(label="this run", domains=len(results.protocol.sources), log=run.log)
    return {
        "roc": _both(lambda palette: roc_figure(results, target, source_dev, palette=palette)),
        "det": _both(lambda palette: _det(results, target, source_dev, palette)),
        "histogram": _both(lambda palette: score_figure(results, target, source_dev, palette=palette)),
        "training": _both(lambda palette: training_figure(run.log, selected=run.selected, palette=palette)),
        "alignment": _both(lambda palette: alignment_figure([course], palette=palette)),
    }


def leaves(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return (dotted name, text) of every leaf of nested mappings, in their order; lists become comma separated."""
    rows: list[tuple[str, str]] = []
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            rows += leaves(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(_leaf(each) for each in value)))
        else:
            rows.append((f"{prefix}{name}", "" if value is None or value == {} else str(value)))
    return rows


def _leaf(value: object) -> str:
    """Return a list's entry in one line; for a mapping (a plugin), its values that are not empty."""
    return " ".join(str(each) for each in value.values() if each) if isinstance(value, Mapping) else str(value)


def _tables(results: Results, target: Scores, source_dev: Scores | None) -> dict[str, Any]:
    """Return tables and notes, by their names in the template."""
    assessment = resampled(assessment_of(results, target, source_dev), target, source_dev, resamples=RESAMPLES)
    method = Method((assessment,))
    cells, quoted = cells_of(method), results.results[0].policy
    tiles = [(LABELS[name], cells[quoted, name]) for name in TILES]
    return {
        "flattered": summary.chosen_on_test_set(results),
        "tiles": [*tiles, (LABELS["auc"], cells[NO_POLICY, "auc"])],
        "choices": summary.choices(results),
        "tables": [*rate_tables(method, checkpoint_mark(results.checkpoint_selection)), *mean_last_tables(results)],
        "notes": list(interval_notes(assessment.units, RESAMPLES, 0)),
        "published": literature_table(method),
        "counts": counts_table(assessment),
        "html": html,
    }


def _det(results: Results, target: Scores, source_dev: Scores | None, palette: Palette) -> Figure:
    name = results.protocol.target
    curves = [Curve(label=f"target {name}", target=name, runs=(target,))]
    if source_dev is not None:
        curves.append(Curve(label="held-out source", target=name, runs=(source_dev,), quiet=True))
    points = [(entry.policy, entry.values["fpr"], entry.values["fnr"]) for entry in results.results]
    note = results.protocol.note
    if mark := checkpoint_mark(results.checkpoint_selection):
        note += f", {mark}"
    return det_comparison(curves, points=points, note=note, palette=palette)


def _own(name: str) -> str:
    return files("padkit.report.page").joinpath(name).read_text(encoding="utf-8")


def _both(draw: Callable[[Palette], Figure | None]) -> dict[str, bytes]:
    """Return the figure's PNG by theme; empty if there is nothing to draw."""
    drawn = {"light": draw(LIGHT), "dark": draw(DARK)}
    return {theme: render(figure) for theme, figure in drawn.items() if figure is not None}


def _texts(images: Mapping[str, bytes]) -> dict[str, str]:
    return {theme: base64.b64encode(image).decode() for theme, image in images.items()}
