"""The tables of an ablation, made from its records: per metric the figures and the comparison with the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from padkit.ablation.records import Record, finished
from padkit.evaluation.selection import CHECKPOINT_SELECTIONS, checkpoint_mark
from padkit.evaluation.statistics.paired import ALPHA, POWER, PairedDifference, Spread, holm, paired_difference, spread
from padkit.evaluation.thresholds import TARGET_EER
from padkit.report.tables.layout import MADE_BY, NOTHING, Table, TableCell, TableRow, p_value, text_cells

DEPENDENCE = (
    "Differences: paired by target and seed, with t-interval and paired t-test. The pairs share targets and training "
    "data and are few: they are not independent, so intervals and p-values promise more than they can keep."
)
FEWEST_PAIRS = 6  # with fewer pairs, no signed-rank test reaches 0.05


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the records that gets a table.

    Attributes:
        field: Attribute of `Record`, a share in [0, 1].
        label: In words.
        lower_is_better: Direction.
        test_set_threshold: Whether the threshold was chosen on the test set, whatever policy the run quotes.
    """

    field: str
    label: str
    lower_is_better: bool
    test_set_threshold: bool = False


HTER = Metric("hter", "HTER", lower_is_better=True)
AUC = Metric("auc", "AUC", lower_is_better=False)
ACER = Metric("acer", "ACER, worst species", lower_is_better=True)
APCER = Metric("apcer", "APCER, worst species", lower_is_better=True)
BPCER = Metric("bpcer", "BPCER", lower_is_better=True)
LITERATURE = Metric("hter_target_eer", "HTER", lower_is_better=True, test_set_threshold=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The rows and columns of every table.

    Attributes:
        cells: Names of the cells.
        targets: Domains tested on, or names of protocols.
        seeds: Seeds.
        baseline: Name of the cell that the others are compared with.
        folds: Protocol -> the entries of `targets` that are its folds; each protocol gets its own column.
        protocols: Whether `targets` are names of protocols.
        official: Whether one of the protocols is official: the tables then also show ACER, APCER and BPCER.
        beside: Cells that are shown beside the others and not tested, such as random features.
    """

    cells: Sequence[str]
    targets: Sequence[str]
    seeds: Sequence[int]
    baseline: str
    folds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    protocols: bool = False
    official: bool = False
    beside: Sequence[str] = ()

    @property
    def tested(self) -> list[str]:
        """The cells that are compared with the baseline."""
        return [cell for cell in self.cells if cell != self.baseline and cell not in self.beside]


def tables_of(records: Sequence[Record], grid: Grid) -> list[Table]:
    """Return two tables per metric, figures and comparison: AUC, quoted HTER, and HTER at the test-set threshold.

    AUC is the primary end point. With an official protocol, its metrics come first.
    """
    done = finished(records)
    quoted = {record.policy for record in done}
    found: list[Table] = []
    metrics = [*((ACER, APCER, BPCER) if grid.official else ()), AUC, HTER]
    for metric in (*metrics, *([] if quoted == {TARGET_EER} else [LITERATURE])):
        values = {cell: _values(done, cell, metric, grid) for cell in grid.cells}
        others = grid.tested
        compared = {cell: paired_difference(values[cell], values[grid.baseline]) for cell in others}
        adjusted = dict(zip(others, holm([compared[cell].wilcoxon for cell in others]), strict=True))
        found.append(_figures(metric, values, grid, _best(metric, values, compared, adjusted, grid), done))
        if others:
            found.append(_comparisons(metric, compared, adjusted, grid.baseline, done))
    return found


def _values(records: Sequence[Record], cell: str, metric: Metric, grid: Grid) -> dict[tuple[str, int], float]:
    """Return (target, seed) -> figure in percent, within the grid."""
    found = {}
    for record in records:
        value = getattr(record, metric.field)
        wanted = record.cell == cell and record.target in grid.targets and record.seed in grid.seeds
        if wanted and value is not None:
            found[record.target, record.seed] = 100 * float(value)
    return found


def mean_over_targets(values: Mapping[tuple[str, int], float], grid: Grid) -> Spread | None:
    """Return the spread over seeds of the mean over targets; None unless every run has finished."""
    if any((target, seed) not in values for target in grid.targets for seed in grid.seeds):
        return None
    return spread([spread([values[target, seed] for target in grid.targets]).mean for seed in grid.seeds])


def _best(
    metric: Metric,
    values: Mapping[str, Mapping[tuple[str, int], float]],
    compared: Mapping[str, PairedDifference],
    adjusted: Mapping[str, float | None],
    grid: Grid,
) -> str | None:
    """Return the cell of the best mean if it is better than the baseline beyond chance."""
    entered = [cell for cell in grid.cells if cell == grid.baseline or cell in grid.tested]
    means = {cell: mean.mean for cell in entered if (mean := mean_over_targets(values[cell], grid))}
    if grid.baseline not in means:
        return None
    best = min(means, key=lambda cell: means[cell] if metric.lower_is_better else -means[cell])
    p = adjusted.get(best)
    difference = compared[best].difference if best in compared else None
    if p is None or p >= ALPHA or not difference or (difference < 0) != metric.lower_is_better:
        return None
    return best


def _figures(
    metric: Metric,
    values: Mapping[str, Mapping[tuple[str, int], float]],
    grid: Grid,
    best: str | None,
    done: Sequence[Record],
) -> Table:
    total = len(grid.targets) * len(grid.seeds)
    rows = []
    for cell in grid.cells:
        row = []
        for target in grid.targets:
            seen = [values[cell][target, seed] for seed in grid.seeds if (target, seed) in values[cell]]
            row.append(_figure(spread(seen) if seen else None, len(grid.seeds)))
        row += [_over_folds(values[cell], folds, grid) for folds in grid.folds.values()]
        mean = _figure(mean_over_targets(values[cell], grid), len(grid.seeds))
        row += [replace(mean, bold=cell == best), TableCell(f"{len(values[cell])}/{total}")]
        rows.append(TableRow(cell, row))
    where = _threshold(metric, done) + _flattered(done)
    return Table(
        title=f"{metric.label} (%), {'lower' if metric.lower_is_better else 'higher'} is better; {where}",
        head=[
            "cell",
            *grid.targets,
            *(f"{name}, {len(folds)} folds" for name, folds in grid.folds.items()),
            "mean",
            "runs",
        ],
        rows=rows,
        notes=[_lead(values, cell, grid) for cell in grid.beside if metric is AUC],
    )


def _lead(values: Mapping[str, Mapping[tuple[str, int], float]], beside: str, grid: Grid) -> str:
    """Return how far the baseline is from a cell that is not tested, on each target."""
    base, other, found = values[grid.baseline], values[beside], []
    for target in grid.targets:
        keys = [(target, seed) for seed in grid.seeds if (target, seed) in base and (target, seed) in other]
        both = [base[key] - other[key] for key in keys]
        found.append(f"{target} {spread(both).mean:+.2f}" if both else f"{target} {NOTHING}")
    return f"{grid.baseline} minus {beside}, mean over seeds: {', '.join(found)} percentage points."


def _over_folds(values: Mapping[tuple[str, int], float], folds: Sequence[str], grid: Grid) -> TableCell:
    """Return mean and standard deviation over folds, each the mean over its seeds."""
    seen = [[values[fold, seed] for seed in grid.seeds if (fold, seed) in values] for fold in folds]
    means = [spread(fold).mean for fold in seen if fold]
    return _figure(spread(means) if means else None, len(folds))


def _threshold(metric: Metric, done: Sequence[Record]) -> str:
    if metric is AUC:
        return "no threshold"
    if metric.test_set_threshold:
        return f"policy {TARGET_EER}: test-set threshold, as in the literature, which flatters every row"
    chosen = {(record.policy, record.test_set_choice) for record in done}
    flattered = " (test-set threshold, which flatters every row)" if any(here for _, here in chosen) else ""
    return f"threshold policy {', '.join(sorted(policy for policy, _ in chosen)) or NOTHING}{flattered}"


def _flattered(done: Sequence[Record]) -> str:
    """Return the checkpoint selections that look at the test set, each with its cells unless all share it."""
    cells: dict[str, dict[str, None]] = {}
    for record in done:
        if mark := checkpoint_mark(record.selection):
            cells.setdefault(mark, {})[record.cell] = None
    shared = len({record.selection for record in done}) == 1
    return "".join(f"; {mark}" + ("" if shared else f" in {', '.join(names)}") for mark, names in cells.items())


def _reading(grid: Grid) -> list[str]:
    """Return how to read the tables."""
    over = f"mean ± sample standard deviation over {len(grid.seeds)} seeds" if len(grid.seeds) > 1 else "one seed"
    lines = [f"Figures: {over}; the last mean is over targets, shown where every run is there."]
    if grid.folds:
        lines.append("Folds: mean ± sample standard deviation over the folds, each the mean over its seeds.")
    if not grid.tested:
        return lines
    pairs = len(grid.targets) * len(grid.seeds)
    short = f" With fewer than {FEWEST_PAIRS} pairs it cannot reach p < {ALPHA}, whatever the data."
    test = "two-sided Wilcoxon signed-rank over matched runs, Holm over the cells of one table"
    bold = f"Bold: the best mean, only where it is better than {grid.baseline} with p < {ALPHA} ({test})."
    return [*lines, bold + (short if pairs < FEWEST_PAIRS else ""), DEPENDENCE]


def _comparisons(
    metric: Metric, compared: Mapping[str, PairedDifference], adjusted: Mapping[str, float | None], baseline: str,
    done: Sequence[Record],
) -> Table:  # fmt: skip
    rows = []
    for cell, found in compared.items():
        interval = NOTHING if found.low is None else f"[{found.low:+.2f}, {found.high:+.2f}]"
        difference = NOTHING if found.difference is None else f"{found.difference:+.2f}"
        tests = [p_value(found.wilcoxon), p_value(adjusted[cell]), p_value(found.t_test)]
        rows.append(TableRow(cell, text_cells(str(found.pairs), difference, interval, *tests)))
    policy = f", policy {TARGET_EER} (test-set threshold)" if metric.test_set_threshold else ""
    return Table(
        title=f"{metric.label} minus that of {baseline} (percentage points){policy}{_flattered(done)}",
        head=["cell", "pairs", "difference", "95 % interval", "Wilcoxon p", "Holm p", "t-test p"],
        rows=rows,
        notes=[_power(compared)],
    )


def _power(compared: Mapping[str, PairedDifference]) -> str:
    """Return the smallest difference that the pairs of each cell would find."""
    told = [f"{cell} {found.detectable:.2f}" for cell, found in compared.items() if found.detectable is not None]
    test = "paired t-test at 5 %, with the spread and the number of the pairs"
    what = f"Smallest difference that is found with {100 * POWER:.0f} % power ({test})"
    return f"{what}: {', '.join(told) or 'unknown with fewer than two pairs that differ'}."


def caption(
    records: Sequence[Record], grid: Grid, *, dataset: str, fingerprint: str, warning: str, command: str
) -> list[str]:
    """Return the lines under every table of the ablation: how the figures were made, and their limits."""
    done = finished(records)
    total = len(grid.cells) * len(grid.targets) * len(grid.seeds)
    version = f" ({fingerprint})" if fingerprint else ""
    how = "protocols by name" if grid.protocols else "one domain left out at a time"
    data = f"Dataset {dataset}{version}, {how}; convention {_by_cell(done, 'convention')}"
    rules = f"Threshold policy {_by_cell(done, 'policy')}; checkpoint selection {_by_cell(done, 'selection')}"
    lines = [
        f"{data}; seeds {', '.join(map(str, grid.seeds))}.",
        f"{rules}{_selection(done)}.",
        f"{len(done)} of {total} runs finished.",
    ]
    failed = [record for record in records if record.status == "failed"]
    if failed:
        first = failed[0]
        where = f"{first.cell}, {first.target}, seed {first.seed}"
        lines[-1] += f" {_count(len(failed), 'run')} failed; the first, {where}: {first.error}"
    if warning:
        lines.append(warning)
    return [*_reading(grid), *lines, f"{MADE_BY}{command}"]


def _by_cell(records: Sequence[Record], name: str) -> str:
    """Return the value that all records share, or each value with its cells."""
    cells: dict[str, dict[str, None]] = {}
    for record in records:
        cells.setdefault(str(getattr(record, name)), {})[record.cell] = None
    if len(cells) < 2:
        return next(iter(cells), NOTHING)
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in cells.items())


def _selection(records: Sequence[Record]) -> str:
    chosen = {record.selection for record in records}
    return f" ({CHECKPOINT_SELECTIONS.get(chosen.pop(), 'unknown to this version')})" if len(chosen) == 1 else ""


def _figure(found: Spread | None, wanted: int) -> TableCell:
    if found is None:
        return TableCell(NOTHING)
    beside = [] if found.deviation is None else [f"± {found.deviation:.2f}"]
    beside += [] if found.count == wanted else [f"(n={found.count})"]
    return TableCell(f"{found.mean:.2f}", " ".join(beside))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
