"""Judgements as tables: a method's figures, also by species, device and domain, and what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group as RenderGroup
from rich.console import RenderableType
from rich.text import Text

from padkit.evaluation.assessment import BREAKDOWNS, NO_POLICY, Slice
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.comparison import PairedComparison
from padkit.evaluation.literature import NOT_MEASURED, comparable_target, policy, published
from padkit.evaluation.methods import Method
from padkit.evaluation.results import (
    AT_THRESHOLD,
    CHECKPOINT_SELECTIONS,
    LABELS,
    NO_THRESHOLD,
    SIMULATED,
    Results,
    headline,
    results_table,
)
from padkit.evaluation.statistics.bootstrap import Interval, Units
from padkit.evaluation.statistics.paired import Spread
from padkit.evaluation.thresholds import TARGET_EER
from padkit.report.tables.layout import NOTHING, Sheet, p_value, terminal

TEST_SET_MARK = "test set"
RUN_COLUMNS = ("hter", "acer", "apcer", "bpcer")
THRESHOLD_NAMES = {"hter": "HTER", "acer": "ACER", "apcer": "APCER", "bpcer": "BPCER"}


def method_sheets(group: Method) -> list[Sheet]:
    """Return the tables of one method."""
    found = [_rates(group), _free(group)]
    if len(group.assessments) > 1:
        found += [_runs(group, number) for number in range(len(group.first.results))]
    found += [sheet for by in BREAKDOWNS if (sheet := _slices(group, by))]
    protocol = group.first.candidate.protocol
    target = comparable_target(protocol) if protocol else ""
    if target:
        figures = {(chosen, metric): value for chosen, metric, value in group.figures()}
        found.append(literature_sheet(target, figures.get((TARGET_EER, "hter")), figures[NO_POLICY, "auc"]))
    return found


def methods_sheet(groups: Sequence[Method]) -> Sheet:
    """Return several methods in one table, each under the policy that it quotes first."""
    rows = []
    for group in groups:
        found = {(chosen, metric): value for chosen, metric, value in group.figures()}
        entry = group.first.results[0]
        rule = f"{entry.policy} ({TEST_SET_MARK})" if entry.test_set_choice else entry.policy
        keys = [(entry.policy, "hter"), (entry.policy, "acer"), (NO_POLICY, "auc")]
        rows.append(
            [_title(group), ", ".join(map(str, group.seeds)) or "unknown", rule, *(_spread(found[k]) for k in keys)]
        )
    return Sheet(title="All methods (%)", head=["method", "seeds", "policy", "HTER", "ACER", "AUC"], rows=rows)


def method_notes(group: Method, *, resamples: int, seed: int) -> list[str]:
    """Return the lines without which a method's tables must not be read."""
    first, candidate, count = group.first, group.first.candidate, len(group.assessments)
    counts = first.counts
    lines = [f"{_protocol(candidate)}; {_seeds(group)}; {_selection(candidate)}."]
    if count > 1:
        lines.append(f"Figures: mean ± sample standard deviation over n = {count} seeds.")
    lines.append(
        f"Tested on {counts.bona_fide} bona fide and {counts.attack} attack presentations ({counts.frames} frames)."
    )
    lines += [f"Threshold {entry.policy}: chosen on {entry.chosen_on}." for entry in first.results]
    lines += _resampling(first.units, resamples, seed, plural=count > 1)
    if candidate.protocol and candidate.protocol.simulated:
        lines.append(SIMULATED)
    if candidate.protocol and (target := comparable_target(candidate.protocol)):
        lines.append(literature_sources(target))
    return [*lines, *dict.fromkeys(note for run in group.assessments for note in run.candidate.notes)]


def literature_sheet(target: str, hter: Spread | None, auc: Spread) -> Sheet:
    """Return the published figures on a target, `O`, `C`, `I` or `M`, below one's own; shares in [0, 1]."""
    rows = [["this", _spread(hter) if hter else NOTHING, _spread(auc), NOTHING]]
    for row in published(target):
        figures = [NOTHING if value is None else f"{value:.2f}" for value in (row.hter, row.auc)]
        if row.hter is None and row.auc is None:
            figures[0] = NOT_MEASURED
        rows.append([f"{row.method} {row.year}", *figures, row.backbone])
    return Sheet(
        title=f"Published on {target} (%): {policy()}; to compare with {TARGET_EER} alone; frames and crops differ",
        head=["method", "HTER", "AUC", "backbone"],
        rows=rows,
    )


