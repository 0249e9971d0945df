"""An ablation before its first run: the data of each seed, and all its runs, checked as their recipes will."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.ablation import kept
from padkit.ablation import plan as plans
from padkit.ablation.kept import KeptRun
from padkit.ablation.launch import Launch
from padkit.ablation.plan import MAIN_RECIPE, Cell, Plan
from padkit.ablation.recipes import Recipe, load_recipes, options_of, settings_of
from padkit.ablation.runs import Run
from padkit.ablation.trials import Trials, check_folders, resolve_protocols
from padkit.catalog import Catalog
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.presentation import Presentation
from padkit.data.protocols.names import file_name
from padkit.data.protocols.official import official_protocols
from padkit.data.protocols.protocol import protocol_for, sources_among
from padkit.data.reader import DatasetReader
from padkit.data.table.frames import frame_digest
from padkit.errors import PadkitError, SettingsError, one_line
from padkit.runs.folder import check_writable
from padkit.training import quoted_policies


@dataclass(frozen=True, slots=True)
class World:
    """The data of one seed, or of all seeds, and every cell's settings on them.

    Attributes:
        dataset: The dataset's name.
        settings: Cell -> settings, as its recipe reads them.
        data: Cell -> reader and prepared frames. Cells that set the data themselves have others than the rest; what
            they are tested on is the same.
    """

    dataset: str
    settings: Mapping[str, Any]
    data: Mapping[str, tuple[DatasetReader, FrameTable]]

    @property
    def reader(self) -> DatasetReader:
        """The reader of the first cell."""
        return next(iter(self.data.values()))[0]

    @property
    def table(self) -> FrameTable:
        """The prepared frames of the first cell."""
        return next(iter(self.data.values()))[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationJob:
    """The ablation, checked: its data and all its runs.

    Attributes:
        plan: What was asked for.
        trials: Targets or protocols.
        worlds: The data of each seed.
        runs: All runs, seed by seed, so that an interrupted ablation has matched pairs.
        out: Its folder.
        launch: How the runs are started.
        shared: Options of every run for its share of the machine.
        known: Finished runs that need no run folder.
        keep_in: File that new finished runs are added to.
    """

    plan: Plan
    trials: Trials
    worlds: Mapping[int, World]
    runs: Sequence[Run]
    out: Path
    launch: Launch
    shared: Sequence[str]
    known: dict[kept.Key, KeptRun]
    keep_in: Path


def plan_runs(plan: Plan, recipes: Path, launch: Launch, *, out: Path, kept_in: Sequence[Path] = ()) -> AblationJob:
    """Prepare the data and check every cell as its recipe will, so that errors are reported before any run.

    Args:
        plan: What is asked for, complete.
        recipes: Folder of the recipes.
        launch: How the runs are started.
        out: Folder of the ablation.
        kept_in: Files of kept runs, which count as finished; new ones are added to the last, or to one in `out`.

    Raises:
        PadkitError: A cell, a target, the data or a kept run is wrong, or `out` cannot be written.
    """
    catalog = Catalog()
    found = load_recipes({MAIN_RECIPE, *(cell.recipe for cell in plan.cells.values())}, recipes)
    known = kept.read_all(kept_in)
    check_writable(next(place for place in (out, *out.absolute().parents) if place.exists()))
    worlds: dict[int, World] = {}
    for seed in plan.seeds:
        again = plan.seeded or not worlds
        worlds[seed] = open_world(found, plan, catalog, seed) if again else worlds[plan.seeds[0]]
    first = worlds[plan.seeds[0]]
    if plan.protocols:
        trials = resolve_protocols(plan.protocols, lambda: official_protocols(first.table, first.reader))
    else:
        trials = Trials(plans.resolve_targets(plan.targets, first.table))
        check_folders("targets", trials.names)
    shared = launch.share(next(iter(first.settings.values())).given)
    job = AblationJob(
        plan=plan, trials=trials, worlds=worlds, out=out, launch=launch, shared=shared, known=known,
        runs=list(_runs(plan, found, catalog, worlds, trials, launch, shared, out)),
        keep_in=kept_in[-1] if kept_in else out / kept.FILE,
    )  # fmt: skip
    for run in job.runs:
        if one := known.get(run.key):
            one.check(run, kept_in[0] if len(kept_in) == 1 else Path("--resume-from"))
        else:
            run.check()
    return job


def _runs(
    plan: Plan, recipes: Mapping[str, Recipe], catalog: Catalog, worlds: Mapping[int, World], trials: Trials,
    launch: Launch, shared: Sequence[str], out: Path,
) -> Iterator[Run]:  # fmt: skip
    """Yield all runs, seed by seed, target by target."""
    option = option_of(plan)
    trees: dict[tuple[str, str], dict[str, Any]] = {}
    for seed, world in worlds.items():
        if plan.seeded or not trees:
            trees = {
                (target, name): check_cell(recipes[cell.recipe], plan, catalog, world, cell, target)
                for target in trials.names
                for name, cell in plan.cells.items()
            }
        for (target, name), tree in trees.items():
            cell, given = plan.cells[name], world.settings[name].given
            recipe = recipes[cell.recipe]
            other = {} if cell.recipe == MAIN_RECIPE else {"recipe": cell.recipe}
            own = options_of(recipes, cell.recipe, plan, seed)
            yield Run(
                cell=cell, target=target, option=option, seed=seed, given=given, script=str(recipe.file),
                folder=out / cell.folder / file_name(target) / f"seed{seed}",
                settings={**tree, option: target, "seed": seed},
                facts={"data": world.data[name][1].preparation["key"], **launch.facts(), **other},
                content=world.data[name][1].preparation.get("content", ""),
                options=[*shared, *recipe.unasked(given), *own],
            )  # fmt: skip


def open_world(recipes: Mapping[str, Recipe], plan: Plan, catalog: Catalog, seed: int) -> World:
    """Read every cell's settings as they are with this seed, and prepare the data."""
    settings = {name: settings_of(recipes, cell, plan, catalog, seed) for name, cell in plan.cells.items()}
    opened: dict[str, tuple[DatasetReader, FrameTable]] = {}
    data = {}
    for name, one in settings.items():
        key = repr(plan.cells[name].own_data)
        if key not in opened:
            opened[key] = _prepared(one, plan, catalog)
        data[name] = opened[key]
    return World(next(iter(settings.values())).one("data").name, settings, data)


