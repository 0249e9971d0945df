"""`report/index.html`: one run on one page that needs no network, on a phone and in the dark as well."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.literature import comparable_target
from padkit.evaluation.results import LABELS, Results, notes, table_columns, table_rows
from padkit.evaluation.scores import Scores
from padkit.files import write_atomically
from padkit.report.figures import score_figure, training_figure
from padkit.report.judgements import literature_sources, run_literature
from padkit.report.roc import roc_figure
from padkit.report.style import DARK, LIGHT, Palette, png

_WORST = 5


def write_page(
    run_dir: Path | str,
    *,
    results: Results,
    target: Scores,
    source_dev: Scores | None = None,
    log: Iterable[Mapping[str, Any]] = (),
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> Path:
    """Write `report/index.html` into the run folder, and its figures beside it as PNG for other uses.

    Args:
        run_dir: The run folder.
        results: What `padkit.evaluation.results.evaluate` returned for these scores.
        target: Scores of the target test set.
        source_dev: Scores of held-out source presentations.
        log: Records of `log.jsonl`; see `padkit.report.figures.series`.
        settings: The resolved settings; nested mappings are shown with dotted names.
        environment: Versions, device, git revision; likewise.

    Returns:
        The page's path.

    Raises:
        DataError: A set of scores holds one class only, or a file cannot be written.
    """
    folder = Path(run_dir) / "report"
    records = list(log)
    figures = {
        "roc": _both(lambda palette: roc_figure(results, target, source_dev, palette=palette)),
        "histogram": _both(lambda palette: score_figure(results, target, source_dev, palette=palette)),
        "training": _both(lambda palette: training_figure(records, palette=palette)),
    }
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        files("padkit.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    )
    page = template.render(
        _tables(results, target),
        results=results,
        settings=flatten(settings),
        environment=flatten(environment),
        **{name: _texts(images) for name, images in figures.items()},
    )
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
            rows.append((f"{prefix}{name}", ", ".join(map(str, value))))
        else:
            rows.append((f"{prefix}{name}", "" if value is None or value == {} else str(value)))
    return rows


def _tables(results: Results, target: Scores) -> dict[str, Any]:
    """Return what the template lays out, by the names it uses."""
    sets = [(results.protocol.target, results.counts)]
    if results.source_dev is not None:
        sets.append(("held-out source", results.source_dev.counts))
    species = sorted({name for _, counts in sets for name in counts.species})
    return {
        "flattered": _chosen_on_test_set(results),
        "tiles": _tiles(results),
        "columns": table_columns(results),
        "rows": table_rows(results),
        "notes": notes(results),
        "published": run_literature(results),
        "sources": literature_sources(comparable_target(results.protocol)),
        "mistakes": _mistakes(target, results.results[0].threshold),
        "sets": [name for name, _ in sets],
        "counts": [
            ("bona fide", [counts.bona_fide for _, counts in sets]),
            *((f"attack: {name}", [counts.species.get(name, 0) for _, counts in sets]) for name in species),
            ("frames in all", [counts.frames for _, counts in sets]),
        ],
    }


def _both(draw: Callable[[Palette], Figure | None]) -> dict[str, bytes]:
    """Return the figure's PNG by theme; empty where there is nothing to draw."""
    drawn = {"light": draw(LIGHT), "dark": draw(DARK)}
    return {theme: png(figure) for theme, figure in drawn.items() if figure is not None}


def _texts(images: Mapping[str, bytes]) -> dict[str, str]:
    return {theme: base64.b64encode(image).decode() for theme, image in images.items()}


def _chosen_on_test_set(results: Results) -> list[str]:
    chosen = {
        "the checkpoint": results.checkpoint_selection == "target-best",
        "the threshold": results.results[0].test_set_choice,
    }
    return [what for what, so in chosen.items() if so]


def _tiles(results: Results) -> list[tuple[str, str]]:
    quoted = results.results[0].values
    shares = {"hter": quoted["hter"], "auc": results.values["auc"], "apcer": quoted["apcer"], "bpcer": quoted["bpcer"]}
    return [(LABELS[name], f"{100 * share:.2f} %") for name, share in shares.items()]


def _mistakes(scores: Scores, threshold: float) -> list[tuple[str, list[tuple[str, str, str, float]], int]]:
    """Return both kinds of error: title, the worst few (presentation, species, device, score), how many in all."""
    accepted = scores.score >= threshold
    kinds = (
        ("Attacks that passed", (scores.label == ATTACK) & accepted, -scores.score),
        ("Bona fide rejected", (scores.label == BONA_FIDE) & ~accepted, scores.score),
    )
    found = []
    for title, wrong, order in kinds:
        rows = np.flatnonzero(wrong)
        worst = rows[np.argsort(order[rows], kind="stable")][:_WORST]
        names = [
            (str(scores.presentation[i]), str(scores.pai_species[i]), str(scores.device[i]), float(scores.score[i]))
            for i in worst
        ]
        found.append((title, names, len(rows)))
    return found