def literature_sources(target: str) -> str:
    """Return where the published figures on a target stand, in one line."""
    return f"Published by: {', '.join(f'{row.method} {row.source}' for row in published(target))}."


def run_literature(results: Results) -> Sheet | None:
    """Return what is published beside a run; None where its protocol is none of the four, or data are simulated."""
    target = comparable_target(results.protocol)
    if not target:
        return None
    own = next((entry.values["hter"] for entry in results.results if entry.policy == TARGET_EER), None)
    hter = None if own is None else Spread(own, None, 1)
    return literature_sheet(target, hter, Spread(results.values["auc"], None, 1))


def run_view(results: Results) -> RenderableType:
    """Return what a run prints at its end: its table, and what is published beside it, if anything compares."""
    beside = run_literature(results)
    if beside is None:
        return results_table(results)
    sources = literature_sources(comparable_target(results.protocol))
    return RenderGroup(results_table(results), Text(), terminal([beside], [sources]))


def comparison_sheets(comparison: PairedComparison) -> list[Sheet]:
    """Return the table of a paired comparison."""
    area = comparison.auc
    ends = None if area.low is None or area.high is None else Interval(area.low, area.high)
    rows = [["AUC (DeLong)", *_pair(area.first, area.second, ends, area.p)]]
    for found in comparison.differences:
        name = f"{LABELS[found.metric]} {found.policy}" if found.policy else f"{LABELS[found.metric]} (bootstrap)"
        if found.interval is not None or found.policy:
            rows.append([name, *_pair(found.first, found.second, found.interval, found.p)])
    return [
        Sheet(
            title=f"A minus B (percentage points): A is {comparison.first.name}, B is {comparison.second.name}",
            head=["figure (%)", "A", "B", "A - B", "95 % interval", "p"],
            rows=rows,
        )
    ]


def comparison_notes(comparison: PairedComparison, *, resamples: int, seed: int) -> list[str]:
    """Return the lines without which a comparison must not be read."""
    lines = [f"Paired over the same {comparison.presentations} presentations; p is two-sided, of no difference."]
    for letter, candidate in (("A", comparison.first), ("B", comparison.second)):
        told = "unknown" if candidate.seed is None else str(candidate.seed)
        lines.append(f"{letter}: {_protocol(candidate)}; seed {told}; {_selection(candidate)}.")
    lines.append("DeLong's test takes presentations as independent; where subjects repeat, its p is too small.")
    lines.append("One training of each is compared; other seeds may differ by more.")
    if comparison.units is None:
        lines.append("Without --bootstrap N, HTER has no interval and no p.")
    return [*lines, *_resampling(comparison.units, resamples, seed, plural=False)]


def _rates(group: Method) -> Sheet:
    results = group.first.results
    found = {(chosen, metric): value for chosen, metric, value in group.figures()}
    intervals = _intervals(group)

    def row(label: str, metric: str) -> list[str]:
        keys = [(entry.policy, metric) for entry in results]
        return [label, *(_spread(found[key], intervals.get(key)) if key in found else NOTHING for key in keys)]

    threshold = [found[entry.policy, "threshold"] for entry in results]
    rows = [
        ["threshold", *(_number(value) for value in threshold)],
        *(row(LABELS[name], name) for name in AT_THRESHOLD),
    ]
    species = dict.fromkeys(name for entry in results for name in entry.apcer_by_species)
    if len(species) > 1:
        rows += [row(f"APCER {name}", f"apcer:{name}") for name in species]
    heads = [f"{entry.policy} ({TEST_SET_MARK})" if entry.test_set_choice else entry.policy for entry in results]
    return Sheet(title=f"{_title(group)}: errors by threshold policy", head=["% (but threshold)", *heads], rows=rows)


def _free(group: Method) -> Sheet:
    found = {metric: value for chosen, metric, value in group.figures() if chosen == NO_POLICY}
    intervals = _intervals(group)
    rows = [[LABELS[name], _spread(found[name], intervals.get((NO_POLICY, name)))] for name in NO_THRESHOLD]
    return Sheet(title=f"{_title(group)}: without a threshold", head=["%", "value"], rows=rows)


