"""The tables of kept runs, as a terminal prints them and as documents hold them. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from padkit.ablation.kept import CONTENT, KeptRun, Key, same_frames
from padkit.ablation.plan import ALL, MAIN_RECIPE, Cell, Plan
from padkit.ablation.species import species_tables
from padkit.ablation.tables import Grid, caption, tables_of
from padkit.data.protocols.names import Official, parse
from padkit.errors import DataError, SettingsError, closest
from padkit.evaluation.metrics import auc
from padkit.evaluation.statistics.paired import spread
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow
from padkit.runs.comparison import stated
from padkit.runs.folder import DISTILLATION, EVIDENCE

CHANCE = f"{EVIDENCE}domain_chance"
FRESH = {
    f"{EVIDENCE}fresh_domain_accuracy_clean": "fresh domain classifier, clean",
    f"{EVIDENCE}fresh_domain_accuracy_attacked": "fresh domain classifier, perturbed",
    CHANCE: "chance",
}
CONSTANT = "/explained_by_constant"
EVIDENCE_NOTE = (
    "Means over the runs, at their last evaluation. Fresh domain classifier: accuracy after training on clean or on "
    "perturbed images; near chance, the domains are alike. Constant: share of the fall of a teacher's loss that "
    "features explain which are the same for every image."
)


def grid_of(runs: Mapping[Key, KeptRun], plan: Plan | None = None, baseline: str = "") -> Grid:
    """Return rows and columns for kept runs: those of a plan, or else all that is there.

    Args:
        runs: The runs.
        plan: Cells, targets, seeds and baseline in their order.
        baseline: The cell that the others are compared with, in place of the plan's; without a plan, `plain` if there
            is one, else the first.

    Raises:
        DataError: There is no run.
        SettingsError: The baseline is no cell.
    """
    if not runs:
        raise DataError(
            "no kept runs: the file is empty or does not exist; recipes/ablation.py --resume-from fills it."
        )
    found = list(runs.values())
    cells = list(plan.cells) if plan else list(dict.fromkeys(run.cell for run in found))
    targets = _targets(found, plan)
    seeds = list(plan.seeds) if plan else sorted({run.seed for run in found})
    usual = plan.baseline if plan else next((cell for cell in cells if cell == "plain"), cells[0])
    if baseline and baseline not in cells:
        raise SettingsError(f"baseline {baseline!r} is no cell.{closest(baseline, cells)}")
    other = {run.cell for run in found if run.facts.get("recipe", MAIN_RECIPE) != MAIN_RECIPE}
    other |= {name for name, cell in plan.cells.items() if cell.recipe != MAIN_RECIPE} if plan else set()
    by_name = any(run.option == "protocol" for run in found)
    folds = {name: [one for one in targets if one.startswith(f"{name}.")] for name in (plan.protocols if plan else ())}
    return Grid(
        cells=cells, targets=targets, seeds=seeds, baseline=baseline or usual,
        folds={name: several for name, several in folds.items() if several}, protocols=by_name,
        official=by_name and any(isinstance(parse(name), Official) for name in targets),
        beside=[cell for cell in cells if cell in other],
    )  # fmt: skip


def published(
    runs: Mapping[Key, KeptRun], grid: Grid, command: str, *, species: bool = False
) -> tuple[list[Table], list[str]]:
    """Return the tables of the runs that lie in the grid, and the lines under them.

    Args:
        runs: The runs; every figure is computed from their scores.
        grid: Rows and columns.
        command: What made them.
        species: Whether to add the tables by PAI species.

    Raises:
        DataError: No run lies in the grid, or the runs cannot be compared.
    """
    inside = [run for run in runs.values() if _within(run, grid)]
    if not inside:
        raise DataError("none of the kept runs has a cell, a target and a seed of the plan; check file and plan.")
    check_alike(inside)
    records = [run.record() for run in inside]
    lines = caption(
        records, grid, dataset=_joined(run.dataset for run in inside),
        fingerprint="; ".join(dict.fromkeys(run.fingerprint for run in sorted(inside, key=_by_seed))),
        warning=" ".join(filter(None, dict.fromkeys(run.protocol.warning for run in inside))), command=command,
    )  # fmt: skip
    if len(inside) < len(runs):
        lines.insert(-1, f"{len(runs) - len(inside)} kept runs are of other cells, targets or seeds and left out.")
    lines.insert(-1, _made_on(inside))
    by_species = species_tables(inside, grid) if species else []
    return [*tables_of(records, grid), *by_species, *_evidence(inside, grid)], lines


def check_alike(runs: Sequence[KeptRun]) -> None:
    """Refuse runs that one table must not compare: of one seed on different data, or with different common settings.

    Cells may differ in what some cell sets; nothing else but target, seed and what takes the seed may differ. Data are
    the same if the frames are equal, wherever they lie. Where cells set the data differently, only what is tested on
    must be alike: as many presentations of each class and PAI species. A setting that one run's padkit did not have
    counts only if it is not known to be the other's default.

    Raises:
        DataError: Two runs differ; the error names them and the first such setting.
    """
    data: dict[tuple[int, str], KeptRun] = {}
    tested: dict[tuple[int, str], KeptRun] = {}
    recipes: dict[str, list[KeptRun]] = {}
    for run in runs:
        first = data.setdefault((run.seed, _own_data(run)), run)
        if not _same_data(run, first):
            raise DataError(f"{run.name!r} and {first.name!r} were made on different data; compare runs on the same.")
        first = tested.setdefault((run.seed, run.target), run)
        if _own_data(run) != _own_data(first) and _tested(run) != _tested(first):
            raise DataError(f"{run.name!r} and {first.name!r} were tested on different data; compare runs on the same.")
        recipes.setdefault(run.facts.get("recipe", MAIN_RECIPE), []).append(run)
    for alike in recipes.values():
        free = {"target", "protocol", "seed", *(key for run in alike for key in run.cell_settings)}
        first, *others = alike
        for run in others:
            if cause := _difference(first, run, free):
                raise DataError(f"{first.name!r} and {run.name!r} differ in {cause}; compare like runs.")


def _own_data(run: KeptRun) -> str:
    """Return what a run's cell sets of the data; "" if nothing."""
    own = Cell(run.cell, run.cell_settings).own_data
    return repr(own) if own else ""


