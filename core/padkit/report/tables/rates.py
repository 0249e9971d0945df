"""The tables of rates, built once from one method's assessments, for the end of a run, `padkit evaluate` and the page.

The tables show only what an assessment has: no intervals without a bootstrap, no column of held-out source without its
scores, no breakdown by device if there is only one device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from padkit.evaluation.assessment import HELD_OUT, NO_POLICY, Assessment
from padkit.evaluation.methods import Method
from padkit.evaluation.rates import AT_THRESHOLD, LABELS, NO_THRESHOLD, PolicyResult
from padkit.evaluation.statistics.bootstrap import Interval, Units
from padkit.evaluation.statistics.paired import Spread
from padkit.evaluation.thresholds import TARGET_EER
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, text_cells

TEST_SET_MARK = "test set"
NO_CELL = TableCell(NOTHING)
AGAINST_ALL = "AUC: each species' attacks against all bona fide presentations."
BY_COLUMNS = {"apcer": "APCER", "bpcer": "BPCER", "hter": "HTER", "auc": "AUC"}
COVERED = (
    f"{TARGET_EER} is chosen anew in each, other thresholds are kept. The model is taken as it is: what another seed "
    "would change is not in them."
)
_Cells = Mapping[tuple[str, str], TableCell]


def rate_tables(method: Method, owner: str = "") -> list[Table]:
    """Return every table of one method; titles begin with the `owner`, or with a capital letter without one."""
    marked = [policy_head(entry) for entry in method.first.results]
    found = [_errors(method), _without_threshold(method), *_each_target(method)]
    found += _by_species(method, marked, "by PAI species (%)")
    if held_out := method.source_dev:  # the threshold may be chosen on its scores, but they are not a test set
        quoted = [entry.policy for entry in held_out.first.results]
        found += _by_species(held_out, quoted, f"{HELD_OUT}, by PAI species (%)")
    found += [*_by(method, "device"), *_by(method, "domain")]
    return [replace(table, title=_owned(owner, table.title)) for table in found]


def counts_table(assessment: Assessment) -> Table:
    """Return the presentations that were assessed, by class and PAI species, and their frames."""
    protocol, held_out = assessment.about.protocol, assessment.source_dev
    sets = [(protocol.target if protocol else TEST_SET_MARK, assessment.counts)]
    sets += [(HELD_OUT, held_out.counts)] if held_out else []
    rows = [TableRow("bona fide", text_cells(*(f"{counts.bona_fide:,}" for _, counts in sets)))]
    for name in sorted({name for _, counts in sets for name in counts.species}):
        numbers = [counts.species.get(name, 0) for _, counts in sets]
        rows.append(
            TableRow(f"attack: {name}", text_cells(*(f"{number:,}" if number else NOTHING for number in numbers)))
        )
    rows.append(TableRow("frames in all", text_cells(*(f"{counts.frames:,}" for _, counts in sets))))
    head = ["presentations", *(name for name, _ in sets)]
    return Table(title="Presentations that were assessed", head=head, rows=rows)


def cells_of(method: Method, *, intervals: bool = True) -> dict[tuple[str, str], TableCell]:
    """Return (policy, metric) -> figure, as in `Method.figures`, with its spread over seeds or, if wanted, interval."""
    ends = method.intervals if intervals else {}
    return {
        (policy, metric): _number(found) if metric == "threshold" else percent(found, ends.get((policy, metric)))
        for policy, metric, found in method.figures()
    }


def percent(found: Spread | None, ends: Interval | None = None) -> TableCell:
    """Return a share in percent with its spread over seeds or its interval."""
    if found is None:
        return NO_CELL
    if found.deviation is not None:
        return TableCell(f"{100 * found.mean:.2f}", f"± {100 * found.deviation:.2f}")
    return TableCell(f"{100 * found.mean:.2f}", f"[{100 * ends.low:.2f}, {100 * ends.high:.2f}]" if ends else "")


def policy_head(entry: PolicyResult) -> str:
    """Return a policy's name, with a mark if its threshold was chosen on the test set."""
    return f"{entry.policy} ({TEST_SET_MARK})" if entry.test_set_choice else entry.policy