def _runs(group: Method, number: int) -> Sheet:
    rows = []
    for run in group.assessments:
        entry = run.results[number]
        values = [entry.values[name] for name in RUN_COLUMNS] + [run.values[name] for name in ("auc", "eer")]
        shown = [f"{100 * value:.2f}" for value in values]
        rows.append([group.short_name(run), str(run.candidate.seed), *shown])
    entry = group.first.results[number]
    flatters = f" ({TEST_SET_MARK})" if entry.test_set_choice else ""
    return Sheet(
        title=f"{_title(group)}: its runs, threshold policy {entry.policy}{flatters} (%)",
        head=["run", "seed", *THRESHOLD_NAMES.values(), "AUC", "EER"],
        rows=rows,
    )


def _slices(group: Method, by: str) -> Sheet | None:
    columns = ("apcer", "auc") if by == "species" else ("apcer", "bpcer", "hter", "auc")
    rows = []
    for part, spreads in group.slices(by):
        figures = (spreads[name] for name in columns)
        rows.append([part.name, *_counts(part, by), *(_spread(value) if value else NOTHING for value in figures)])
    if not rows:
        return None
    entry = group.first.results[0]
    flatters = f" ({TEST_SET_MARK})" if entry.test_set_choice else ""
    against = ", each against all bona fide" if by == "species" else ""
    heads = ["attack"] if by == "species" else ["bona fide", "attack"]
    return Sheet(
        title=f"{_title(group)}: by {by}{against}, at the threshold of {entry.policy}{flatters} (%)",
        head=[by, *heads, *((THRESHOLD_NAMES | {"auc": "AUC"})[name] for name in columns)],
        rows=rows,
    )


def _counts(part: Slice, by: str) -> list[str]:
    return [str(part.attack)] if by == "species" else [str(part.bona_fide), str(part.attack)]


def _title(group: Method) -> str:
    protocol = group.first.candidate.protocol
    return f"{group.name}{f', {protocol.name}' if protocol else ''}"


def _protocol(candidate: Candidate) -> str:
    return "Protocol unknown" if candidate.protocol is None else f"Protocol {headline(candidate.protocol)}"


def _seeds(group: Method) -> str:
    if not group.seeds:
        return "seed unknown"
    return f"seed{'s' if len(group.seeds) > 1 else ''} {', '.join(map(str, group.seeds))}"


def _selection(candidate: Candidate) -> str:
    if not candidate.selection:
        return "checkpoint selection unknown"
    told = CHECKPOINT_SELECTIONS.get(candidate.selection, "unknown to this version")
    return f"checkpoint selection {candidate.selection} ({told})"


def _intervals(group: Method) -> dict[tuple[str, str], Interval]:
    return dict(group.first.intervals) if len(group.assessments) == 1 else {}


def _resampling(units: Units | None, resamples: int, seed: int, *, plural: bool) -> Iterator[str]:
    if units is None:
        return
    where = "Intervals of the single runs are in the JSON and CSV" if plural else "[low, high]"
    yield (
        f"{where}: 95 % percentile bootstrap, {resamples} resamples (seed {seed}) of {units.count} {units.kind}, "
        f"stratified by class; {TARGET_EER} is chosen anew in each, other thresholds are kept."
    )
    yield from units.warnings()


def _pair(first: float, second: float, ends: Interval | None, p: float | None) -> list[str]:
    shown = NOTHING if ends is None else f"[{100 * ends.low:+.2f}, {100 * ends.high:+.2f}]"
    return [f"{100 * first:.2f}", f"{100 * second:.2f}", f"{100 * (first - second):+.2f}", shown, p_value(p)]


def _spread(found: Spread, ends: Interval | None = None) -> str:
    text = f"{100 * found.mean:.2f}"
    if found.deviation is not None:
        return f"{text} ± {100 * found.deviation:.2f}"
    return text if ends is None else f"{text} [{100 * ends.low:.2f}, {100 * ends.high:.2f}]"


def _number(found: Spread) -> str:
    return f"{found.mean:.5g}" if found.deviation is None else f"{found.mean:.4g} ± {found.deviation:.2g}"