def _prepared(settings: Any, plan: Plan, catalog: Catalog) -> tuple[DatasetReader, FrameTable]:
    data = settings.one("data")
    reader = catalog.build_chosen(data)
    table = prepare(
        reader,
        dataset_name=data.name,
        strict=settings.recipe.strict,
        before=lambda records: check_names(plan, records, reader),
    )
    return reader, table


def check_cell(
    recipe: Recipe, plan: Plan, catalog: Catalog, world: World, cell: Cell, target: str
) -> dict[str, Any]:  # fmt: skip
    """Return the resolved settings of a cell's runs on one target, without target and seed.

    Raises:
        SettingsError: They do not fit the target; names both.
    """
    settings, (reader, table) = world.settings[cell.name], world.data[cell.name]
    asked = {option_of(plan): target, "sources": settings.recipe.sources, "convention": settings.recipe.convention}
    try:
        protocol = protocol_for(table, reader, **asked)
        if table is not world.table:
            usual = protocol_for(world.table, world.reader, **asked)
            _check_tested(table, protocol.test, world.table, usual.test)
        quoted_policies(settings.recipe.policy, protocol)
        if "aligner" in recipe.module.SLOTS:
            settings = recipe.module.drop_lone_aligner(settings, catalog, protocol.sources)
    except PadkitError as error:
        raise SettingsError(f"cell {cell.name!r}, {option_of(plan)} {target!r}: {one_line(error)}") from error
    tree: dict[str, Any] = settings.tree
    return tree


def _check_tested(table: FrameTable, rows: NDArray[np.int64], usual: FrameTable, usual_rows: NDArray[np.int64]) -> None:
    """Refuse a cell whose data are tested on other frames than those of the first cell.

    Raises:
        SettingsError: They differ.
    """
    mine, others = (
        {
            (str(name), int(label), frame_digest(one, row))
            for name, label, row in zip(
                one.column("presentation")[where], one.column("label")[where], where.tolist(), strict=True
            )
        }
        for one, where in ((table, rows), (usual, usual_rows))
    )
    if mine != others:
        raise SettingsError(
            f"its data are tested on other frames ({len(mine - others)} of {len(mine)}) than those of the first cell; "
            "a cell may set only what the training frames depend on."
        )


def option_of(plan: Plan) -> str:
    """Return the option of the recipes that names what is tested on."""
    return "protocol" if plan.protocols else "target"


def check_names(plan: Plan, records: Sequence[Presentation], reader: DatasetReader) -> None:
    """Find misspelt targets and protocols before a long preparation."""
    for name in plan.protocols:
        sources_among(records, reader, protocol=name)
    for name in plan.targets:
        if name != plans.ALL:
            sources_among(records, reader, target=name)
