"""Ablation: ordinary runs of dtda.py over cells x targets x seeds, and one table that compares the cells.

    python recipes/ablation.py --grid aligner=none,dat,daa --grid teachers=none,fr+fe --seeds 3 --out runs/ablation
    python recipes/ablation.py --cell "plain: aligner=none teachers=none" --cell "DTDA: aligner=daa teachers=fr+fe" \
        --targets hall,webcam --seeds 0,1 --out runs/two -- --data.size small --epochs 6
    python recipes/ablation.py --config evidence --out runs/evidence    # or limited, paper, rivals: recipes/configs/
    python recipes/ablation.py --cell DTDA: --protocols 'O&C&I->M,oulu-npu:3' -- --data prepared --data.folders A,B

After an interruption, the same command continues: finished runs are kept, interrupted ones resumed. It writes
`results.csv`, `table.md` and `table.tex`; each run is in OUT/CELL/TARGET/seedK, its printed output in seedK.txt beside
it. A protocol with folds stands for all of them; the table adds their mean and standard deviation.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shlex
import signal
import sys
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from padkit.ablation import plan as plans
from padkit.ablation import tables
from padkit.ablation.plan import Cell, Plan
from padkit.ablation.records import FAILED, FINISHED, Record, record_run, write_records
from padkit.ablation.runs import Run
from padkit.ablation.trials import Trials, resolve_protocols
from padkit.ablation.workers import Outcome, Workers, places
from padkit.catalog import Catalog
from padkit.commands.parser import Number, Parser
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.protocols.names import file_name
from padkit.data.protocols.official import official_protocols
from padkit.data.protocols.protocol import protocol_for
from padkit.errors import PadkitError, SettingsError, closest, one_line, run_as_command
from padkit.evaluation.thresholds import check_policy
from padkit.files import write_atomically
from padkit.processes import cores
from padkit.report.tables.layout import latex, markdown, terminal
from padkit.settings.ranges import Processes

HERE = Path(__file__).parent
RECIPE = HERE / "dtda.py"
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch"]
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
    add("--config", metavar="FILE", help="YAML with grid, cells, targets or protocols, seeds, baseline, options")
    add("--targets", metavar="all|A,B", help="domains to test on; all that can be, by default")
    add(
        "--protocols",
        metavar="P,Q",
        help="protocols in place of targets: 'O&C&I->M', oulu-npu:1, oulu-npu:3 (its folds)",
    )
    add("--seeds", metavar="N|A,B", help="how many (3: seeds 0, 1, 2) or which (0,5,7); one by default")
    add("--baseline", metavar="NAME", default="", help="cell that the others are compared with; the first by default")
    add("--out", metavar="DIR", default="runs/ablation", help="folder of the ablation (%(default)s)")
    add("--jobs", metavar="N", type=Number(Processes), help="runs at a time; by default one per GPU, one on a CPU")
    add(
        "--threads",
        metavar="N",
        type=Number(Processes),
        help="CPU threads per run; by default cores over jobs",
    )
    precision = ("no", "fp16", "bf16")
    add("--mixed_precision", "--mixed-precision", choices=precision, help="precision of every run, as in accelerate")
    add("--launch", metavar="'ARGS'", help="start each run by `accelerate launch ARGS`; write --launch='--ARG ...'")
    add("--prune", action="store_true", help="remove the training checkpoints of finished runs; the models stay")
    return own


def read_line(argv: Sequence[str]) -> tuple[argparse.Namespace, Plan]:
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
    )
    base = plans.read_plan(plans.find_plan(line.config, HERE / "configs")) if line.config else Plan()
    return line, asked.over(base).complete()


@dataclass(frozen=True, slots=True)
class AblationJob:
    """The ablation, checked: its data and all its runs."""

    plan: Plan
    trials: Trials
    table: FrameTable
    dataset: str
    runs: list[Run]
    out: Path
    shared: list[str]


def plan_runs(line: argparse.Namespace, plan: Plan) -> AblationJob:
    """Prepare the data and check every cell as dtda.py will, so that errors are reported before any run."""
    dtda, catalog, out = load_recipe(), Catalog(), Path(line.out)
    settings: dict[str, Any] = {name: settings_of(dtda, cell, plan, catalog) for name, cell in plan.cells.items()}
    first = next(iter(settings.values()))
    data = first.one("data")
    reader = catalog.build_chosen(data)
    table = prepare(reader, dataset_name=data.name, strict=first.recipe.strict)
    if plan.protocols:
        option = "protocol"
        trials = resolve_protocols(plan.protocols, lambda: official_protocols(table, reader))
    else:
        option, trials = "target", Trials(plans.resolve_targets(plan.targets, table))
    shared = share(line, first.given)
    precision = line.mixed_precision or os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    facts = {"data": table.preparation["key"], "precision": precision, "launch": line.launch or ""}
    runs = []
    for target in trials.names:
        folder = file_name(target) if plan.protocols else target
        for name, cell in plan.cells.items():
            recipe = settings[name].recipe
            asked = {option: target, "sources": recipe.sources, "convention": recipe.convention}
            try:
                protocol = protocol_for(table, reader, **asked)
                dtda.quoted_policies(recipe.policy, protocol)
                tree = dtda.drop_lone_aligner(settings[name], catalog, protocol).tree
            except PadkitError as error:
                raise SettingsError(f"cell {name!r}, {option} {target!r}: {one_line(error)}") from error
            runs += [
                Run(
                    cell=cell, target=target, option=option, seed=seed, facts=facts, options=[*shared, *plan.options],
                    folder=out / cell.folder / folder / f"seed{seed}", settings={**tree, option: target, "seed": seed},
                )
                for seed in plan.seeds
            ]  # fmt: skip
    for run in runs:
        run.check()
    # Seed by seed, so that an interrupted ablation has matched pairs.
    runs.sort(key=lambda run: plan.seeds.index(run.seed))
    return AblationJob(plan, trials, table, data.name, runs, out, shared)


def share(line: argparse.Namespace, given: Collection[str]) -> list[str]:
    """Return each run's share of the cores: threads on a CPU, loader processes beside a GPU."""
    part = max(cores() // line.jobs, 1)
    if line.threads or (not line.devices and "threads" not in given):
        return ["--threads", str(line.threads or part)]
    return ["--workers", str(min(part, 8))] if line.devices and line.jobs > 1 and "workers" not in given else []


def load_recipe() -> Any:
    """Import dtda.py from the folder of this file, wherever that is installed."""
    specification = importlib.util.spec_from_file_location("padkit_recipe_dtda", RECIPE)
    assert specification is not None and specification.loader is not None  # noqa: PT018 - no test
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def settings_of(dtda: Any, cell: Cell, plan: Plan, catalog: Catalog) -> Any:
    """Return a cell's settings as dtda.py reads them."""
    try:
        settings = dtda.read_settings(dtda.Options, dtda.SLOTS, [*plan.options, *cell.arguments()], catalog, "dtda.py")
        if settings.recipe.policy is not None:
            check_policy(settings.recipe.policy)
    except PadkitError as error:
        raise SettingsError(f"cell {cell.name!r}: {one_line(error)}") from error
    for name in OWNED:
        if name in settings.given:
            raise SettingsError(f"--{name} cannot be given after --: the ablation sets it for every run.")
    return settings


def execute(line: argparse.Namespace, job: AblationJob) -> Generator[Outcome, None, None]:
    """Execute the unfinished runs; the finished ones are reported first."""
    pending = [run for run in job.runs if not run.finished]
    yield from (Outcome(run, "", None) for run in job.runs if run not in pending)
    crew, command = places(line.jobs, line.devices), [sys.executable]
    if line.mixed_precision:
        crew = [{**place, "ACCELERATE_MIXED_PRECISION": line.mixed_precision} for place in crew]
    if line.launch is not None:
        precision = ["--mixed_precision", line.mixed_precision] if line.mixed_precision else []
        command = [*LAUNCH, *precision, *shlex.split(line.launch)]
    yield from Workers([*command, str(RECIPE)], crew, job.shared).outcomes(pending)


def follow(line: argparse.Namespace, job: AblationJob, console: Console) -> list[Record]:
    """Collect every run's record as it ends, keep `results.csv` up to date and print the time left."""
    records: dict[str, Record] = {}
    took: list[float] = []
    with contextlib.closing(execute(line, job)) as outcomes:
        for outcome in outcomes:
            run = outcome.run
            record = records[run.name] = record_run(run, outcome.error, job.out)
            write_records([records[run.name] for run in job.runs if run.name in records], job.out / "results.csv")
            if line.prune and record.status == FINISHED:
                run.prune()
            took += [] if outcome.seconds is None else [outcome.seconds]
            left = (len(job.runs) - len(records)) * sum(took) / max(len(took), 1) / line.jobs
            time = "done before" if outcome.seconds is None else f"{outcome.seconds:.0f} s, {left / 60:.0f} min left"
            told = record.error or f"HTER {100 * (record.hter or 0):.2f} % AUC {100 * (record.auc or 0):.2f} %"
            text = f"{len(records)}/{len(job.runs)} {run.name}: {record.status}, {told} ({time})"
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    return [records[run.name] for run in job.runs if run.name in records]


def main() -> int:
    """Read the plan, check it, run it, write the tables."""
    line, plan = read_line(sys.argv[1:])
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
    plan, about = job.plan, job.table.preparation
    grid = tables.Grid(
        cells=list(plan.cells), targets=job.trials.names, seeds=plan.seeds, baseline=plan.baseline,
        folds=job.trials.folds, protocols=bool(plan.protocols), official=job.trials.official,
    )  # fmt: skip
    caption = tables.caption(
        records, grid, dataset=job.dataset, fingerprint=about["fingerprint"], simulated=about["simulated"],
        command=shlex.join(["python", *sys.argv]),
    )  # fmt: skip
    made = tables.tables_of(records, grid)
    write_atomically(job.out / "table.md", markdown(made, caption).encode())
    write_atomically(job.out / "table.tex", latex(made, caption).encode())
    Console().print(terminal(made, caption))


if __name__ == "__main__":
    sys.exit(run_as_command(main))
