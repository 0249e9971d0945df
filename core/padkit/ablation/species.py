"""Tables of kept runs by PAI species, and of the species that cells were not trained on. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from padkit.ablation.kept import KeptRun
from padkit.ablation.tables import Grid
from padkit.data.presentation import BONA_FIDE
from padkit.evaluation.metrics import auc
from padkit.evaluation.statistics.paired import PairedDifference, paired_difference, spread
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, text_cells

WITHOUT = "data.without"  # a cell's setting: PAI species, joined by +, that only the test set has
ALONE = "Bona fide presentations against those of one PAI species: means over targets and seeds."
BOLD = "Bold: the cell was not trained on this species."


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One run against one PAI species, in percent.

    Attributes:
        auc: Of bona fide presentations against those of the species.
        apcer: At the threshold of the policy that the run quotes.
    """

    auc: float
    apcer: float


# (cell, species) -> (target, seed) -> figures
Found = Mapping[tuple[str, str], Mapping[tuple[str, int], Against]]


def species_tables(runs: Sequence[KeptRun], grid: Grid) -> list[Table]:
    """Return AUC and APCER by PAI species, and each species that a cell was not trained on against the baseline.

    Args:
        runs: The runs within the grid; every figure is computed from their scores.
        grid: Rows and their order.
    """
    found: dict[tuple[str, str], dict[tuple[str, int], Against]] = {}
    unseen: dict[str, list[str]] = {}
    for run in runs:
        unseen[run.cell] = [name for name in str(run.cell_settings.get(WITHOUT) or "").split("+") if name]
        for name, figures in against_each(run).items():
            found.setdefault((run.cell, name), {})[run.target, run.seed] = figures
    names = sorted({name for _, name in found})
    policy = ", ".join(dict.fromkeys(run.policies[0] for run in runs))
    tables = [
        _by_species("auc", "AUC (%) by PAI species, higher is better; no threshold", found, unseen, grid, names),
        _by_species("apcer", f"APCER (%), lower is better; threshold policy {policy}", found, unseen, grid, names),
    ]
    return [*tables, _unseen(found, unseen, grid)] if any(unseen.values()) else tables


def against_each(run: KeptRun) -> dict[str, Against]:
    """Return the figures of a run against each PAI species of its test set."""
    scores = run.scores_of("target")
    if scores is None:
        return {}
    found = {}
    for name, rate in run.rates()[0].apcer_by_species.items():
        both = (scores.label == BONA_FIDE) | (scores.pai_species == name)
        found[name] = Against(auc=100 * auc(scores.label[both], scores.score[both]), apcer=100 * rate)
    return found


def _by_species(
    figure: str, title: str, found: Found, unseen: Mapping[str, Sequence[str]], grid: Grid, names: Sequence[str]
) -> Table:
    rows = []
    for cell in grid.cells:
        row = []
        for name in names:
            seen = [getattr(one, figure) for one in found.get((cell, name), {}).values()]
            told = f"{spread(seen).mean:.2f}" if seen else NOTHING
            row.append(TableCell(told, bold=name in unseen.get(cell, ())))
        rows.append(TableRow(cell, row))
    notes = [ALONE, *([BOLD] if any(unseen.values()) else [])]
    return Table(title=title, head=["cell", *names], rows=rows, notes=notes)


def _unseen(found: Found, unseen: Mapping[str, Sequence[str]], grid: Grid) -> Table:
    rows, compared = [], {}
    for cell in grid.cells:
        for name in unseen.get(cell, ()):
            mine, base = found.get((cell, name), {}), found.get((grid.baseline, name), {})
            both = [key for key in mine if key in base]
            if not both:
                continue
            difference = paired_difference(*({key: values[key].auc for key in both} for values in (mine, base)))
            compared[f"{cell}, {name}" if len(unseen[cell]) > 1 else cell] = difference
            means = [
                f"{spread([getattr(values[key], figure) for key in both]).mean:.2f}"
                for figure in ("auc", "apcer") for values in (base, mine)
            ]  # fmt: skip
            interval = NOTHING if difference.low is None else f"[{difference.low:+.2f}, {difference.high:+.2f}]"
            cells = text_cells(str(difference.pairs), *means[:2], f"{difference.difference:+.2f}", interval, *means[2:])
            rows.append(TableRow(f"{cell}: {name}", cells))
    head = ["cell: species", "pairs", "AUC with it", "AUC without", "difference", "95 % interval"]
    return Table(
        title=f"Species left out of training, tested on (%); with it: {grid.baseline}",
        head=[*head, "APCER with it", "APCER without"],
        rows=rows,
        notes=[_detectable(compared)],
    )


def _detectable(compared: Mapping[str, PairedDifference]) -> str:
    told = [f"{name} {one.detectable:.2f}" for name, one in compared.items() if one.detectable is not None]
    return f"Smallest difference of AUC that is found with 80 % power: {', '.join(told) or 'unknown'}."
