"""`padkit figures`: draws figures of one run, of several side by side, or of an ablation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from padkit.commands.parser import Number, Parser
from padkit.errors import SettingsError, closest, one_line
from padkit.inspection.kinds import KINDS, draw
from padkit.inspection.request import FigureRequest
from padkit.report.figures.style import DARK, FORMATS, LIGHT
from padkit.runs.finished import read_runs
from padkit.settings.ranges import Count, Seed

EPILOG = "kinds of figures:\n" + "\n".join(f"  {name:<14}{summary}" for name, (summary, _) in KINDS.items())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line, checked.

    Raises:
        SettingsError: An option is unknown, or its value is not valid.
    """
    parser = Parser(
        prog="padkit figures", description="Draw figures of finished runs: of one, of several side by side, or of an "
        "ablation.", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("runs", nargs="+", metavar="[NAME=]RUN", help="folder of a run or of an ablation, and its name in the figures")
    add("--out", type=Path, required=True, help="folder to write the figures to")
    add("--only", metavar="KIND,KIND", help="only these kinds; by default all that can be drawn")
    add("--target", default="", help="domain tested on, if the runs differ in it; by default the first run's")
    add("--seed", type=Number(Seed), default=0, help="seed of the frames shown, of t-SNE and of attacks (%(default)s)")
    add("--points", type=Number(Count), default=600, metavar="N", help="most frames of the t-SNE (%(default)s)")
    add(
        "--faces",
        type=Number(Count),
        default=4,
        metavar="N",
        help="faces of each class for Grad-CAM (%(default)s)",
    )
    add("--format", choices=FORMATS, default="png", help="format of the files (%(default)s)")
    add("--dark", action="store_true", help="light text on a dark background")
    line = parser.parse_args(arguments)
    line.kinds = line.only.split(",") if line.only else list(KINDS)
    for kind in line.kinds:
        if kind not in KINDS:
            raise SettingsError(f"--only {kind!r}: is no kind of figure.{closest(kind, KINDS)}")
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status.

    A figure that cannot be drawn is reported on stderr; this is an error if the figure was requested by name, or if
    nothing was drawn.
    """
    line = parse(arguments)
    request = FigureRequest(
        runs=read_runs(line.runs), target=line.target, seed=line.seed, points=line.points, faces=line.faces,
        palette=DARK if line.dark else LIGHT, shown=True,
    )  # fmt: skip
    drawn = 0
    for kind, found in draw(request, line.kinds, line.out, line.format):
        if isinstance(found, Path):
            print(found, flush=True)
            drawn += 1
        elif line.only:
            raise found
        else:
            print(f"no {kind}: {one_line(found)}", file=sys.stderr)
    return 0 if drawn else 1
