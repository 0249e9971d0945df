"""The line before the model: so many requests at most, one judged at a time, each within its time. Imports no torch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from padkit.serving.refusal import RefusalError
from padkit.serving.service import ServeLimits

T = TypeVar("T")
STUCK = 2  # times the limit that a job may run before the worker counts as stuck


class Line:
    """Lets a thread do one job after the other, so that the server goes on answering meanwhile.

    Args:
        limits: How many may wait, and how long.
    """

    def __init__(self, limits: ServeLimits) -> None:
        self.limits = limits
        self.inside = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._since: float | None = None

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request from before its body is read until it is answered.

        Raises:
            RefusalError: 503, as many as may wait do.
        """
        if self.inside >= self.limits.waiting:
            raise RefusalError(503, "busy", f"{self.inside} requests are waiting; come again", close=True)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def run(self, job: Callable[[], T]) -> T:
        """Return what the job returns, or raise what it raises.

        Raises:
            RefusalError: 503, the time is over. A job that has not begun is dropped; one that has is not waited for.
        """
        future = self._thread.submit(self._timed, job)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            detail = f"no result within {self.limits.seconds:g} s; come again"
            raise RefusalError(503, "timeout", detail) from error

    @property
    def stuck(self) -> bool:
        """Whether a job has been running for far longer than it may."""
        since = self._since
        return since is not None and time.monotonic() - since > STUCK * self.limits.seconds

    def close(self) -> None:
        """Drop what has not begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _timed(self, job: Callable[[], T]) -> T:
        self._since = time.monotonic()
        try:
            return job()
        finally:
            self._since = None
