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
-- that only dtda.py has do not concern it. No table tells stability, so runs measure it only if `--stability` is set.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from padkit.ablation import plan as plans
from padkit.ablation import tables
from padkit.ablation.execution import follow
from padkit.ablation.job import AblationJob, plan_runs
from padkit.ablation.launch import Launch
from padkit.ablation.plan import MAIN_RECIPE, Plan
from padkit.ablation.records import FAILED, Record
from padkit.commands.parser import Number, Parser
from padkit.data.simulation import facts_of, simulated_warning
from padkit.errors import SettingsError, closest, run_as_command
from padkit.files import write_atomically
from padkit.report.tables.layout import latex, markdown, terminal
from padkit.settings.ranges import Processes

HERE = Path(__file__).parent


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


def main() -> int:
    """Read the plan, check it, run it, write the tables."""
    line, plan = read_words(sys.argv[1:])
    devices = torch.cuda.device_count()
    launch = Launch(
        jobs=line.jobs or max(devices, 1), devices=devices, threads=line.threads, precision=line.mixed_precision,
        words=line.launch,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the runs as Ctrl-C does
    job = plan_runs(plan, HERE, launch, out=Path(line.out), kept_in=line.resume_from)
    console = Console(stderr=True)
    tests = f"{len(job.trials.names)} {'protocols' if plan.protocols else 'targets'}"
    count = f"{len(plan.cells)} cells x {tests} x {len(plan.seeds)} seeds = {len(job.runs)} runs"
    console.print(f"{count}, {launch.jobs} at a time, in {job.out}", markup=False, highlight=False)
    try:
        records = follow(job, console, prune=line.prune)
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
