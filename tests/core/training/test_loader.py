"""Loader processes stay from epoch to epoch; one that is killed ends the run with a line that names it, and soon."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import Dataset, get_worker_info
from toy_run import reset_accelerate

from padkit.data.batches import BalancedBatches
from padkit.errors import TrainingError
from padkit.training import loader
from padkit.training.loader import AHEAD, naming_dead_workers, training_loader
from padkit.training.loop import batches_from

BATCH, STEPS, WITHIN = 4, 12, 10  # frames, steps of an epoch, seconds in which the end is noticed
# From Python 3.12 on; the tests' own processes have threads that hold no lock.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Mortal(Dataset[Any]):
    """Tells which process loads; once the file `order` is there, that process kills itself, or raises what it says."""

    def __init__(self, order: Path) -> None:
        self.order = order

    def __getitem__(self, at: int) -> int:
        if get_worker_info() is not None and self.order.exists():
            if told := self.order.read_text():
                raise RuntimeError(told)
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()


@pytest.fixture
def in_time() -> Iterator[None]:
    """A test that hangs fails."""

    def late(*_: object) -> None:
        raise TimeoutError(f"nothing was noticed in {WITHIN} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(WITHIN)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    reset_accelerate()
    yield Accelerator(cpu=True)
    reset_accelerate()


def loaders(accelerator: Accelerator, order: Path, workers: int) -> Iterator[set[int]]:
    """Load epoch after epoch as the recipe does; yield the processes that loaded each batch."""
    labels, domains = np.arange(BATCH * STEPS) % 2, np.arange(BATCH * STEPS) // 2 % 2
    batches = BalancedBatches(labels, domains, batch_size=BATCH)
    assert batches.steps == STEPS
    loading = accelerator.prepare(training_loader(Mortal(order), batches, workers, torch.device("cpu")))
    for epoch in range(3):
        batches.set_epoch(epoch)
        for batch in batches_from(loading, 0, epoch):
            yield set(batch.tolist())


@pytest.mark.parametrize(("workers", "at"), [(1, 2), (2, STEPS + 2)], ids=["first epoch", "a later one"])
def test_a_killed_loader_process_is_named_and_nothing_hangs(
    accelerator: Accelerator, in_time: None, tmp_path: Path, workers: int, at: int
) -> None:
    order, seen = tmp_path / "order", []

    @naming_dead_workers()
    def load() -> None:
        for batch in loaders(accelerator, order, workers):
            seen.append(batch)
            if len(seen) == at:
                order.touch()

    with pytest.raises(TrainingError, match=r"process that loads images ended .*\(pid.*fewer --workers") as caught:
        load()
    processes = set().union(*seen)
    assert len(processes) == workers, "they stay from epoch to epoch"
    assert os.getpid() not in processes
    assert any(str(pid) in str(caught.value) for pid in processes)
    assert "\n" not in str(caught.value)
    assert at <= len(seen) <= at + workers * AHEAD + 1, "at most what was loaded ahead comes after its end"


def test_what_a_loader_process_raises_is_not_taken_for_its_end(
    accelerator: Accelerator, in_time: None, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    order.write_text("stack expects each tensor to be equal size")
    load = naming_dead_workers()(lambda: list(loaders(accelerator, order, 1)))
    with pytest.raises(RuntimeError, match="Caught RuntimeError in DataLoader worker process 0") as caught:
        load()
    assert "stack expects" in str(caught.value)


@naming_dead_workers()
def fail(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that", True),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", True),
        ("DataLoader timed out after 60 seconds", True),
        ("Pin memory thread exited unexpectedly", True),
        ("CUDA out of memory", False),
    ],
)
def test_only_the_end_of_a_loader_process_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, text: str, ended: bool
) -> None:
    monkeypatch.setattr(loader, "NOTICE", 0.0)
    with pytest.raises(TrainingError if ended else RuntimeError, match=r"pid 7|7, 8|60 seconds|Pin|CUDA"):
        fail(RuntimeError(text))


def test_the_signal_is_told_where_the_queue_tells_less() -> None:
    signalled = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    with pytest.raises(TrainingError, match="killed by signal: Killed"):
        fail(RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), signalled)


def test_a_broken_connection_waits_for_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process that has ended leaves is met first."""

    def signalled(_seconds: float) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    monkeypatch.setattr(loader.time, "sleep", signalled)
    with pytest.raises(TrainingError, match="pid 7"):
        fail(ConnectionResetError(104, "Connection reset by peer"))
    monkeypatch.setattr(loader.time, "sleep", lambda _seconds: None)
    with pytest.raises(ConnectionResetError):
        fail(ConnectionResetError(104, "Connection reset by peer"))
