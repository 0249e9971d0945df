"""The line before the model: so many requests at most, each within its time. Imports no torch.

One worker is a thread of the server. Several are processes, which take the next picture as soon as they are free;
connections that were shared out among servers instead would leave some idle.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from padkit.deploy.predictor import Predictor
from padkit.serving.judging import Answer, Judging
from padkit.serving.refusal import RefusalError
from padkit.serving.service import Service

STUCK = 3  # times the limit after which a picture that is still judged means that a worker is stuck

_OWN: list[Judging] = []  # of a worker process


class Line:
    """Lets workers judge one picture after the other, so that the server goes on answering meanwhile.

    Args:
        service: The model, and how many may wait how long.
        workers: How many pictures are judged at a time.
        predictor: The model, if it is loaded already; for one worker.

    Raises:
        PadkitError: The model or its face finder cannot be loaded.
    """

    def __init__(self, service: Service, workers: int = 1, predictor: Predictor | None = None) -> None:
        self.service = service
        self.limits = service.limits
        self.workers = workers
        self.inside = 0
        self._judging: Judging | None = None
        self._begun: dict[Future[Answer], float] = {}
        if workers == 1:
            self._judging = _judging(service, predictor)
        self._executor = self._started()
        first = [self._executor.submit(_about, service) for _ in range(workers)] if self._judging is None else []
        try:
            self.about: dict[str, Any] = self._judging.about() if self._judging else first[0].result()
            wait(first)
        except BaseException:
            self.close()
            raise

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

    async def answer(self, content: bytes, source: str, *, explain: bool) -> Answer:
        """Return what `Judging.answer` returns, or raise what it raises.

        Raises:
            RefusalError: 503, the time is over, or the worker died. A picture whose turn has not come is dropped.
        """
        executor = self._executor
        try:
            if self._judging is not None:
                future = executor.submit(self._judging.answer, content, source, explain=explain)
            else:
                future = executor.submit(_answer, self.service, content, source, explain)
            self._begun[future] = time.monotonic()
            future.add_done_callback(lambda done: self._begun.pop(done, None))
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            detail = f"no result within {self.limits.seconds:g} s; come again"
            raise RefusalError(503, "timeout", detail) from error
        except BrokenExecutor as error:
            if self._executor is executor:  # of all that wait, the first to hear of it starts new ones
                executor.shutdown(wait=False)
                self._executor = self._started()
            raise RefusalError(503, "worker", "the worker died; come again") from error

    @property
    def stuck(self) -> bool:
        """Whether a picture has been judged for far longer than it may be; those that only waited have been dropped."""
        latest = time.monotonic() - STUCK * self.limits.seconds
        return any(begun < latest for begun in list(self._begun.values()))

    def close(self) -> None:
        """Drop what has not begun, and end the worker processes."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self.workers > 1:
            for process in multiprocessing.active_children():
                process.terminate()
            self._executor.shutdown(wait=True)

    def _started(self) -> Executor:
        if self.workers == 1:
            return ThreadPoolExecutor(1, thread_name_prefix="judge")
        spawned = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, mp_context=spawned, initializer=_deaf)


def _deaf() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judging(service: Service, predictor: Predictor | None = None) -> Judging:
    found = Judging(predictor or service.load(), service.limits, str(service.settings.get("backend", "auto")))
    found.warm_up()
    return found


def _own(service: Service) -> Judging:
    if not _OWN:
        _OWN.append(_judging(service))
    return _OWN[0]


def _about(service: Service) -> dict[str, Any]:
    return _own(service).about()


def _answer(service: Service, content: bytes, source: str, explain: bool) -> Answer:
    return _own(service).answer(content, source, explain=explain)