def _tested(run: KeptRun) -> dict[str, int]:
    """Return how many presentations of each PAI species, and of bona fide as "", the run was tested on."""
    scores = run.scores_of("target")
    return {} if scores is None else Counter(scores.pai_species.tolist())


def _same_data(one: KeptRun, other: KeptRun) -> bool:
    """Return whether two runs were made on the same data: by what the frames hold, if both tell it."""
    if CONTENT in one.facts and CONTENT in other.facts:
        return same_frames(one.facts, other.facts)
    return one.facts.get("data") == other.facts.get("data")


def _difference(first: KeptRun, other: KeptRun, free: Collection[str]) -> str:
    """Return the first setting in which two runs differ that is not free and has not taken the seed; "" for none."""
    here, there = _compared(first), _compared(other)
    same = same_frames(first.facts, other.facts)
    for key in {**here, **there}:
        values = here.get(key), there.get(key)
        if stated(key, values[0]) == stated(key, values[1]) or values == (first.seed, other.seed) or _under(key, free):
            continue
        if same and key.partition(".")[0] == "data":
            continue
        if (key in here and key in there) or _counts_alone(key, first if key in here else other):
            return f"{key} ({values[0]!r} and {values[1]!r})"
    return ""


def _compared(run: KeptRun) -> dict[str, Any]:
    """Return the settings and facts of a run that are compared one by one; components by name under their place."""
    settings = {key.removesuffix(".name"): value for key, value in run.settings.items()}
    return settings | {key: value for key, value in run.facts.items() if key not in ("data", CONTENT)}


def _counts_alone(key: str, run: KeptRun) -> bool:
    """Return whether a setting that only this run has may be another than the default."""
    return run.given is None or key in {name.removesuffix(".name") for name in run.given}


def _targets(runs: Sequence[KeptRun], plan: Plan | None) -> list[str]:
    """Return the targets of a plan, folds in place of their protocol; else those that there are."""
    there = list(dict.fromkeys(run.target for run in runs))
    if plan is None or list(plan.targets) == [ALL]:
        return there
    found: list[str] = []
    for name in plan.targets or plan.protocols:
        folds = [one for one in there if one.startswith(f"{name}.")] if plan.protocols else []
        found += folds or [name]
    return found


def _within(run: KeptRun, grid: Grid) -> bool:
    return run.cell in grid.cells and run.target in grid.targets and run.seed in grid.seeds


def _under(key: str, places: Collection[str]) -> bool:
    """Return whether a key is one of the places, or lies under one."""
    names = {place.removesuffix(".name") for place in places}
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _evidence(runs: Sequence[KeptRun], grid: Grid) -> Iterator[Table]:
    """Yield what the runs knew of themselves when they ended, if any knew something."""
    constants = sorted({key for run in runs for key in run.evidence if key.endswith(CONSTANT)})
    heads = {key: f"constant, {key.removeprefix(DISTILLATION).removesuffix(CONSTANT)}" for key in constants}
    heads = {key: head for key, head in (FRESH | heads).items() if any(key in run.evidence for run in runs)}
    if set(heads) <= {CHANCE} and not any("source_dev" in run.scores for run in runs):
        return
    heads = {} if set(heads) <= {CHANCE} else heads
    rows = []
    for cell in grid.cells:
        mine = [run for run in runs if run.cell == cell]
        shares = [[100 * run.evidence[key] for run in mine if key in run.evidence] for key in heads]
        held_out = [100 * area for run in mine if (area := _source_auc(run)) is not None]
        cells = [f"{spread(values).mean:.1f}" if values else NOTHING for values in [held_out, *shares]]
        rows.append(TableRow(cell, [TableCell(text) for text in cells]))
    head = ["cell", "held-out source AUC", *heads.values()]
    title = "What the runs tell of themselves, on held-out source (%)"
    yield Table(title=title, head=head, rows=rows, notes=[EVIDENCE_NOTE] if heads else [])


def _source_auc(run: KeptRun) -> float | None:
    scores = run.scores_of("source_dev")
    return None if scores is None else auc(scores.label, scores.score)


def _made_on(runs: Sequence[KeptRun]) -> str:
    """Return versions, machine and time of the runs."""
    versions = [run.environment.get("libraries", {}) for run in runs]
    known = {name: _joined(one.get(name, "") for one in versions) for name in ("padkit", "torch", "timm")}
    told = [f"{name} {version}" for name, version in known.items() if version]
    revisions = _joined(str(run.environment.get("revision", ""))[:9] for run in runs)
    seconds = [run.seconds for run in runs if run.seconds is not None]
    time = f"; {spread(seconds).mean:.0f} s a run" if seconds else ""
    where = _joined(str(run.environment.get("platform", "")) for run in runs)
    versions_told = ", ".join(told) or "unknown versions"
    return f"Runs of {versions_told} (revision {revisions or NOTHING}) on {where or NOTHING}{time}."


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))


def _by_seed(run: KeptRun) -> int:
    return run.seed
