"""Ablation: ordinary runs of dtda.py over cells x targets x seeds, and one table that compares the cells.

    python recipes/ablation.py --grid aligner=none,dat,daa --grid teachers=none,fr+fe --seeds 3 --out runs/ablation
    python recipes/ablation.py --cell "plain: aligner=none teachers=none" --cell "DTDA: aligner=daa teachers=fr+fe" \
        --targets hall,webcam --seeds 0,1 --out runs/two -- --data.size small --epochs 6
    python recipes/ablation.py --config trial_scratch --out runs/trial    # or trial, limited, paper: recipes/configs/
    python recipes/ablation.py --cell DTDA: --protocols 'O&C&I->M,oulu-npu:3' -- --data prepared --data.folders A,B
    python recipes/ablation.py --config trial --resume-from benchmarks/results/trial.jsonl   # without the run folders

After an interruption, the same command continues: finished runs are kept, interrupted ones resumed. It writes
`results.csv`, `table.md` and `table.tex`; each run is in OUT/CELL/TARGET/seedK, its printed output in seedK.txt beside
it. A protocol with folds stands for all of them; the table adds their mean and standard deviation.

Each finished run is also a line of a text file small enough to be committed, OUT/runs.jsonl, with its scores and all
that its figures depend on. `--resume-from FILE` reads such a file, and what it holds counts as finished, without a run
folder; a run that it holds with other settings or other data is refused. New runs are added to the last FILE named so,
which need not exist yet, in place of OUT/runs.jsonl. `padkit results FILE` makes the tables again.

`--seeded data.seed` gives that setting the seed of the run: then another seed is also another simulated world, which
all cells share. A cell's setting `recipe=random_features` has it made by that recipe instead of dtda.py; options after
-- that only dtda.py has do not concern it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shlex
import signal
import sys
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from padkit.ablation import kept, tables
from padkit.ablation import plan as plans
from padkit.ablation.kept import KeptRun
from padkit.ablation.plan import MAIN_RECIPE, Cell, Plan
from padkit.ablation.records import FAILED, FINISHED, Record, record_run, write_records
from padkit.ablation.runs import Run
from padkit.ablation.trials import Trials, resolve_protocols
from padkit.ablation.workers import Outcome, Workers, places
from padkit.catalog import Catalog
from padkit.commands.parser import Number, Parser
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.presentation import Presentation
from padkit.data.protocols.names import file_name
from padkit.data.protocols.official import official_protocols
from padkit.data.protocols.protocol import protocol_for, sources_among
from padkit.data.reader import DatasetReader
from padkit.data.simulation import facts_of, simulated_warning
from padkit.errors import PadkitError, SettingsError, closest, one_line, run_as_command
from padkit.evaluation.thresholds import check_policy
from padkit.files import write_atomically
from padkit.processes import cores, free_cores
from padkit.report.tables.layout import latex, markdown, terminal
from padkit.runs.folder import check_writable
from padkit.settings import read_settings
from padkit.settings.layers import read_file, read_line
from padkit.settings.ranges import Processes
from padkit.training import quoted_policies

HERE = Path(__file__).parent
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch"]
RECIPES = (MAIN_RECIPE, "random_features")
OWNED = ("target", "protocol", "seed", "out", "resume")  # options of dtda.py that the ablation sets itself


def parser() -> Parser:
    """Return the parser of the ablation's own options."""
    own = Parser(
        remedy="options of dtda.py go after --", prog="ablation.py", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s [OPTIONS] [-- OPTIONS OF dtda.py]",
    )  # fmt: skip
    add = own.add_argument
    add("--grid", action="append", default=[], metavar="KEY=A,B", help="a setting and its values; repeat for a product")
    add("--cell", action="append", default=[], metavar="'NAME: KEY=VALUE ...'", help="one cell by name; repeat")
    add("--only", metavar="A,B", help="of all these cells, run and compare only some")
    add(
        "--config", metavar="FILE", help="YAML with grid, cells, targets or protocols, seeds, seeded, baseline, options"
    )
    add("--targets", metavar="all|A,B", help="domains to test on; all that can be, by default")
    add(
        "--protocols",
        metavar="P,Q",
        help="protocols in place of targets: 'O&C&I->M', oulu-npu:1, oulu-npu:3 (its folds)",
    )
    add("--seeds", metavar="N|A,B", help="how many (3: seeds 0, 1, 2) or which (0,5,7); one by default")
    add("--seeded", metavar="KEY,KEY", help="settings that take the run's seed: data.seed, for a world per seed")
    add("--baseline", metavar="NAME", default="", help="cell that the others are compared with; the first by default")
    add("--out", metavar="DIR", default="runs/ablation", help="folder of the ablation (%(default)s)")
    add(
        "--resume-from", metavar="FILE", action="append", default=[], type=Path,
        help="kept runs that count as finished; new ones are added to the last FILE, or OUT/runs.jsonl; repeat",
    )  # fmt: skip
    add("--jobs", metavar="N", type=Number(Processes), help="runs at a time; by default one per GPU, one on a CPU")
    add(
        "--threads",
        metavar="N",
        type=Number(Processes),
        help="CPU threads per run; by default free cores over jobs, and with one job those that pay",
    )
    precision = ("no", "fp16", "bf16")
    add("--mixed_precision", "--mixed-precision", choices=precision, help="precision of every run, as in accelerate")
    add("--launch", metavar="'ARGS'", help="start each run by `accelerate launch ARGS`; write --launch='--ARG ...'")
    add("--prune", action="store_true", help="remove the training checkpoints of finished runs; the models stay")
    return own


