"""Helpers for work in several processes: number of cores, a pool that ends with its parent, a progress bar."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import Any


def cores() -> int:
    """Return the number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_pool(workers: int, prepare: Callable[..., None] | None = None, *handed: Any) -> ProcessPoolExecutor:
    """Return a pool of fresh processes that leave Ctrl-C to their parent and end when it is killed.

    Args:
        workers: How many.
        prepare: Importable function called with `handed` once in each of them.
        handed: Its arguments; pickled.
    """
    # Never fork: the parent may hold a GPU context and running threads.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(prepare, handed))


def _start(prepare: Callable[..., None] | None, handed: tuple[Any, ...]) -> None:
    # Only the parent handles Ctrl-C: it cancels waiting tasks and keeps finished ones.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    if prepare is not None:
        prepare(*handed)


def _die_with(sentinel: int) -> None:
    # Otherwise a pool's processes would outlive a killed parent and wait for work for ever.
    connection.wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def counting_bar(title: str, total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` pieces with the time left on stderr; yield a function that counts finished pieces."""
    if not shown:
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.update(task, advance=count)
