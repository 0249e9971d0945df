"""`report/index.html`: one run on one page that asks for nothing outside itself, on a phone, in the dark, on paper."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
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
from padkit.files import write_atomically
from padkit.report.figures.alignment import Course, alignment_figure
from padkit.report.figures.curves import Curve, det_comparison
from padkit.report.figures.roc import roc_figure
from padkit.report.figures.run import score_figure, training_figure
from padkit.report.figures.style import DARK, LIGHT, Palette, render
from padkit.report.page import summary as story
from padkit.report.page.mistakes import Pictures, mistakes
from padkit.report.page.threshold_tool import script, tool_data
from padkit.report.tables.evaluation import literature_table
from padkit.report.tables.layout import html
from padkit.report.tables.rates import cells_of, counts_table, interval_notes, rate_tables

TILES = ("hter", "apcer", "bpcer")
RESAMPLES = 1000
LICENSED = (
    "The faces are the dataset's: pass this page on only as far as its licence allows "
    "(--thumbnails false leaves them out)."
)
SECTIONS = {
    "result": "Result",
    "published": "Published",
    "threshold": "Threshold",
    "mistakes": "Mistakes",
    "curves": "Trade-off",
    "training": "Training",
    "data": "Data",
    "again": "Run it again",
    "terms": "Terms",
}


def write_page(
    run_dir: Path | str,
    *,
    results: Results,
    target: Scores,
    source_dev: Scores | None = None,
    log: Iterable[Mapping[str, Any]] = (),
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    division: Mapping[str, Any] | None = None,
    preparation: Mapping[str, Any] | None = None,
    pictures: Pictures | None = None,
    selected: int | None = None,
) -> Path:
    """Write `report/index.html` into the run folder, and its figures beside it as PNG for other uses.

    Args:
        run_dir: The run folder.
        results: What `padkit.evaluation.results.evaluate` returned for these scores.
        target: Scores of the target test set.
        source_dev: Scores of held-out source presentations.
        log: Records of `log.jsonl`; see `padkit.report.figures.run.series`.
        settings: The resolved settings; nested mappings are shown with dotted names.
        environment: Versions, device, git revision; likewise.
        division: What `padkit.data.protocols.protocol.Protocol.summary` says of the parts.
        preparation: What the prepared table says of itself.
        pictures: Faces of the presentations, to show the worst mistakes.
        selected: Step whose weights were judged.

    Returns:
        The page's path.

    Raises:
        DataError: A set of scores holds one class only, or a file cannot be written.
    """
    folder = Path(run_dir) / "report"
    records = list(log)
    course = Course(label="this run", domains=len(results.protocol.sources), log=records)
    figures = {
        "roc": _both(lambda palette: roc_figure(results, target, source_dev, palette=palette)),
        "det": _both(lambda palette: _det(results, target, source_dev, palette)),
        "histogram": _both(lambda palette: score_figure(results, target, source_dev, palette=palette)),
        "training": _both(lambda palette: training_figure(records, selected=selected, palette=palette)),
        "alignment": _both(lambda palette: alignment_figure([course], palette=palette)),
    }
    code, script_hash = script()
    sets = [(f"{results.protocol.target} (test)", target)]
    sets += [(f"{one.target} (test)", target.select(target.domain == one.target)) for one in results.targets]
    sets += [("held-out source", source_dev)] if source_dev is not None else []
    content = _tables(results, target, source_dev) | {
        "results": results,
        "lead": story.lead(results, settings, division),
        "division": story.division_table(division) if division else None,
        "data_notes": story.data_notes(division, preparation),
        "mistakes": mistakes(target, results.results[0].threshold, pictures),
        "faces_note": LICENSED if pictures is not None and not results.protocol.simulated else "",
        "commands": story.commands(environment, Path(run_dir)),
        "revision": story.revision(environment),
        "settings": flatten(settings),
        "environment": flatten(environment),
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
    for name, images in figures.items():
        if images:
            write_atomically(folder / f"{name}.png", images["light"])
    write_atomically(folder / "index.html", page.encode())
    return folder / "index.html"


def flatten(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return (dotted name, text) of every leaf of nested mappings, in their order; lists become comma separated."""
    rows: list[tuple[str, str]] = []
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(_leaf(each) for each in value)))
        else:
            rows.append((f"{prefix}{name}", "" if value is None or value == {} else str(value)))
    return rows


def _leaf(value: object) -> str:
    """Return a list's entry in one line; of a mapping (a plugin) the values that say something."""
    return " ".join(str(each) for each in value.values() if each) if isinstance(value, Mapping) else str(value)


def _tables(results: Results, target: Scores, source_dev: Scores | None) -> dict[str, Any]:
    """Return tables and notes, by the names the template uses."""
    assessment = resampled(assessment_of(results, target, source_dev), target, source_dev, resamples=RESAMPLES)
    method = Method((assessment,))
    cells, quoted = cells_of(method), results.results[0].policy
    tiles = [(LABELS[name], cells[quoted, name]) for name in TILES]
    return {
        "flattered": story.chosen_on_test_set(results),
        "tiles": [*tiles, (LABELS["auc"], cells[NO_POLICY, "auc"])],
        "choices": story.choices(results),
        "tables": rate_tables(method),
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
    note = " (simulated data)" if results.protocol.simulated else ""
    return det_comparison(curves, points=points, note=note, palette=palette)


def _own(name: str) -> str:
    return files("padkit.report.page").joinpath(name).read_text(encoding="utf-8")


def _both(draw: Callable[[Palette], Figure | None]) -> dict[str, bytes]:
    """Return the figure's PNG by theme; empty where there is nothing to draw."""
    drawn = {"light": draw(LIGHT), "dark": draw(DARK)}
    return {theme: render(figure) for theme, figure in drawn.items() if figure is not None}


def _texts(images: Mapping[str, bytes]) -> dict[str, str]:
    return {theme: base64.b64encode(image).decode() for theme, image in images.items()}