def read_words(argv: Sequence[str]) -> tuple[argparse.Namespace, Plan]:
    """Split the command line into the ablation's options and the plan, and fill in the plan's defaults."""
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    own = parser()
    line, unknown = own.parse_known_args(words[:at])
    if unknown:
        known = [option.removeprefix("--") for option in own._option_string_actions if option.startswith("--")]
        near = closest(unknown[0].removeprefix("--").partition("=")[0], known, "--")
        raise SettingsError(f"unknown option {unknown[0]!r}; options of dtda.py go after --.{near}")
    asked = Plan(
        cells=plans.parse_cells(line.cell),
        grid=plans.parse_grid(line.grid),
        targets=plans.parse_targets(line.targets) if line.targets is not None else (),
        protocols=plans.parse_protocols(line.protocols) if line.protocols is not None else (),
        seeds=plans.parse_seeds(line.seeds) if line.seeds is not None else (),
        baseline=line.baseline,
        options=words[at + 1 :],
        seeded=plans.parse_seeded(line.seeded) if line.seeded is not None else (),
    )
    base = plans.read_plan(plans.find_plan(line.config, HERE / "configs")) if line.config else Plan()
    plan = asked.over(base).complete()
    return line, plan.only(plans.parse_only(line.only)) if line.only is not None else plan


@dataclass(frozen=True, slots=True)
class World:
    """The data of one seed, or of all seeds, and every cell's settings on them.

    Attributes:
        reader: The dataset.
        table: Its prepared frames.
        dataset: Its name.
        settings: Cell -> settings, as its recipe reads them.
    """

    reader: DatasetReader
    table: FrameTable
    dataset: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AblationJob:
    """The ablation, checked: its data and all its runs.

    Attributes:
        plan: What was asked for.
        trials: Targets or protocols.
        worlds: The data of each seed.
        runs: All runs, seed by seed, so that an interrupted ablation has matched pairs.
        out: Its folder.
        shared: Options of every run for its share of the machine.
        known: Finished runs that need no run folder.
        keep_in: File that new finished runs are added to.
    """

    plan: Plan
    trials: Trials
    worlds: Mapping[int, World]
    runs: Sequence[Run]
    out: Path
    shared: Sequence[str]
    known: dict[kept.Key, KeptRun]
    keep_in: Path


