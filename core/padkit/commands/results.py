"""`padkit results`: makes the tables of an ablation from its kept runs, and keeps documents true. Imports no torch."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from padkit.ablation.blocks import SPECIES
from padkit.commands.parser import Parser
from padkit.errors import DataError, SettingsError

if TYPE_CHECKING:
    from padkit.report.tables.layout import Table

CONFIGS = Path("recipes/configs")
DESCRIPTION = """\
Make the tables of an ablation from its kept runs (recipes/ablation.py --resume-from FILE), every figure anew from
their scores. --write does it for the marked blocks of documents, --check tells whether they are what the files say:

    <!-- results: benchmarks/results/trial.jsonl, plan trial -->
    <!-- end results -->

`plan` names a file, or one in recipes/configs of the current folder. Paths in a block are relative to that folder too.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown, or there is nothing to do.
    """
    parser = Parser(
        prog="padkit results", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("files", nargs="*", type=Path, metavar="FILE", help="kept runs; of a run that several hold, the first")
    add("--plan", default="", help="plan whose cells, targets, seeds and baseline the tables have; all runs without")
    add("--baseline", metavar="NAME", default="", help="cell that the others are compared with")
    add("--by", choices=(SPECIES,), default="", help="add AUC and APCER by PAI species, and of species left out")
    add("--markdown", type=Path, metavar="FILE", help="write markdown as well")
    add("--latex", type=Path, metavar="FILE", help="write latex as well")
    add("--write", type=Path, nargs="+", default=[], metavar="DOC", help="make the marked blocks of documents anew")
    add("--check", type=Path, nargs="+", default=[], metavar="DOC", help="fail where a block is not what it should be")
    line = parser.parse_args(arguments)
    documents = bool(line.write or line.check)
    if documents == bool(line.files):
        raise SettingsError("name files of kept runs, or documents after --write or --check.")
    own = [f"--{name}" for name in ("plan", "baseline", "by", "markdown", "latex") if getattr(line, name)]
    if documents and own:
        raise SettingsError(f"{own[0]} does not go with --write and --check; the blocks say what they hold.")
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    if line.write or line.check:
        for document in line.write:
            _write(document)
        wrong = [document for document in line.check if not _true(document)]
        return int(bool(wrong))
    from rich.console import Console

    from padkit.files import write_atomically
    from padkit.report.tables.layout import latex, markdown, terminal

    tables, lines = tables_of_files(line.files, line.plan, line.baseline, line.by)
    Console().print(terminal(tables, lines))
    if line.markdown:
        write_atomically(line.markdown, markdown(tables, lines).encode())
    if line.latex:
        write_atomically(line.latex, latex(tables, lines).encode())
    return 0


def tables_of_files(
    files: Sequence[Path], plan: str = "", baseline: str = "", by: str = ""
) -> tuple[list[Table], list[str]]:
    """Return the tables of files of kept runs, and the lines under them.

    Args:
        files: The files.
        plan: Path or name of a plan; "" takes all runs.
        baseline: Cell that the others are compared with; "" for the plan's.
        by: `species` adds the tables by PAI species.

    Raises:
        DataError: A file is missing or damaged, or its runs cannot be compared.
        SettingsError: The plan is malformed, or the baseline is no cell.
    """
    from padkit.ablation.kept import read_all
    from padkit.ablation.plan import find_plan, read_plan
    from padkit.ablation.published import grid_of, published

    for file in files:
        if not file.exists():
            raise DataError(f"{file}: does not exist; name a file of kept runs.")
    runs = read_all(files)
    chosen = read_plan(find_plan(plan, CONFIGS)).complete() if plan else None
    options = {"--plan": plan, "--baseline": baseline, "--by": by}
    words = [*map(str, files), *(word for name, value in options.items() if value for word in (name, value))]
    command = shlex.join(["padkit", "results", *words])
    return published(runs, grid_of(runs, chosen, baseline), command, species=bool(by))


def _made(document: Path) -> tuple[str, str]:
    """Return a document as it is and as it should be."""
    from padkit.ablation.blocks import Block, rewritten
    from padkit.report.tables.layout import markdown

    def make(block: Block) -> str:
        return markdown(*tables_of_files(block.files, block.plan, block.baseline, block.by))

    try:
        text = document.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{document}: cannot be read ({error}); name a Markdown file.") from error
    return text, rewritten(text, str(document), make)


def _write(document: Path) -> None:
    from padkit.files import write_atomically

    text, made = _made(document)
    if text != made:
        write_atomically(document, made.encode())
    print(f"{document}: {'as it was' if text == made else 'written'}")


def _true(document: Path) -> bool:
    text, made = _made(document)
    if text == made:
        return True
    pairs = zip(text.splitlines(), made.splitlines(), strict=False)
    number = next((at for at, (old, new) in enumerate(pairs, start=1) if old != new), len(text.splitlines()))
    remedy = "tables are not edited by hand: padkit results --write makes them"
    print(f"error: {document}, line {number}: is not what the kept runs say; {remedy}.", file=sys.stderr)
    return False
