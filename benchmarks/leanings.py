"""What the detectors of an ablation lean on: AUC with colours normalised, and verdicts that flip with the face's box.

    python benchmarks/leanings.py runs/photographs_trial --out leanings.csv
    python benchmarks/leanings.py --show leanings.csv

Every finished run is judged on its own test presentations, and on its held-out source ones, by which settings may be
chosen: as they are, and with each crop's cast, brightness and contrast set to fixed values (padkit.deploy.colour). A
large difference is a shortcut. Verdicts are by the run's own threshold, on at most --faces test presentations, with the
face's box changed (padkit.deploy.stability). Means and sample standard deviations over targets and seeds. Runs in --out
are not judged again.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from padkit.catalog import Catalog
from padkit.commands.parser import Parser
from padkit.data.table.frames import FrameTable
from padkit.deploy.colour import colour_normalised
from padkit.deploy.predictor import Predictor, load
from padkit.deploy.shortcuts import presentations, scored
from padkit.deploy.steady import steady
from padkit.errors import DataError, run_as_command
from padkit.evaluation.metrics import auc
from padkit.evaluation.statistics.paired import spread
from padkit.files import write_atomically
from padkit.report.tables.layout import NOTHING, Table, TableRow, terminal, text_cells
from padkit.runs.finished import FinishedRun, read_run
from padkit.runs.opened import Opener, Rows, frames_of

AREAS = ("auc", "auc_normalised", "source_auc", "source_auc_normalised")
COLUMNS = ("cell", "target", "seed", *AREAS, "flipped", "faces")


def parser() -> Parser:
    """Return the parser of the script's options."""
    own = Parser(description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = own.add_argument
    add("ablation", nargs="?", type=Path, help="folder of an ablation: CELL/TARGET/seedK")
    add("--only", default="", metavar="A,B", help="targets; all by default")
    add("--faces", type=int, default=100, help="presentations whose boxes are changed (%(default)s)")
    add("--out", type=Path, default=Path("leanings.csv"), help="figures, kept (%(default)s)")
    add("--show", type=Path, help="run nothing, print what this file holds")
    return own


def areas(predictor: Predictor, table: FrameTable, rows: Rows) -> tuple[float, ...]:
    """Return the AUC in [0, 1] of a model's presentations as they are, and with colours normalised."""
    changes = (None, colour_normalised)
    both = [presentations(table, rows, scored(predictor, table, rows, change)) for change in changes]
    return tuple(auc(one.label, one.score) for one in both)


def judged(run: FinishedRun, where: Path, opener: Opener, faces: int) -> dict[str, str]:
    """Return the row of a run in `where`, CELL/TARGET/seedK."""
    cell, target, seed = where.parts[-3:]
    table, predictor = opener.table(run), load(run.folder.model, threads=1)
    rows = frames_of(table, run.target, run)
    told = areas(predictor, table, rows)
    if run.source_dev is not None:
        told += areas(predictor, table, frames_of(table, run.source_dev, run))
    stable = steady(predictor, table, rows, faces)
    flipped = "" if stable is None else f"{stable.record()['flipped_verdicts']:.6f}"
    figures = dict.fromkeys(AREAS, "") | {name: f"{value:.6f}" for name, value in zip(AREAS, told, strict=False)}
    who = {"cell": cell, "target": target, "seed": seed.removeprefix("seed")}
    return {**who, **figures, "flipped": flipped, "faces": str(faces)}


def table_of(rows: Sequence[dict[str, str]]) -> Table:
    """Return means over targets and seeds, in percent, by cell."""
    body = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        mine = [row for row in rows if row["cell"] == cell]
        figures = {name: [100 * float(row[name]) for row in mine if row[name]] for name in (*AREAS, "flipped")}
        raw, plain, source, source_plain, flips = figures.values()
        lost = [one - other for one, other in zip(raw, plain, strict=True)]
        told = [figure(values) for values in (source, source_plain, raw, plain, lost, flips)]
        body.append(TableRow(cell, text_cells(*told, str(len(mine)))))
    head = ["cell", "source AUC", "normalised", "AUC", "normalised", "difference", "verdicts that flip", "runs"]
    notes = ["Source: held-out people before the cameras of training. Mean ± sample standard deviation."]
    return Table(title="What the detectors lean on (%)", head=head, rows=body, notes=notes)


def figure(values: Sequence[float]) -> str:
    """Return mean and sample standard deviation as text."""
    if not values:
        return NOTHING
    found = spread(values)
    return f"{found.mean:.2f}" if found.deviation is None else f"{found.mean:.2f} ± {found.deviation:.2f}"


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file of figures; none if it does not exist."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write the rows, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: (row["cell"], row["target"], int(row["seed"]))))
    write_atomically(path, text.getvalue().encode())


def main() -> int:
    """Judge what is missing, keep the figures, print the table."""
    line = parser().parse_args()
    if line.show is None:
        if line.ablation is None or not line.ablation.is_dir():
            raise DataError(f"{line.ablation}: is no folder; give the folder of an ablation.")
        rows, opener = read(line.out), Opener(Catalog(), shown=True)
        known = {(row["cell"], row["target"], row["seed"]) for row in rows}
        wanted = line.only.split(",") if line.only else []
        for metrics in sorted(line.ablation.glob("*/*/seed*/metrics.json")):
            where = metrics.parent
            cell, target, seed = where.parts[-3:]
            if (cell, target, seed.removeprefix("seed")) in known or (wanted and target not in wanted):
                continue
            rows.append(judged(read_run(where), where, opener, line.faces))
            write(line.out, rows)
            print(f"{cell}, {target}, {seed}", file=sys.stderr, flush=True)
    rows = read(line.show or line.out)
    if not rows:
        raise DataError(f"{line.show or line.out}: holds no figures; judge the runs of an ablation first.")
    Console().print(terminal([table_of(rows)], []))
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
