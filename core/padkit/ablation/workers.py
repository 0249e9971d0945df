"""Executes many runs, several at a time: each in its own process, with its own device or its share of the cores."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import IO, Any

from padkit.ablation.runs import Run
from padkit.files import try_lock

GRACE = 10.0  # seconds a process has to end before it is killed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: `error` is "" if it finished; `seconds` is None if it had finished earlier."""

    run: Run
    error: str
    seconds: float | None


@dataclass(slots=True)
class Workers:
    """Starts runs and stops them all together.

    Attributes:
        command: The command that starts a recipe; the run's script and arguments are added to it.
        places: Per worker, environment variables of its processes (which select its device).
        resumed: Additional arguments for a resumed run.
    """

    command: Sequence[str]
    places: Sequence[Mapping[str, str]]
    resumed: Sequence[str] = ()
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set, init=False)
    _lock: Any = field(default_factory=threading.Lock, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def outcomes(self, runs: Sequence[Run]) -> Generator[Outcome, None, None]:
        """Yield every run's outcome as it ends; leaving the loop early ends all processes."""
        free: queue.SimpleQueue[Mapping[str, str]] = queue.SimpleQueue()
        for place in self.places:
            free.put(place)
        pool = ThreadPoolExecutor(len(self.places))
        try:
            for future in as_completed([pool.submit(self._work, run, free) for run in runs]):
                yield future.result()
        finally:
            self.stop()
            pool.shutdown(wait=True, cancel_futures=True)

    def stop(self) -> None:
        """End all processes and start no more."""
        with self._lock:
            self._stopped.set()
            running = list(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _work(self, run: Run, free: queue.SimpleQueue[Mapping[str, str]]) -> Outcome:
        place = free.get()
        try:
            return self._execute(run, place)
        except OSError as error:
            return Outcome(run, f"{run.folder}: {error.strerror or error}", 0.0)
        finally:
            free.put(place)

    def _execute(self, run: Run, place: Mapping[str, str]) -> Outcome:
        started = time.monotonic()
        run.output.parent.mkdir(parents=True, exist_ok=True)
        with run.output.open("ab") as output:
            # The processes of a killed ablation continue: they hold the lock until they end.
            while not try_lock(output):
                if self._stopped.wait(1.0):
                    return Outcome(run, "stopped", 0.0)
            since = output.tell()
            if run.finished:
                return Outcome(run, "", None)
            arguments = run.arguments()
            resumed = self.resumed if arguments[0] == "--resume" else []
            status = self._start([*([run.script] if run.script else []), *arguments, *resumed], place, output)
        seconds = time.monotonic() - started
        if self._stopped.is_set():
            return Outcome(run, "stopped", seconds)
        if status == 0 and not run.finished:
            return Outcome(run, f"{run.metrics} was not written", seconds)
        return Outcome(run, run.failure(status, since) if status else "", seconds)

    def _start(self, arguments: Sequence[str], place: Mapping[str, str], output: IO[bytes]) -> int:
        with self._lock:
            if self._stopped.is_set():
                return -signal.SIGTERM
            process = subprocess.Popen(  # noqa: S603 - our own recipe
                [*self.command, *arguments],
                env={**os.environ, **place},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # only the ablation gets Ctrl-C; it then ends whole groups
            )
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.terminate()


def places(jobs: int | None, devices: int) -> list[dict[str, str]]:
    """Return the environment of each worker: one CUDA device each, or nothing special on a CPU.

    Args:
        jobs: Number of workers; None means one per device, or one on a CPU.
        devices: Number of CUDA devices.
    """
    count = jobs or max(devices, 1)
    if not devices:
        return [{} for _ in range(count)]
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name for name in named.split(",") if name] or [str(number) for number in range(devices)]
    return [{"CUDA_VISIBLE_DEVICES": names[number % len(names)]} for number in range(count)]