def interval_notes(units: Units | None, resamples: int, seed: int, *, several: bool = False) -> Iterator[str]:
    """Yield how intervals were made and what they do not cover; nothing if there are none.

    Args:
        units: What the bootstrap drew; None without one.
        resamples: Its resamples.
        seed: Its seed.
        several: Whether several runs are reported together, so that their intervals are elsewhere.
    """
    if units is None:
        return
    where = "Intervals of the single runs are in the JSON and CSV" if several else "[low, high]"
    drawn = f"{resamples} resamples (seed {seed}) of {units.count} {units.kind}, stratified by class"
    yield f"{where}: 95 % percentile bootstrap, {drawn}; {COVERED}"
    yield from units.warnings()


def _errors(method: Method) -> Table:
    columns = [(policy_head(entry), entry.policy, cells_of(method)) for entry in method.first.results]
    if held_out := method.source_dev:
        policy = held_out.first.results[0].policy
        columns.append((f"{HELD_OUT} (at {policy})", policy, cells_of(held_out)))
    rows = [
        TableRow(LABELS.get(name, name), [cells[policy, name] for _, policy, cells in columns], name == "threshold")
        for name in ("threshold", *AT_THRESHOLD)
    ]
    heads = [head for head, *_ in columns]
    return Table(title="errors by threshold policy", head=["% (but threshold)", *heads], rows=rows)


def _without_threshold(method: Method) -> Table:
    protocol, held_out = method.first.about.protocol, method.source_dev
    columns: list[tuple[str, _Cells]] = [(protocol.target if protocol else TEST_SET_MARK, cells_of(method))]
    columns += [(HELD_OUT, cells_of(held_out))] if held_out else []
    rows = [TableRow(LABELS[name], [cells[NO_POLICY, name] for _, cells in columns]) for name in NO_THRESHOLD]
    return Table(title="without a threshold", head=["%", *(head for head, _ in columns)], rows=rows)


def _each_target(method: Method) -> Iterator[Table]:
    rows = []
    for one in method.targets:
        counts, cells = one.first.counts, cells_of(one)
        keys = [*((entry.policy, "hter") for entry in one.first.results), (NO_POLICY, "auc")]
        shown = [cells[key] for key in keys]
        rows.append(TableRow(one.first.about.name, [*text_cells(str(counts.bona_fide), str(counts.attack)), *shown]))
    if rows:
        heads = [f"HTER {policy_head(entry)}" for entry in method.first.results]
        yield Table(title="each target alone (%)", head=["target", "bona fide", "attacks", *heads, "AUC"], rows=rows)


def _by_species(method: Method, policies: Sequence[str], title: str) -> Iterator[Table]:
    """Yield APCER under each of `policies`, and AUC if the scores are known, of each of several PAI species."""
    first, cells = method.first, cells_of(method)
    areas = {part.name: spreads["auc"] for part, spreads in method.slices("species")}
    rows = []
    for name in dict.fromkeys(name for entry in first.results for name in entry.apcer_by_species):
        rates = [cells.get((entry.policy, f"apcer:{name}"), NO_CELL) for entry in first.results]
        area = [percent(areas.get(name))] if areas else []
        rows.append(TableRow(name, [TableCell(str(first.counts.species.get(name, 0))), *rates, *area]))
    heads = [f"APCER {name}" for name in policies] + (["AUC"] if areas else [])
    if len(rows) > 1:
        yield Table(
            title=title, head=["PAI species", "attacks", *heads], rows=rows, notes=[AGAINST_ALL] if areas else []
        )


def _by(method: Method, by: str) -> Iterator[Table]:
    """Yield the rates by device or domain at the first policy's threshold, if there are several."""
    rows = [
        TableRow(
            part.name,
            [*text_cells(str(part.bona_fide), str(part.attack)), *(percent(spreads[key]) for key in BY_COLUMNS)],
        )
        for part, spreads in method.slices(by)
    ]
    if rows:
        title = f"by {by}, at the threshold of {policy_head(method.first.results[0])} (%)"
        yield Table(title=title, head=[by, "bona fide", "attacks", *BY_COLUMNS.values()], rows=rows)


def _owned(owner: str, title: str) -> str:
    return f"{owner}: {title}" if owner else title[0].upper() + title[1:]


def _number(found: Spread) -> TableCell:
    if found.deviation is None:
        return TableCell(f"{found.mean:.5g}")
    return TableCell(f"{found.mean:.4g}", f"± {found.deviation:.2g}")
