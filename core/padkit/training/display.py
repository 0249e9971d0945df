"""The progress bar of a run: steps, time left and every named loss, on the main process only."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Move the bar to `step` and show `losses`."""

    def __call__(self, step: int, losses: Mapping[str, float]) -> None:
        """Move and show."""


@contextmanager
def training_bar(total: int, completed: int, *, shown: bool) -> Iterator[Advance]:
    """Show a bar of `total` steps on stderr; where that is no terminal, print a line every tenth of the way."""
    console = Console(stderr=True)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    interactive = console.is_terminal
    with Progress(*columns, console=console, disable=not (shown and interactive)) as bar:
        task = bar.add_task("training", total=total, completed=completed, losses="")

        def advance(step: int, losses: Mapping[str, float]) -> None:
            text = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            bar.update(task, completed=step, losses=text)
            if shown and not interactive and (step % max(total // 10, 1) == 0 or step == total):
                print(f"step {step}/{total} {text}", file=sys.stderr, flush=True)

        yield advance
