"""The report of a self-test: rates by species with exact intervals, as tables, Markdown, JSON and a page.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from markupsafe import Markup

from padkit.data.presentation import BONA_FIDE
from padkit.data.simulation import simulated_part
from padkit.deploy.predictor import Predictor
from padkit.deploy.selftest import SpeciesResult, missing_classes
from padkit.deploy.verdict import WORDS, Reason
from padkit.evaluation.statistics.binomial import Rate
from padkit.files import write_atomically, write_json
from padkit.networks.views import views_told
from padkit.report.tables.layout import MADE_BY, NOTHING, Table, TableCell, TableRow, html, markdown, text_cells

FORMAT = "padkit-selftest/1"
STEM = "selftest"
TITLE = "Self-test"
PAGE = Markup(
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
    "<style>{style}</style></head>\n<body><main><h1>{title}</h1>\n{sections}\n<section><h2>What to know</h2><ul>{notes}"
    "</ul></section></main></body></html>\n"
)


def selftest_tables(results: Sequence[SpeciesResult], predictor: Predictor) -> list[Table]:
    """Return the tables of the report: errors, non-response, its reasons if there are any, the model."""
    tables = [_errors(results), _non_response(results)]
    return [*tables, *_reasons(results), _model(predictor)]


def selftest_notes(results: Sequence[SpeciesResult], least: int, taken_back: Mapping[str, int]) -> Iterator[str]:
    """Yield what must be known of the tables.

    Args:
        results: The results.
        least: Fewest presentations that a rate is stated for.
        taken_back: How many captures the person took back, by species.
    """
    attacks = [one for one in results if one.label != BONA_FIDE]
    few = [one.name for one in results if one.rate is None]
    if few:
        yield f"Fewer than {least} presentations were judged of {', '.join(few)}: nothing is claimed of them."
    for word in missing_classes([one.name for one in results]):
        yield f"No {word} presentation was made: half of the question is open."
    if attacks and not few:
        worst = max((one.rate for one in attacks if one.rate), key=lambda rate: (rate.rate, rate.bound))
        yield (
            f"APCER of the worst species, {worst.name}: {_percent(worst.rate)} %; at most {_percent(worst.bound)} % at "
            "95 % confidence, for independent presentations like these."
        )
    if any(taken_back.values()):
        told = ", ".join(f"{name} {count}" for name, count in taken_back.items() if count)
        yield f"Taken back by the person and in no rate: {told}."
    yield (
        "Presentations of one person, print or screen are not independent: the truth is less sure than the intervals "
        "say. This is a test of one's own, no certification."
    )
    yield (
        "A presentation that is not judged is in no error rate; the non-response rate counts it (ISO/IEC 30107-3, "
        "APNRR and BPNRR)."
    )


def write_selftest(
    out: Path, results: Sequence[SpeciesResult], predictor: Predictor, notes: Sequence[str], facts: Mapping[str, Any]
) -> None:
    """Write `selftest.md`, `selftest.json` and `selftest.html`.

    Args:
        out: Their folder.
        results: The results.
        predictor: The model.
        notes: The notes, how it was made the last.
        facts: Further entries of the JSON.

    Raises:
        DataError: The folder cannot be written.
    """
    tables = selftest_tables(results, predictor)
    write_atomically(out / f"{STEM}.md", f"# {TITLE}\n\n{markdown(tables, notes)}".encode())
    write_atomically(out / f"{STEM}.html", _page(tables, notes).encode())
    write_json(out / f"{STEM}.json", _plain(results, predictor) | {"notes": list(notes), **facts})


def _errors(results: Sequence[SpeciesResult]) -> Table:
    rows = []
    for number, one in enumerate(results):
        found = one.rate
        figures = [f"{_percent(found.bound)}", f"{_percent(found.least)}"] if found else [NOTHING, NOTHING]
        cells = text_cells("BPCER" if one.label == BONA_FIDE else "APCER", str(one.errors), str(one.judged))
        ends = number + 1 < len(results) and results[number + 1].label != one.label
        rows.append(TableRow(one.name, [*cells, _cell(found), *text_cells(*figures)], ends=ends))
    return Table(
        title="Errors by species, in %", rows=rows, words=(0, 1),
        head=("presented", "kind", "errors", "judged", "rate, 95 %", "at most", "provable"),
        notes=(
            "APCER: attacks taken for live faces. BPCER: live faces taken for attacks. Intervals: Clopper-Pearson.",
            "At most: the one-sided exact bound, 95 %. Provable: what so many presentations prove without one error.",
        ),
    )  # fmt: skip


def _non_response(results: Sequence[SpeciesResult]) -> Table:
    rows = [
        TableRow(one.name, [*text_cells(str(one.silent), str(len(one.presentations))), _cell(one.non_response)])
        for one in results
    ]
    head = ("presented", "not judged", "presentations", "rate, 95 %")
    return Table(title="Non-response, in %", head=head, rows=rows)


def _reasons(results: Sequence[SpeciesResult]) -> Iterator[Table]:
    rows = [
        TableRow(one.name, text_cells(WORDS[Reason(reason)], str(count)))
        for one in results
        for reason, count in one.reasons.items()
    ]
    if rows:
        yield Table(
            title="Why presentations were not judged", head=("presented", "reason", "presentations"), rows=rows,
            words=(0, 1),
        )  # fmt: skip


def _model(predictor: Predictor) -> Table:
    bundle = predictor.bundle
    threshold = bundle.choose(predictor.policy)
    rows = [
        ("weights, SHA-256", bundle.sha256 or "not recorded"),
        ("threshold", f"{threshold.value:.6g}"),
        ("policy", threshold.policy),
        ("chosen on", threshold.chosen_on or "not recorded"),
        ("temperature", f"{bundle.temperature:.4g}"),
        *([("views", told)] if (told := views_told(bundle.views)) else []),
        ("face finder", predictor.face),
        ("limits of quality", "none" if predictor.limits is None else "padkit's"),
        ("trained on", simulated_part(bundle.simulated, bundle.real_faces) or "captures"),
    ]
    notes = [f"It must not be used for {bundle.excluded[0]}."] if bundle.simulated else []
    return Table(
        title="The model", head=("what", "value"), words=(0, 1), notes=notes,
        rows=[TableRow(name, text_cells(value)) for name, value in rows],
    )  # fmt: skip


def _page(tables: Sequence[Table], notes: Sequence[str]) -> str:
    style = (Path(__file__).with_name("page") / "page.css").read_text(encoding="utf-8")
    sections = Markup("\n").join(
        Markup("<section><h2>{}</h2>{}</section>").format(table.title, html(table)) for table in tables
    )
    items = Markup("").join(Markup("<li>{}</li>").format(_made(note)) for note in notes)
    style = Markup(style)  # noqa: S704 - our own file
    return str(PAGE.format(title=TITLE, style=style, sections=sections, notes=items))


def _made(note: str) -> Markup:
    if not note.startswith(MADE_BY):
        return Markup("{}").format(note)
    return Markup("{}<code>{}</code>").format(MADE_BY, note.removeprefix(MADE_BY))


def _plain(results: Sequence[SpeciesResult], predictor: Predictor) -> dict[str, Any]:
    """Return all of it as plain JSON values; rates are shares in [0, 1], null where nothing is claimed."""
    bundle = predictor.bundle
    threshold = bundle.choose(predictor.policy)
    model = {
        "sha256": bundle.sha256,
        "simulated": bundle.simulated,
        "temperature": bundle.temperature,
        "views": bundle.views,
        "policy": threshold.policy,
        "threshold": threshold.value,
        "chosen_on": threshold.chosen_on,
        "face": predictor.face,
        "faces": predictor.faces,
        "limits": None if predictor.limits is None else asdict(predictor.limits),
    }
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "padkit": metadata.version("padkit"),
        "model": model,
        "species": [_one(result) for result in results],
    }


def _one(result: SpeciesResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "label": result.label,
        "presentations": len(result.presentations),
        "judged": result.judged,
        "errors": result.errors,
        "rate": _rate(result.rate),
        "not_judged": result.silent,
        "non_response": _rate(result.non_response),
        "reasons": dict(result.reasons),
        "results": [
            {"file": one.file, "sha256": one.sha256, **one.judgement.to_dict()} for one in result.presentations
        ],
    }


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    return None if rate is None else {"rate": rate.rate, "interval": rate.interval, "bound": rate.bound}


def _cell(rate: Rate | None) -> TableCell:
    if rate is None:
        return TableCell(NOTHING)
    return TableCell(_percent(rate.rate), f"[{_percent(rate.interval[0])}, {_percent(rate.interval[1])}]")


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
