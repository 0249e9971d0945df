"""Settings of DTDA chosen on source data only: nested leave one domain out on the simulated world.

    python benchmarks/source_choice.py --jobs 2 --threads 1                  # the candidates of the trial
    python benchmarks/source_choice.py --targets office --only plain,'DAA 4/255' --seeds 2 -- --max_steps 100
    python benchmarks/source_choice.py --show                                # the table alone, from --out

For a target T every candidate is trained on two of the other three domains and judged on the third, a pseudo target;
nothing of T is used. The runs are those of `recipes/ablation.py --config source_choice`: every two domains train once
and are tested on the two others, each alone. All candidates are printed, for each target: AUC on the pseudo targets
first, then HTER at the source-dev threshold, means over pairs of domains and seeds (%). The figures are kept in --out,
the runs in --runs, so that it goes on after an interruption.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from padkit.ablation.kept import FILE, KeptRun, read_kept
from padkit.ablation.plan import find_plan, read_plan
from padkit.commands.parser import Parser
from padkit.data.protocols.names import Across, parse
from padkit.errors import DataError, SettingsError, closest, run_as_command
from padkit.evaluation.metrics import auc, error_rates
from padkit.evaluation.statistics.paired import spread
from padkit.evaluation.thresholds import SOURCE_DEV, choose
from padkit.files import write_atomically
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, terminal

RECIPES = Path(__file__).parents[1] / "recipes"
COLUMNS = ("candidate", "sources", "pseudo_target", "seed", "auc", "hter", "digest")
Row = Mapping[str, str]


def parser() -> Parser:
    """Return the parser of the script's own options."""
    own = Parser(
        remedy="options of dtda.py go after --", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = own.add_argument
    add("--config", default="source_choice", help="plan with the candidates and the protocols (%(default)s)")
    add("--targets", default="", metavar="A,B", help="targets to choose for; all by default")
    add("--only", default="", metavar="A,B", help="candidates; all of the plan by default")
    add("--seeds", default="", help="as in recipes/ablation.py")
    add("--jobs", help="runs at a time, as in recipes/ablation.py")
    add("--threads", help="CPU threads per run, as in recipes/ablation.py")
    add("--runs", type=Path, default=Path("runs/source_choice"), help="folder of the runs (%(default)s)")
    add("--out", type=Path, default=Path("benchmarks/results/source_choice.csv"), help="kept figures (%(default)s)")
    add("--show", action="store_true", help="run nothing, print what --out holds")
    return own


def judged(run: KeptRun) -> list[Row]:
    """Return AUC and HTER in [0, 1] on each pseudo target of a run, at the threshold of its held-out source."""
    rows = []
    threshold = choose(SOURCE_DEV, source_dev=run.scores_of("source_dev")).value
    for part in run.scores:
        name = part.removeprefix("target/")
        scores = run.scores_of(part)
        if name == part or scores is None:
            continue
        hter = error_rates(scores.label, scores.score, threshold).hter
        values = (run.cell, "&".join(run.protocol.sources), name, str(run.seed))
        figures = (f"{auc(scores.label, scores.score):.6f}", f"{hter:.6f}", run.digest)
        rows.append(dict(zip(COLUMNS, (*values, *figures), strict=True)))
    return rows


def useful(row: Row, target: str) -> bool:
    """Return whether a row says something for a target without having seen it."""
    return target != row["pseudo_target"] and target not in row["sources"].split("&")


def table(rows: Sequence[Row], targets: Sequence[str], metric: str) -> Table:
    """Return the mean figure of each candidate for each target; the best of each target in bold."""
    candidates = list(dict.fromkeys(row["candidate"] for row in rows))
    means: dict[tuple[str, str], tuple[float, int]] = {}
    for candidate in candidates:
        for target in targets:
            seen = [100 * float(r[metric]) for r in rows if r["candidate"] == candidate and useful(r, target)]
            if seen:
                means[candidate, target] = spread(seen).mean, len(seen)
    most = {target: max((n for (_, at), (_, n) in means.items() if at == target), default=0) for target in targets}
    best = {}
    for target in targets:  # only among candidates that all pseudo targets have judged
        whole = {c: mean for (c, at), (mean, n) in means.items() if at == target and n == most[target]}
        best[target] = (max if metric == "auc" else min)(whole, key=lambda c: whole[c], default="")

    def cell(candidate: str, target: str) -> TableCell:
        mean, count = means.get((candidate, target), (0.0, 0))
        beside = "" if count in (0, most[target]) else f"(n={count})"
        return TableCell(f"{mean:.2f}" if count else NOTHING, beside, bold=candidate == best[target])

    body = [TableRow(candidate, [cell(candidate, target) for target in targets]) for candidate in candidates]
    label = "AUC (%), higher is better" if metric == "auc" else "HTER (%) at source-dev, lower is better"
    count = ", ".join(f"{target} {number}" for target, number in most.items())
    note = f"Means over pseudo targets and seeds: for {count}. Bold: the best for a target; no test was made."
    head = ["candidate", *(f"for {target}" for target in targets)]
    return Table(title=f"{label}, on pseudo targets", head=head, rows=body, notes=[note])


def main() -> int:
    """Run what is missing, keep the figures, print the tables."""
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    line = parser().parse_args(words[:at])
    plan = read_plan(find_plan(line.config, RECIPES / "configs"))
    protocols = {name: parse(name) for name in plan.protocols}
    divisions = {name: found for name, found in protocols.items() if isinstance(found, Across)}
    domains = list(dict.fromkeys(domain for found in divisions.values() for domain in found.sources))
    targets = line.targets.split(",") if line.targets else domains
    if unknown := [target for target in targets if target not in domains]:
        raise SettingsError(f"--targets {unknown[0]!r} is no domain of the plan.{closest(unknown[0], domains)}")
    if not line.show:
        wanted = [name for name, found in divisions.items() if any(t not in found.sources for t in targets)]
        run(line, wanted, words[at + 1 :], list(plan.cells))
    if not line.out.exists():
        raise DataError(f"{line.out}: does not exist; run this without --show.")
    with line.out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    Console().print(terminal([table(rows, targets, metric) for metric in ("auc", "hter")], []))
    return 0


def run(line: argparse.Namespace, protocols: Sequence[str], options: Sequence[str], cells: Sequence[str]) -> None:
    """Run the ablation, then write the figures of its kept runs."""
    only = [name.strip() for name in line.only.split(",")] if line.only else []
    if unknown := [name for name in only if name not in cells]:
        raise SettingsError(f"--only {unknown[0]!r} is no candidate.{closest(unknown[0], cells)}")
    command = [sys.executable, str(RECIPES / "ablation.py"), "--config", line.config]
    command += ["--protocols", ",".join(protocols)]
    for name in ("seeds", "jobs", "threads"):
        command += [f"--{name}", getattr(line, name)] if getattr(line, name) else []
    command += ["--only", ",".join(only)] if only else []
    command += ["--prune", "--out", str(line.runs), "--resume-from", str(line.runs / FILE)]
    command += ["--", *options] if options else []
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own recipe
        raise DataError("the ablation did not finish; start it again, it goes on.")
    rows = [row for one in read_kept(line.runs / FILE).values() for row in judged(one)]
    order = {name: number for number, name in enumerate(cells)}
    rows.sort(key=lambda row: (order.get(row["candidate"], len(cells)), *row.values()))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(line.out, text.getvalue().encode())


if __name__ == "__main__":
    sys.exit(run_as_command(main))
