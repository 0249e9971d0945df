"""The tables of an evaluation: rates, published results, comparisons, and their notes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from padkit.evaluation.assessment import NO_POLICY, assessment_of
from padkit.evaluation.candidates import WORSE_THAN_CHANCE, Provenance
from padkit.evaluation.comparison import PairedComparison
from padkit.evaluation.literature import NOT_MEASURED, comparable_target, policy, published
from padkit.evaluation.methods import Method
from padkit.evaluation.rates import AT_THRESHOLD, LABELS, NO_THRESHOLD
from padkit.evaluation.results import Results, headline
from padkit.evaluation.selection import AVERAGED, CHECKPOINT_SELECTIONS, checkpoint_mark
from padkit.evaluation.statistics.bootstrap import Interval
from padkit.evaluation.thresholds import TARGET_EER
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, p_value, terminal, text_cells
from padkit.report.tables.rates import NO_CELL, cells_of, interval_notes, policy_head, rate_tables

CHANCE = 0.5  # AUC of scores that say nothing
RUN_COLUMNS = ("hter", "acer", "apcer", "bpcer")


def run_view(results: Results) -> RenderableType:
    """Return the tables that a run prints at its end: those of `padkit evaluate`, without intervals."""
    method = Method((assessment_of(results),))
    doubts = [WORSE_THAN_CHANCE] if results.values["auc"] < CHANCE else []
    return terminal([*method_tables(method), *mean_last_tables(results)], [*method_notes(method), *doubts])


def method_tables(method: Method) -> list[Table]:
    """Return the tables of one method: its rates, its runs if there are several, and published results."""
    found = rate_tables(method, _title(method))
    if len(method.assessments) > 1:
        found += [_runs(method, number) for number in range(len(method.first.results))]
    beside = literature_table(method)
    return [*found, beside] if beside else found


def mean_last_tables(results: Results) -> list[Table]:
    """Return the table of the means over the last judged checkpoints; none unless the run was asked for them."""
    found = results.mean_last
    if found is None:
        return []
    heads = [policy_head(entry) for entry in found.results]
    rows = [
        TableRow(LABELS[name], text_cells(*(f"{100 * entry.values[name]:.2f}" for entry in found.results)))
        for name in AT_THRESHOLD
    ]
    alike = [NOTHING] * (len(heads) - 1)
    rows += [TableRow(LABELS[name], text_cells(f"{100 * found.values[name]:.2f}", *alike)) for name in NO_THRESHOLD]
    count, steps = len(found.steps), ", ".join(map(str, found.steps))
    fewer = f" Fewer than {AVERAGED} were judged." if count < AVERAGED else ""
    shipped = "No weights have these figures; shipped is the last checkpoint, whose figures stand in the other tables."
    return [
        Table(
            title=f"Means over the last {count} judged checkpoints on the test set ({found.selection}, test set)",
            head=["%", *heads],
            rows=rows,
            notes=[f"Of steps {steps}.{fewer} {shipped}"],
        )
    ]


def methods_table(methods: Sequence[Method]) -> Table:
    """Return several methods in one table, each under its quoted policy."""
    rows = []
    for method in methods:
        cells, entry = cells_of(method, intervals=False), method.first.results[0]
        keys = [(entry.policy, "hter"), (entry.policy, "acer"), (NO_POLICY, "auc")]
        told = text_cells(", ".join(map(str, method.seeds)) or "unknown", policy_head(entry))
        rows.append(TableRow(_title(method), [*told, *(cells[key] for key in keys)]))
    head = ["method", "seeds", "policy", "HTER", "ACER", "AUC"]
    return Table(title="All methods (%)", head=head, rows=rows, words=(0, 1, 2))


def method_notes(method: Method, *, resamples: int = 0, seed: int = 0) -> list[str]:
    """Return the notes that must accompany a method's tables."""
    first, count = method.first, len(method.assessments)
    about, counts = first.about, first.counts
    lines = [f"{_protocol(about)}; {_seeds(method)}; {_selection(about)}."]
    if count > 1:
        lines.append(f"Figures: mean ± sample standard deviation over n = {count} seeds.")
    where = ""
    if about.protocol:
        lines.append(f"Trained on {', '.join(about.protocol.sources)}.")
        where = f" of {about.protocol.target}"
    presentations = f"{counts.bona_fide} bona fide and {counts.attack} attack presentations"
    lines.append(f"Tested on {presentations}{where} ({counts.frames} frames).")
    if first.targets:
        lines.append("All targets pooled, but where each stands alone.")
    lines += [f"Threshold {entry.policy}: chosen on {entry.chosen_on}." for entry in first.results]
    lines += interval_notes(first.units, resamples, seed, several=count > 1)
    if about.protocol and about.protocol.warning:
        lines.append(about.protocol.warning)
    return [*lines, *dict.fromkeys(note for run in method.assessments for note in run.about.notes)]