def plan_runs(line: argparse.Namespace, plan: Plan) -> AblationJob:
    """Prepare the data and check every cell as its recipe will, so that errors are reported before any run."""
    catalog, out = Catalog(), Path(line.out)
    recipes = {name: load_recipe(name) for name in {MAIN_RECIPE, *(cell.recipe for cell in plan.cells.values())}}
    known = kept.read_all(line.resume_from)
    check_writable(next(place for place in (out, *out.absolute().parents) if place.exists()))
    worlds: dict[int, World] = {}
    for seed in plan.seeds:
        again = plan.seeded or not worlds
        worlds[seed] = open_world(recipes, plan, catalog, seed) if again else worlds[plan.seeds[0]]
    first = worlds[plan.seeds[0]]
    if plan.protocols:
        trials = resolve_protocols(plan.protocols, lambda: official_protocols(first.table, first.reader))
    else:
        trials = Trials(plans.resolve_targets(plan.targets, first.table))
    shared = share(line, next(iter(first.settings.values())).given)
    precision = line.mixed_precision or os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    facts = {"precision": precision, "launch": line.launch or ""}
    runs, trees = [], {}
    for seed, world in worlds.items():
        if plan.seeded or not trees:
            trees = {
                (target, name): check_cell(recipes, plan, catalog, world, cell, target)
                for target in trials.names
                for name, cell in plan.cells.items()
            }
        for (target, name), tree in trees.items():
            cell = plan.cells[name]
            folder = file_name(target) if plan.protocols else target
            other = {} if cell.recipe == MAIN_RECIPE else {"recipe": cell.recipe}
            runs.append(
                Run(
                    cell=cell, target=target, option=option_of(plan), seed=seed,
                    folder=out / cell.folder / folder / f"seed{seed}",
                    settings={**tree, option_of(plan): target, "seed": seed},
                    facts={"data": world.table.preparation["key"], **facts, **other},
                    content=world.table.preparation.get("content", ""), given=world.settings[name].given,
                    options=[*shared, *options_of(recipes, cell.recipe, plan, seed)], script=str(script(cell.recipe)),
                )
            )  # fmt: skip
    for run in runs:
        if one := known.get((run.cell.name, run.target, run.seed)):
            one.check(run, line.resume_from[0] if len(line.resume_from) == 1 else Path("--resume-from"))
        else:
            run.check()
    keep_in = line.resume_from[-1] if line.resume_from else out / kept.FILE
    return AblationJob(plan, trials, worlds, runs, out, shared, known, keep_in)


def open_world(recipes: Mapping[str, Any], plan: Plan, catalog: Catalog, seed: int) -> World:
    """Read every cell's settings as they are with this seed, and prepare the data."""
    settings = {name: settings_of(recipes, cell, plan, catalog, seed) for name, cell in plan.cells.items()}
    first = next(iter(settings.values()))
    data = first.one("data")
    reader = catalog.build_chosen(data)
    table = prepare(
        reader,
        dataset_name=data.name,
        strict=first.recipe.strict,
        before=lambda records: check_names(plan, records, reader),
    )
    return World(reader, table, data.name, settings)


def check_cell(
    recipes: Mapping[str, Any], plan: Plan, catalog: Catalog, world: World, cell: Cell, target: str
) -> dict[str, Any]:
    """Return the resolved settings of a cell's runs on one target, without target and seed."""
    settings, recipe = world.settings[cell.name], recipes[cell.recipe]
    asked = {option_of(plan): target, "sources": settings.recipe.sources, "convention": settings.recipe.convention}
    try:
        protocol = protocol_for(world.table, world.reader, **asked)
        quoted_policies(settings.recipe.policy, protocol)
        resolved = (
            recipe.drop_lone_aligner(settings, catalog, protocol.sources) if "aligner" in recipe.SLOTS else settings
        )
    except PadkitError as error:
        raise SettingsError(f"cell {cell.name!r}, {option_of(plan)} {target!r}: {one_line(error)}") from error
    tree: dict[str, Any] = resolved.tree
    return tree


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


