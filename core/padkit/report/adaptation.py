"""The page about an adaptation: figures before and after on own data and on every old domain. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from padkit.evaluation.regression import DomainCheck, DomainFigures
from padkit.evaluation.statistics.binomial import Rate
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, text_cells
from padkit.runs.adaptation import AdaptationPart

INTERVALS = (
    "[low, high]: 95 %, for APCER and BPCER exact (Clopper-Pearson), for HTER from the exact ones of its two rates at "
    "97.5 % each, which is rather too wide."
)


def adaptation_tables(checks: Sequence[DomainCheck], parts: Sequence[AdaptationPart]) -> list[Table]:
    """Return the tables of the page, in their order: figures, species of the own data, the data.

    Args:
        checks: The figures, those of the own data first.
        parts: The data.
    """
    return [_figures(checks), _species(checks), _data(parts)]


def adaptation_notes(checks: Sequence[DomainCheck]) -> Iterator[str]:
    """Yield the notes that must accompany the tables."""
    own = checks[0]
    yield (
        f"Before: at the model's threshold, {own.before.threshold:.4g}. After: at a new one, {own.after.threshold:.4g} "
        "(adapted-eer: equal errors, where each set of presentations that it was chosen on weighs the same)."
    )
    yield "The new threshold was chosen on the own data's figures shown here, which makes them a little too good."
    if any(not check.seen for check in checks):
        names = ", ".join(check.name for check in checks if not check.seen)
        yield f"It was not chosen on: {names}."
    if len(checks) == 1:
        yield "No old data were given: what the model has lost elsewhere is not known."
    yield "Thresholds and temperature of the old model do not hold for the new one and are left out."


def _figures(checks: Sequence[DomainCheck]) -> Table:
    rows = []
    for check in checks:
        for when, found in (("before", check.before), ("after", check.after)):
            counts = [str(rate.trials) if rate else "0" for rate in (found.bona_fide, found.attacks)]
            area = TableCell(NOTHING if found.auc is None else f"{100 * found.auc:.2f}")
            error = _cell(found.error, found.error_interval)
            cells = [*text_cells(when, *counts), area, _rate(found.worst), _rate(found.bona_fide), error]
            rows.append(TableRow(check.name, cells, ends=when == "after"))
    return Table(
        title="Before and after, in %", words=(0, 1), rows=rows, notes=(INTERVALS,),
        head=("data", "model", "bona fide", "attacks", "AUC", "APCER, worst species", "BPCER", "HTER"),
    )  # fmt: skip


def _species(checks: Sequence[DomainCheck]) -> Table:
    rows = []
    for check in checks:
        pairs = zip(_rates(check.before), _rates(check.after), strict=True)
        for before, after in pairs:
            cells = [*text_cells(before.name, str(before.trials)), _rate(before), _rate(after)]
            rows.append(TableRow(check.name, cells))
    return Table(
        title="Errors by PAI species, in %", words=(0, 1), rows=rows,
        head=("data", "errors of", "presented", "before", "after"),
        notes=("Attacks accepted (APCER), and bona fide presentations rejected (BPCER).",),
    )  # fmt: skip


def _data(parts: Sequence[AdaptationPart]) -> Table:
    rows = [
        TableRow(part.name, text_cells(*(str(number) for number in part.presentations), part.told or NOTHING))
        for part in parts
    ]
    return Table(
        title="Presentations", words=(0, 3), rows=rows,
        head=("data", "learned from", "measured on", "how they were divided"),
    )  # fmt: skip


def _rates(found: DomainFigures) -> list[Rate]:
    return [*found.species, *([found.bona_fide] if found.bona_fide else [])]


def _rate(rate: Rate | None) -> TableCell:
    return TableCell() if rate is None else _cell(rate.rate, rate.interval)


def _cell(value: float, interval: tuple[float, float]) -> TableCell:
    return TableCell(f"{100 * value:.2f}", f"[{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]")