def literature_table(method: Method) -> Table | None:
    """Return a table of a method's figures and the published ones on its target; None if none are comparable."""
    protocol = method.first.about.protocol
    target = comparable_target(protocol) if protocol else ""
    if not target:
        return None
    cells = cells_of(method, intervals=False)
    mark = checkpoint_mark(method.first.about.selection)
    rows = [
        TableRow(
            f"this, {mark}" if mark else "this",
            [cells.get((TARGET_EER, "hter"), NO_CELL), cells[NO_POLICY, "auc"], NO_CELL],
        )
    ]
    for row in published(target):
        figures = [NOTHING if value is None else f"{value:.2f}" for value in (row.hter, row.auc)]
        if row.hter is None and row.auc is None:
            figures[0] = NOT_MEASURED
        rows.append(TableRow(f"{row.method} {row.year}", text_cells(*figures, row.backbone)))
    return Table(
        title=f"Published on {target} (%): {policy()}; to compare with {TARGET_EER} alone; frames and crops differ",
        head=["method", "HTER", "AUC", "backbone"],
        rows=rows,
        words=(0, 3),
        notes=[f"Published by: {', '.join(f'{row.method} {row.source}' for row in published(target))}."],
    )


def comparison_table(comparison: PairedComparison) -> Table:
    """Return the table of a paired comparison."""
    area = comparison.auc
    first, second = (_marked(candidate) for candidate in (comparison.first, comparison.second))
    ends = None if area.low is None or area.high is None else Interval(area.low, area.high)
    rows = [TableRow("AUC (DeLong)", _pair(area.first, area.second, ends, area.p))]
    for found in comparison.differences:
        name = f"{LABELS[found.metric]} {found.policy}" if found.policy else f"{LABELS[found.metric]} (bootstrap)"
        if found.interval is not None or found.policy:
            rows.append(TableRow(name, _pair(found.first, found.second, found.interval, found.p)))
    return Table(
        title=f"A minus B (percentage points): A is {first}, B is {second}",
        head=["figure (%)", "A", "B", "A - B", "95 % interval", "p"],
        rows=rows,
    )


def comparison_notes(comparison: PairedComparison, *, resamples: int, seed: int) -> list[str]:
    """Return the notes that must accompany a comparison."""
    lines = [f"Paired over the same {comparison.presentations} presentations; p is two-sided, of no difference."]
    for letter, candidate in (("A", comparison.first), ("B", comparison.second)):
        lines.append(f"{letter}: {_protocol(candidate)}; {_seed(candidate)}; {_selection(candidate)}.")
    lines.append("DeLong's test takes presentations as independent; where subjects repeat, its p is too small.")
    lines.append("One training of each is compared; other seeds may differ by more.")
    if comparison.units is None:
        lines.append("Without --bootstrap N, HTER has no interval and no p.")
    return [*lines, *interval_notes(comparison.units, resamples, seed)]


def _runs(method: Method, number: int) -> Table:
    rows = []
    for run in method.assessments:
        entry = run.results[number]
        values = [entry.values[name] for name in RUN_COLUMNS] + [run.values[name] for name in ("auc", "eer")]
        shown = [f"{100 * value:.2f}" for value in values]
        rows.append(TableRow(method.short_name(run), text_cells(str(run.about.seed), *shown)))
    return Table(
        title=f"{_title(method)}: its runs, threshold policy {policy_head(method.first.results[number])} (%)",
        head=["run", "seed", "HTER", "ACER", "APCER", "BPCER", "AUC", "EER"],
        rows=rows,
    )


def _title(method: Method) -> str:
    about = method.first.about
    protocol = about.protocol.name if about.protocol else ""
    return ", ".join(filter(None, [method.name, protocol, checkpoint_mark(about.selection)]))


def _marked(about: Provenance) -> str:
    return ", ".join(filter(None, [about.name, checkpoint_mark(about.selection)]))


def _protocol(about: Provenance) -> str:
    return "Protocol unknown" if about.protocol is None else f"Protocol {headline(about.protocol)}"


def _seeds(method: Method) -> str:
    if len(method.seeds) < 2:
        return _seed(method.first.about)
    return f"seeds {', '.join(map(str, method.seeds))}"


def _seed(about: Provenance) -> str:
    return "seed unknown" if about.seed is None else f"seed {about.seed}"


def _selection(about: Provenance) -> str:
    if not about.selection:
        return "checkpoint selection unknown"
    told = CHECKPOINT_SELECTIONS.get(about.selection, "unknown to this version")
    return f"checkpoint selection {about.selection} ({told})"


def _pair(first: float, second: float, ends: Interval | None, p: float | None) -> list[TableCell]:
    shown = NOTHING if ends is None else f"[{100 * ends.low:+.2f}, {100 * ends.high:+.2f}]"
    return text_cells(f"{100 * first:.2f}", f"{100 * second:.2f}", f"{100 * (first - second):+.2f}", shown, p_value(p))