def share(line: argparse.Namespace, given: Collection[str]) -> list[str]:
    """Return each run's share of the cores: threads on a CPU, loader processes beside a GPU.

    Runs side by side on a CPU share the cores that are free when the ablation starts; a run alone finds its own number.
    """
    part = max(cores() // line.jobs, 1)
    if line.threads:
        return ["--threads", str(line.threads)]
    if not line.devices and "threads" not in given:
        return ["--threads", str(max(free_cores() // line.jobs, 1))] if line.jobs > 1 else []
    return ["--workers", str(min(part, 8))] if line.devices and line.jobs > 1 and "workers" not in given else []


def script(recipe: str) -> Path:
    """Return the file of a recipe, in the folder of this one, wherever that is."""
    return HERE / f"{recipe}.py"


def load_recipe(name: str) -> Any:
    """Import a recipe; it must be one that the ablation can run.

    Raises:
        SettingsError: It is not.
    """
    if name not in RECIPES:
        raise SettingsError(f"recipe {name!r} is none that an ablation runs.{closest(name, RECIPES)}")
    specification = importlib.util.spec_from_file_location(f"padkit_recipe_{name}", script(name))
    assert specification is not None and specification.loader is not None  # noqa: PT018 - no test
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def knows(recipe: Any, key: str) -> bool:
    """Return whether a setting is one of this recipe's own or of one of its slots."""
    head = key.partition(".")[0]
    return head in recipe.SLOTS or head in {item.name for item in fields(recipe.Options)}


def options_of(recipes: Mapping[str, Any], name: str, plan: Plan, seed: int) -> list[str]:
    """Return the plan's options for a recipe, with those that take the run's seed.

    What dtda.py knows and another recipe does not is left out for that recipe.

    Raises:
        SettingsError: An option takes the run's seed and is given.
    """
    line = read_line(plan.options)
    entries = [*(entry for file in line.files for entry in read_file(file)), *line.entries]
    for key, _ in entries:
        if key in plan.seeded:
            raise SettingsError(f"--{key} cannot be given after --: it takes the seed of the run, as --seeded says.")
    if name == MAIN_RECIPE:
        return [*plan.options, *plan.seeded_options(seed)]
    main, recipe = recipes[MAIN_RECIPE], recipes[name]
    mine = [(key, value) for key, value in entries if knows(recipe, key) or not knows(main, key)]
    return [*(f"--{key}={plans.text_of(value)}" for key, value in mine), *plan.seeded_options(seed)]


def settings_of(recipes: Mapping[str, Any], cell: Cell, plan: Plan, catalog: Catalog, seed: int) -> Any:
    """Return a cell's settings as its recipe reads them."""
    recipe = recipes[cell.recipe]
    words = [*options_of(recipes, cell.recipe, plan, seed), *cell.arguments()]
    try:
        settings = read_settings(recipe.Options, recipe.SLOTS, words, catalog, script(cell.recipe).name)
        if settings.recipe.policy is not None:
            check_policy(settings.recipe.policy)
    except PadkitError as error:
        raise SettingsError(f"cell {cell.name!r}: {one_line(error)}") from error
    for name in OWNED:
        if name in settings.given:
            raise SettingsError(f"--{name} cannot be given after --: the ablation sets it for every run.")
    return settings


def key_of(run: Run) -> kept.Key:
    """Return what a run is kept by."""
    return run.cell.name, run.target, run.seed


def conclude_run(job: AblationJob, outcome: Outcome) -> tuple[Record, str]:
    """Return the record of a run that has ended, and keep it if it is new; or say why it cannot be kept."""
    run, there = outcome.run, job.known.get(key_of(outcome.run))
    if there is not None:
        return there.record(), ""
    record = record_run(run, outcome.error, job.out)
    if record.status == FINISHED:
        try:
            job.known[key_of(run)] = kept.keep(run, outcome.seconds)
            kept.append(job.keep_in, job.known[key_of(run)])
        except PadkitError as error:
            return record, f"; not kept: {one_line(error)}"
    return record, ""


def execute(line: argparse.Namespace, job: AblationJob) -> Generator[Outcome, None, None]:
    """Execute the unfinished runs; the finished ones are reported first."""
    pending = [run for run in job.runs if key_of(run) not in job.known and not run.finished]
    yield from (Outcome(run, "", None) for run in job.runs if run not in pending)
    crew, command = places(line.jobs, line.devices), [sys.executable]
    if line.mixed_precision:
        crew = [{**place, "ACCELERATE_MIXED_PRECISION": line.mixed_precision} for place in crew]
    if line.launch is not None:
        precision = ["--mixed_precision", line.mixed_precision] if line.mixed_precision else []
        command = [*LAUNCH, *precision, *shlex.split(line.launch)]
    yield from Workers(command, crew, job.shared).outcomes(pending)


def follow(line: argparse.Namespace, job: AblationJob, console: Console) -> list[Record]:
    """Collect every run's record as it ends, keep `results.csv` up to date and print the time left."""
    records: dict[str, Record] = {}
    took: list[float] = []
    with contextlib.closing(execute(line, job)) as outcomes:
        for outcome in outcomes:
            run = outcome.run
            record, note = conclude_run(job, outcome)
            records[run.name] = record
            write_records([records[run.name] for run in job.runs if run.name in records], job.out / "results.csv")
            if line.prune and record.status == FINISHED:
                run.prune()
            took += [] if outcome.seconds is None else [outcome.seconds]
            left = (len(job.runs) - len(records)) * sum(took) / max(len(took), 1) / line.jobs
            time = "done before" if outcome.seconds is None else f"{outcome.seconds:.0f} s, {left / 60:.0f} min left"
            told = record.error or f"HTER {100 * (record.hter or 0):.2f} % AUC {100 * (record.auc or 0):.2f} %"
            text = f"{len(records)}/{len(job.runs)} {run.name}: {record.status}, {told} ({time}){note}"
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    return [records[run.name] for run in job.runs if run.name in records]


def main() -> int:
    """Read the plan, check it, run it, write the tables."""
    line, plan = read_words(sys.argv[1:])
    line.devices = torch.cuda.device_count()
    line.jobs = line.jobs or max(line.devices, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the runs as Ctrl-C does
    job = plan_runs(line, plan)
    console = Console(stderr=True)
    tests = f"{len(job.trials.names)} {'protocols' if plan.protocols else 'targets'}"
    count = f"{len(plan.cells)} cells x {tests} x {len(plan.seeds)} seeds = {len(job.runs)} runs"
    console.print(f"{count}, {line.jobs} at a time, in {job.out}", markup=False, highlight=False)
    try:
        records = follow(line, job, console)
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from here", markup=False)
        return 130
    write_tables(job, records)
    return int(any(record.status == FAILED for record in records))


def write_tables(job: AblationJob, records: Sequence[Record]) -> None:
    """Write the tables and print them."""
    plan = job.plan
    about = {world.table.preparation["fingerprint"]: world.table.preparation for world in job.worlds.values()}
    first = job.worlds[plan.seeds[0]]
    grid = tables.Grid(
        cells=list(plan.cells), targets=job.trials.names, seeds=plan.seeds, baseline=plan.baseline,
        folds=job.trials.folds, protocols=bool(plan.protocols), official=job.trials.official,
        beside=[name for name, cell in plan.cells.items() if cell.recipe != MAIN_RECIPE],
    )  # fmt: skip
    caption = tables.caption(
        records, grid, dataset=first.dataset, fingerprint="; ".join(name for name in about if name),
        warning=simulated_warning(*facts_of(first.table.preparation)), command=shlex.join(["python", *sys.argv]),
    )  # fmt: skip
    made = tables.tables_of(records, grid)
    write_atomically(job.out / "table.md", markdown(made, caption).encode())
    write_atomically(job.out / "table.tex", latex(made, caption).encode())
    Console().print(terminal(made, caption))


if __name__ == "__main__":
    sys.exit(run_as_command(main))
