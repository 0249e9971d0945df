"""`padkit report`: writes the page of a finished run again, from its folder alone. Imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from padkit.commands.parser import Parser

DESCRIPTION = """\
Write report/index.html of finished runs again, each from its folder alone: after a copy, a new version of padkit, or
when the page was lost. The faces of the worst mistakes come from the prepared table; where that is gone, the page is
made without faces and says so.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown, or no run is named.
    """
    parser = Parser(
        prog="padkit report", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a finished run, or of an ablation")
    parser.add_argument("--no-faces", action="store_true", help="leave out the faces of the worst mistakes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    from padkit.report.page.mistakes import Faces, faces_of
    from padkit.report.page.page import write_page
    from padkit.runs.finished import read_runs

    for run in read_runs(line.runs):
        faces = Faces(note="Without faces, as --no-faces asked.") if line.no_faces else faces_of(run)
        print(write_page(run, faces), flush=True)
        if faces.pictures is None:
            print(f"note: {run.path}: {faces.note}", file=sys.stderr)
    return 0
