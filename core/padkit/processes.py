"""Helpers for work in several processes: cores and who uses them, a pool that ends with its parent, a progress bar."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from pathlib import Path
from typing import Any


def cores() -> int:
    """Return the number of CPU cores this process may use: by its affinity, and by the limit of its container."""
    allowed = len(_allowed()) or os.cpu_count() or 1
    limit = quota()
    return allowed if limit is None else max(min(allowed, int(limit)), 1)


def _allowed() -> list[int]:
    """Return the numbers of the cores this process may run on; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def quota(root: Path = Path("/")) -> float | None:
    """Return how many cores' time the process's control groups (a container, a batch system) allow; None for no limit.

    Args:
        root: Where `proc` and `sys` lie.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup"
        for top in (base, base / "unified") if not controllers else (base / controllers, base / "cpu"):
            group = Path(path.lstrip("/"))
            found += [_limit(top / step) for step in (group, *group.parents)]
    limits = [limit for limit in found if limit is not None]
    return min(limits, default=None)


def _limit(group: Path) -> float | None:
    """Return the cores' time that one control group allows, of either version; None for no limit."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):
            share, period = " ".join((group / name).read_text(encoding="utf-8") for name in names).split()
            if share != "max" and int(share) > 0:
                return int(share) / int(period)
    return None


class OtherUse:
    """How many of this process's cores other processes keep busy, from one look to the next.

    The process's own loader processes count as others: they need their cores as well.
    """

    def __init__(self) -> None:
        self._then = self._look()

    def look(self) -> float:
        """Return the cores that others kept busy since the last look, or since this was made, in [0, cores]."""
        now, then = self._look(), self._then
        self._then = now
        seconds = now[0] - then[0]
        busy, own = now[1] - then[1], now[2] - then[2]
        return min(max((busy - own) / seconds, 0.0), float(now[3])) if seconds > 0 else 0.0

    @staticmethod
    def _look() -> tuple[float, float, float, int]:
        """Return the time, the busy seconds of the cores and of this process, and the number of cores."""
        import psutil

        every, allowed = psutil.cpu_times(percpu=True), _allowed()
        seen = [every[core] for core in allowed if core < len(every)] or every
        idle = ("idle", "iowait", "guest", "guest_nice")  # guests are counted as users as well
        busy = sum(sum(value for name, value in core._asdict().items() if name not in idle) for core in seen)
        return time.monotonic(), busy, time.process_time(), len(seen)


def paying_threads(most: int, others: float) -> int:
    """Return how many of `most` threads find a core of their own beside `others` cores that are kept busy.

    One too many is worse than one too few: the threads of a step wait for the slowest at every operation.
    """
    return max(min(most, int(most - others + 0.5)), 1)


def free_cores(seconds: float = 0.2) -> int:
    """Return how many cores others leave to this process, at least 1; looks at the machine for so many seconds."""
    watch = OtherUse()
    time.sleep(seconds)
    return paying_threads(cores(), watch.look())


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
