"""Blocks of documents that are made from kept runs, and never by hand.

    <!-- results: benchmarks/results/trial.jsonl, plan recipes/configs/trial.yaml -->
    ... tables ...
    <!-- end results -->

The first line names the files, then, if wanted, `plan NAME`, `baseline CELL` and `by species`; paths are relative to
the folder that the command runs in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from padkit.errors import DataError

SPECIES = "species"
BEGINS, ENDS = "<!-- results:", "<!-- end results -->"


@dataclass(frozen=True, slots=True)
class Block:
    """What the first line of a block asks for.

    Attributes:
        files: Files of kept runs.
        plan: Path or name of a plan; "" without one.
        baseline: Cell that the others are compared with; "" for the plan's.
        by: `species` adds the tables by PAI species; "" does not.
    """

    files: tuple[Path, ...]
    plan: str = ""
    baseline: str = ""
    by: str = ""


def rewritten(text: str, where: str, make: Callable[[Block], str]) -> str:
    """Return a document with the content of each block made anew.

    Args:
        text: The document.
        where: Its name, for errors.
        make: Gives the Markdown of a block.

    Raises:
        DataError: There is no block, one does not end, or its first line is malformed.
    """
    lines, done, count = text.splitlines(), [], 0
    rest = iter(enumerate(lines, start=1))
    for number, line in rest:
        done.append(line)
        if not line.strip().startswith(BEGINS):
            continue
        count += 1
        block = _parsed(line.strip(), f"{where}, line {number}")
        if not any(other.strip() == ENDS for _, other in rest):
            raise DataError(f"{where}, line {number}: the block of results has no {ENDS!r}; write it below.")
        done += ["", make(block).rstrip("\n"), "", ENDS]
    if not count:
        raise DataError(f"{where}: holds no block of results; write '{BEGINS} FILE -->' and '{ENDS}' where it belongs.")
    return "\n".join(done) + "\n"


def _parsed(line: str, where: str) -> Block:
    words = [word.strip() for word in line.removeprefix(BEGINS).removesuffix("-->").split(",")]
    named = dict.fromkeys(("plan", "baseline", "by"), "")
    files = []
    for word in words:
        key, space, value = word.partition(" ")
        if space and key in named:
            named[key] = value.strip()
        elif word:
            files.append(Path(word))
    if named["by"] not in ("", SPECIES):
        raise DataError(f"{where}: by {named['by']!r} is unknown; write 'by {SPECIES}' or leave it out.")
    if not files or not line.endswith("-->"):
        raise DataError(f"{where}: write '{BEGINS} FILE, plan NAME -->'.")
    return Block(tuple(files), **named)
