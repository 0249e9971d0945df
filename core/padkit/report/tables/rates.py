"""Tables of a run's rates with their 95 % intervals, as the page lays them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from padkit.evaluation.assessment import NO_POLICY, intervals_of, slices
from padkit.evaluation.results import AT_THRESHOLD, LABELS, NO_THRESHOLD, PolicyResult, Results
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.bootstrap import Interval, Units
from padkit.evaluation.thresholds import Threshold

RESAMPLES = 1000
NOTHING = "–"  # noqa: RUF001 - a dash for a figure that is not there
CAPTION = "%, 95 % interval"
COVERED = (
    "The model is taken as it is: what another seed would change is not in them. A threshold chosen on the test set is "
    "chosen anew in each resample, others are kept."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure in percent and its interval; "" where there is none."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the page.

    Attributes:
        head: Heads of the columns, the first one of the row names.
        rows: (name, cells, whether a block of rows ends here).
    """

    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell], bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One set of scores with its intervals.

    Attributes:
        units: What the bootstrap drew.
        intervals: (policy, metric) -> interval; policy "" for what needs no threshold.
    """

    units: Units
    intervals: Mapping[tuple[str, str], Interval] = field(default_factory=dict)

    @classmethod
    def of(cls, scores: Scores, entries: Sequence[PolicyResult]) -> Judged:
        """Resample `scores` at the thresholds of `entries`."""
        thresholds = [Threshold(e.policy, e.threshold, e.chosen_on, e.test_set_choice) for e in entries]
        units, intervals = intervals_of(scores, thresholds, resamples=RESAMPLES)
        return cls(units=units, intervals=intervals)

    def cell(self, policy: str, metric: str, share: float | None) -> Cell:
        """Return a figure with its interval."""
        if share is None:
            return Cell(NOTHING)
        ends = self.intervals.get((policy, metric))
        return Cell(f"{100 * share:.2f}", f"{100 * ends.low:.2f} to {100 * ends.high:.2f}" if ends else "")


def rates_table(results: Results, target: Judged, source_dev: Judged | None) -> Table:
    """Return the rates at each policy's threshold, and at the first one's on held-out source."""
    dev = results.source_dev if source_dev else None
    head = [CAPTION, *(_head(entry) for entry in results.results)]
    rows: list[tuple[str, Sequence[Cell], bool]] = []
    if dev:
        head.append(f"held-out source\n(at {dev.result.policy})")

    def row(label: str, target_cells: Sequence[Cell], dev_cell: Cell, ends: bool = False) -> None:
        rows.append((label, [*target_cells, *([dev_cell] if dev else [])], ends))

    row(
        "threshold",
        [Cell(f"{entry.threshold:.5g}") for entry in results.results],
        Cell(f"{dev.result.threshold:.5g}" if dev else NOTHING),
        ends=True,
    )
    for name in AT_THRESHOLD:
        own = [target.cell(entry.policy, name, entry.values[name]) for entry in results.results]
        beside = source_dev.cell(dev.result.policy, name, dev.result.values[name]) if dev and source_dev else Cell("")
        row(LABELS[name], own, beside, ends=name == AT_THRESHOLD[-1])
    return Table(head=head, rows=rows)


def free_table(results: Results, target: Judged, source_dev: Judged | None) -> Table:
    """Return what the scores give without a threshold, on the target and on held-out source."""
    sets = [(results.values, target)]
    if results.source_dev is not None and source_dev is not None:
        sets.append((results.source_dev.values, source_dev))
    rows = [
        (LABELS[name], [judged.cell(NO_POLICY, name, values[name]) for values, judged in sets], False)
        for name in NO_THRESHOLD
    ]
    return Table(head=[CAPTION, results.protocol.target, *["held-out source"][: len(sets) - 1]], rows=rows)


def species_table(entries: Sequence[PolicyResult], counts: Mapping[str, int], judged: Judged) -> Table:
    """Return APCER by PAI species, a column per policy."""
    rows = []
    for name in dict.fromkeys(name for entry in entries for name in entry.apcer_by_species):
        cells = [judged.cell(e.policy, f"apcer:{name}", e.apcer_by_species.get(name)) for e in entries]
        rows.append((name, [Cell(str(counts.get(name, 0))), *cells], False))
    return Table(head=["PAI species", "attacks", *(f"APCER %\n{_head(entry)}" for entry in entries)], rows=rows)


def targets_table(results: Results) -> Table:
    """Return each of several targets judged alone."""
    rows: list[tuple[str, Sequence[Cell], bool]] = []
    for one in results.targets:
        shares = [*(entry.values["hter"] for entry in one.results), one.values["auc"]]
        counts = [Cell(str(one.counts.bona_fide)), Cell(str(one.counts.attack))]
        rows.append((one.target, [*counts, *(Cell(f"{100 * share:.2f}") for share in shares)], False))
    heads = [f"HTER %\n{_head(entry)}" for entry in results.results]
    return Table(head=["target", "bona fide", "attacks", *heads, "AUC %"], rows=rows)


def slice_tables(scores: Scores, threshold: float) -> list[Table]:
    """Return rates by device and by domain, where there are several, at one threshold."""
    tables = []
    for by in ("device", "domain"):
        rows: list[tuple[str, Sequence[Cell], bool]] = []
        for part in slices(scores, by, threshold):
            shares = [part.values[name] for name in ("apcer", "bpcer", "hter", "auc")]
            figures = [Cell(NOTHING if share is None else f"{100 * share:.2f}") for share in shares]
            rows.append((part.name, [Cell(str(part.bona_fide)), Cell(str(part.attack)), *figures], False))
        if rows:
            tables.append(Table(head=[by, "bona fide", "attacks", "APCER %", "BPCER %", "HTER %", "AUC %"], rows=rows))
    return tables


def interval_notes(units: Units) -> list[str]:
    """Return how the intervals were made and what they do not cover."""
    drawn = f"{RESAMPLES} resamples of {units.count} {units.kind}, stratified by class"
    return [f"Intervals: 95 % percentile bootstrap, {drawn}. {COVERED}", *units.warnings()]


def _head(entry: PolicyResult) -> str:
    return entry.policy + ("\n(chosen on test set)" if entry.test_set_choice else "")
