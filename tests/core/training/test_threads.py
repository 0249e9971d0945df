"""`--threads auto`: what the steps of a loop and the load of a machine make of the number of threads."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from padkit.errors import SettingsError
from padkit.training import threads
from padkit.training.threads import ThreadTuner, begin_threads, pinned


class Machine:
    """A machine of some cores; a step is longer where threads share one.

    `others` cores are kept busy. A step takes 0.66 s with one thread; with more than find a core, twice as long.
    """

    def __init__(self, cores: int, others: float = 0.0, alone: float = 0.66) -> None:
        self.cores, self.others, self.alone, self.now, self.told = cores, others, alone, 0.0, list[str]()
        self.threads = cores

    def look(self) -> float:
        return self.others

    def step(self) -> float:
        share = self.alone * (1 / self.threads + 0.17 * (self.threads > 1))
        return share if self.threads == 1 or self.threads + self.others <= self.cores else 2 * self.alone

    def run(self, tuner: ThreadTuner, steps: int) -> float:
        """Make steps; return the seconds they took."""
        begun = self.now
        for _ in range(steps):
            with tuner.timed():
                self.now += self.step()
        return self.now - begun

    def use(self, count: int) -> None:
        self.threads = count

    def tuner(self, count: int) -> ThreadTuner:
        self.threads = count
        return ThreadTuner(
            count, self.cores, tell=self.told.append, watch=self, clock=lambda: self.now, use=self.use
        )  # fmt: skip


def test_on_a_quiet_machine_all_cores_stay_and_one_line_says_so() -> None:
    machine = Machine(2)
    tuner = machine.tuner(2)
    machine.run(tuner, 200)
    assert machine.threads == tuner.count == 2
    assert machine.told == ["threads: 2, a step takes 0.44 s (0.66 s with 1); --threads N sets them"]


def test_beside_a_busy_process_one_thread_is_left() -> None:
    machine = Machine(2)
    tuner = machine.tuner(2)
    quiet = machine.run(tuner, 50)
    machine.others = 1.0
    busy = machine.run(tuner, 50)
    assert machine.threads == 1
    assert "threads: 1, a step takes 0.66 s" in machine.told[-1]
    assert busy <= 1.7 * quiet  # two threads all the time would take three times as long


def test_when_the_machine_is_quiet_again_so_are_the_threads() -> None:
    machine = Machine(2, others=1.0)
    tuner = machine.tuner(1)
    machine.run(tuner, 50)
    assert machine.threads == 1
    assert machine.told == ["threads: 1, a step takes 0.66 s; --threads N sets them"]
    machine.others = 0.0
    machine.run(tuner, 100)
    assert machine.threads == 2


def test_steps_that_become_slow_for_no_visible_reason_try_fewer() -> None:
    """A container's limit or a neighbour outside it does not show in the load."""
    machine = Machine(4)
    tuner = machine.tuner(4)
    machine.run(tuner, 60)
    assert machine.threads == 4
    machine.cores = 2
    machine.run(tuner, 60)
    assert machine.threads == 2


def test_of_many_cores_halves_are_tried_as_long_as_they_are_faster() -> None:
    machine = Machine(16)
    machine.step = lambda: 1.0 + abs(machine.threads - 4)  # type: ignore[method-assign]
    tuner = machine.tuner(16)
    machine.run(tuner, 30)
    assert machine.threads == 4
    tried = 4  # 16, 8, 4, 2: three steps each after two that are not timed
    assert tuner.step.__self__._warm == 0  # type: ignore[attr-defined]
    assert len(machine.told[0].split("with")) == tried


def test_trials_that_change_nothing_become_rare() -> None:
    machine = Machine(2)
    tuner = machine.tuner(2)
    machine.others, seen = 1.0, []
    machine.step = lambda: {1: 0.9, 2: 0.5}[machine.threads]  # type: ignore[method-assign]
    machine.use = lambda count: (seen.append(count), setattr(machine, "threads", count))  # type: ignore[assignment]
    tuner._use = machine.use
    machine.run(tuner, 2000)
    assert machine.threads == 2
    assert seen.count(1) <= 8  # of two thousand steps


def test_the_first_steps_are_not_judged() -> None:
    machine, lasted = Machine(2), iter([30.0, 9.0])
    usual: Callable[[], float] = machine.step
    machine.step = lambda: next(lasted, None) or usual()  # type: ignore[method-assign]
    machine.run(machine.tuner(2), 30)
    assert machine.threads == 2


@pytest.mark.parametrize(
    ("asked", "variables", "expected"),
    [
        (3, {"PADKIT_THREADS": "2", "OMP_NUM_THREADS": "5"}, 3),
        ("auto", {"PADKIT_THREADS": "2", "OMP_NUM_THREADS": "5"}, 2),
        (None, {"OMP_NUM_THREADS": "5"}, 5),
        ("auto", {"OMP_NUM_THREADS": "1"}, None),  # what launchers set says nothing
        ("auto", {}, None),
    ],
)
def test_who_sets_the_number(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, variables: dict[str, str], expected: int | None
) -> None:
    for name in ("PADKIT_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert pinned(asked) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("asked", "named", "told"), [(0, "", "--threads 0"), ("auto", "two", "PADKIT_THREADS='two'")])
def test_an_impossible_number_is_one_line(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, named: str, told: str
) -> None:
    monkeypatch.setenv("PADKIT_THREADS", named)
    with pytest.raises(SettingsError, match=told) as error:
        pinned(asked)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("busy", "asked", "expected", "told"),
    [
        (0.1, "auto", 4, ""),
        (2.0, "auto", 2, "threads: 2 of 4, others keep 2.0 cores busy; --threads N sets them"),
        (2.0, 3, 3, ""),
    ],
)
def test_the_start(monkeypatch: pytest.MonkeyPatch, busy: float, asked: int, expected: int, told: str) -> None:
    monkeypatch.delenv("PADKIT_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(threads, "LOOK", 0.0)
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.setattr(threads, "OtherUse", lambda: Machine(4, others=busy))
    lines: list[str] = []
    before = torch.get_num_threads()
    try:
        tuner = begin_threads(asked, tell=lines.append)
        assert torch.get_num_threads() == tuner.count == expected
        assert tuner.most == (4 if asked == "auto" else 1)
        assert "".join(lines) == told
    finally:
        torch.set_num_threads(before)


def test_what_came_after_the_start_gets_its_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LOOK", 0.0)
    machine = Machine(2)
    lines: list[str] = []
    tuner = machine.tuner(2)
    tuner._tell = lines.append
    tuner.look_again()
    assert (machine.threads, lines) == (2, [])
    machine.others = 1.0
    tuner.look_again()
    assert machine.threads == 1
    assert lines == ["threads: 1 of 2, others have begun; --threads N sets them"]


def test_two_that_start_together_see_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    used = time.process_time()
    threads._busy_for(0.05)
    assert time.process_time() - used > 0.03
