"""Runs a command in this process and judges what it said: one line for every mistake, no label or count changed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import mock

from padkit.data.table.overview import EVERY
from padkit.errors import run_as_command

ROOM = 3 << 30  # bytes of address space that a case may add
SECONDS = 30  # of CPU
WAITED = 300  # seconds of any kind: a pipe that nobody writes costs no CPU
# What a case must end in. same: the counts or figures of the unchanged input. told: refused, or every input counted.
# refused: exit 2 and a line. any: a result or a line, as long as it is no traceback.
Expected = Literal["same", "told", "refused", "any"]
COUNTS = re.compile(r"\b(bona fide|attack)\s+(.*?)\s+(\d+)\s+(\d+)\s+(?:\d+|-)\s*$")
TOLD = re.compile(r"(left out|passed over|skipped( unread)?): [1-9]|listed (twice|more than once)", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """One mutated input.

    Attributes:
        mutation: What was done, for the report.
        run: The command; returns the exit status.
        expected: What it must end in.
        shown: The words of the command, for the report.
        found: Reads the counts or figures from what was printed; None if there are none.
        base: What `found` returns for the unchanged input.
    """

    mutation: str
    run: Callable[[], int | None]
    expected: Expected
    shown: str
    found: Callable[[str], Any] | None = None
    base: Any = None


@dataclass
class Outcome:
    """How a case ended; `faults` is empty if it ended well."""

    case: Case
    status: int | None = None
    out: str = ""
    err: str = ""
    faults: list[str] = field(default_factory=list)


def judge(case: Case) -> Outcome:
    """Run a case and judge how it ended."""
    outcome, out, err = Outcome(case), io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.dict(os.environ, COLUMNS="240"),
        warnings.catch_warnings(), _bounded(),
    ):  # fmt: skip
        warnings.simplefilter("ignore")
        try:
            outcome.status = run_as_command(case.run)
        except SystemExit as error:
            outcome.status = error.code if isinstance(error.code, int) else 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = " ".join(str(error).split())[:200]
            outcome.faults.append(f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})")
    outcome.out, outcome.err = out.getvalue(), err.getvalue()
    if not outcome.faults:
        outcome.faults += _faults(case, outcome)
    return outcome


def _faults(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.status not in (0, 1, 2):
        yield f"exit status {outcome.status}"
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    if outcome.status == 2 and (len(errors) != 1 or outcome.err.splitlines()[-1] != errors[0]):
        yield f"a mistake must be one line, not {outcome.err[-300:]!r}"
    if "Traceback" in outcome.err + outcome.out:
        yield "prints a traceback"
    if case.expected == "refused" and outcome.status == 0:
        yield "was not refused"
    if case.expected == "same" and outcome.status != 0:
        yield f"was refused, though nothing is wrong: {outcome.err[-300:]!r}"
    if outcome.status == 0 and case.found is not None and case.expected in ("same", "told"):
        found = case.found(outcome.out)
        if case.expected == "same" and found != case.base:
            yield f"changed {case.base} to {found}"
        if case.expected == "told" and found != case.base:
            yield from _untold(case, found, outcome)


def _untold(case: Case, found: Mapping[str, int], outcome: Outcome) -> Iterator[str]:
    more = {name: count for name, count in found.items() if count > case.base.get(name, 0)}
    if more:
        yield f"{case.base} became {found}: a class gained inputs that it did not have"
    if not TOLD.search(outcome.out + outcome.err):
        yield f"{case.base} became {found}, and nothing says what is missing"


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Bound time and memory of the block."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"took longer than {SECONDS} s of CPU or waited {WAITED} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = {number: signal.signal(number, late) for number in (signal.SIGALRM, signal.SIGPROF)}
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    signal.alarm(WAITED)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def presentations(printed: str) -> dict[str, int]:
    """Return class -> presentations that `padkit data` counts."""
    counts = {"bona fide": 0, "attack": 0}
    for line in printed.splitlines():
        match = COUNTS.search(line)
        if match and match[2] != EVERY:  # that row sums the others
            counts[match[1]] += int(match[3])
    return counts


def figures(file: Path) -> Callable[[str], Any]:
    """Return a reader of the figures that `padkit evaluate --json` wrote."""

    def read(_: str) -> Any:
        told = json.loads(file.read_text())
        return sorted(_numbers(told))

    return read


def _numbers(tree: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _numbers(value, f"{name}.{key}")
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _numbers(value, f"{name}.{number}")
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool):
        yield name, round(tree, 9)
