"""How many CPU threads pay on the machine as it is: found by load and by timed steps, and again when it changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Literal, Protocol

import torch

from padkit.errors import SettingsError
from padkit.processes import OtherUse, cores, paying_threads

AUTO = "auto"
VARIABLE = "PADKIT_THREADS"  # what `auto` means here, set by whoever starts several runs side by side
LOOK = 0.2  # seconds in which the load is measured at the start
WARM = 2  # steps that are not timed at the start: libraries prepare themselves
TRIED = 3  # steps with a number of threads on trial; the first is not counted
SLOW = 1.3  # times the usual step
WINDOW, FEWEST = 2.0, 3  # seconds and steps between two looks
SOON = 3.0  # seconds until the next trial after a change
WAIT, LONGEST = 10.0, 600.0  # the same after a trial that changed nothing, doubled by the next such
NEAR = 1.03  # of two numbers as fast as this, the smaller

Threads = int | Literal["auto"] | None


class Watch(Protocol):
    """Tells how many cores other processes have kept busy since the last look."""

    def look(self) -> float:
        """Return that number."""


def pinned(asked: Threads) -> int | None:
    """Return the number of threads that the user or the environment sets, None where padkit is to find it.

    `--threads N` comes before PADKIT_THREADS, which comes before OMP_NUM_THREADS. In that, 1 says nothing: launchers
    set it.

    Raises:
        SettingsError: PADKIT_THREADS is no number, or the number is below 1.
    """
    named = os.environ.get(VARIABLE, "")
    if isinstance(asked, int):
        if asked < 1:
            raise SettingsError(f"--threads {asked}: must be at least 1, or {AUTO}.")
        return asked
    if named:
        if not named.isdecimal() or not int(named):
            raise SettingsError(f"{VARIABLE}={named!r} is no number of threads; give 1 or more, or unset it.")
        return int(named)
    set_by_user = os.environ.get("OMP_NUM_THREADS", "1")
    return int(set_by_user) if set_by_user.isdecimal() and int(set_by_user) > 1 else None


class ThreadTuner:
    """Sets the number of threads of a training loop, from its own steps and from what others do on the machine.

    A step with two threads beside a process that keeps one of two cores busy takes twice as long as with one, because
    threads wait for each other at every operation. So the first steps try the number that the load suggests, and half
    of it as long as that is faster. Later the load is looked at every few steps: where it suggests another number, or
    steps have become slow, that number is tried for three steps, and the faster one stays. A trial that changes nothing
    doubles the time to the next.

    The number of threads changes in which order sums are made, and so the last digits of losses; nothing else.

    Args:
        count: The number to begin with, at most `most`.
        most: The largest number that may be tried.
        tell: Prints one line when the number changes.
        watch: Tells what others do.
        clock: Seconds.
        use: Sets the number.
    """

    def __init__(
        self, count: int, most: int, *, tell: Callable[[str], None] = print, watch: Watch | None = None,
        clock: Callable[[], float] = time.perf_counter, use: Callable[[int], None] = torch.set_num_threads,
    ) -> None:  # fmt: skip
        self.count, self.most = count, most
        self._tell, self._clock, self._use = tell, clock, use
        self._watch = watch or OtherUse()
        self._seen: list[float] = []  # steps since the last look
        self._found: dict[int, float] = {}  # seconds a step by threads, in this trial
        self._trial: int | None = None
        self._settled, self._usual, self._suggested = False, 0.0, count
        self._wait, self._next, self._warm = WAIT, 0.0, WARM

    def look_again(self) -> None:
        """Before long work that is no step: leave cores to others that have come since the start.

        Of two runs that start together neither sees the other one compute. This never raises the number; the timed
        steps after it may.
        """
        if self.most == 1 or self.count == 1:
            return
        self._watch.look()  # own processes may have prepared data until now
        _busy_for(LOOK)
        suggested = paying_threads(self.most, self._watch.look())
        if suggested < self.count:
            self.count = self._suggested = suggested
            self._use(suggested)
            self._tell(f"threads: {suggested} of {self.most}, others have begun; --threads N sets them")

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time a step; when it is done, set the number of threads of the next."""
        begun = self._clock()
        yield
        self.step(self._clock() - begun)

    def step(self, seconds: float) -> None:
        """Take in how long a step was."""
        if self.most == 1:
            return
        if self._warm:
            self._warm -= 1
            return
        self._seen.append(seconds)
        if self._trial is not None or not self._settled:
            if len(self._seen) >= TRIED:
                self._judge()
        elif len(self._seen) >= FEWEST and sum(self._seen) >= WINDOW:
            self._look()

    def _look(self) -> None:
        """Compare the last steps with the usual ones, and the load with the number of threads."""
        lasted, suggested = median(self._seen), paying_threads(self.most, self._watch.look())
        self._seen.clear()
        slow = lasted > SLOW * self._usual
        if not slow:
            self._usual = min(self._usual, lasted)
        # Twice in a row: the steps before the first time may have been made before the load changed.
        other = suggested != self.count and (slow or suggested == self._suggested)
        self._suggested = suggested
        if self._clock() < self._next or not (other or (slow and self.count > 1)):
            return
        self._found = {self.count: lasted}
        self._try(suggested if suggested != self.count else self.count // 2)

    def _try(self, count: int) -> None:
        self._trial = count
        self._seen.clear()
        self._use(count)

    def _judge(self) -> None:
        """End the trial of a number: go on to half of it where it was the fastest so far, or settle."""
        tried = self._trial or self.count
        self._found[tried] = median(self._seen[1:])
        fewer = tried // 2
        faster = self._found[tried] <= NEAR * min(self._found.values())
        if faster and fewer and fewer not in self._found:
            self._try(fewer)
        else:
            self._settle()

    def _settle(self) -> None:
        least = min(self._found.values())
        best = min(count for count, seconds in self._found.items() if seconds <= NEAR * least)
        changed = best != self.count
        if changed or not self._settled:
            others = ", ".join(f"{seconds:.2g} s with {n}" for n, seconds in self._found.items() if n != best)
            beside = f" ({others})" if others else ""
            self._tell(f"threads: {best}, a step takes {self._found[best]:.2g} s{beside}; --threads N sets them")
        self._wait = WAIT if changed or not self._settled else min(2 * self._wait, LONGEST)
        self._next = self._clock() + (self._wait if self._settled and not changed else SOON)
        self.count, self._usual, self._settled, self._trial = best, self._found[best], True, None
        self._found, self._seen = {}, []
        self._use(best)
        self._watch.look()  # what was before the change is no guide


def _busy_for(seconds: float) -> None:
    """Compute, so that another run that looks at the same time sees this one."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def begin_threads(
    asked: Threads, *, on_cpu: bool = True, steady: bool = False, tell: Callable[[str], None] = print
) -> ThreadTuner:
    """Set this process's number of CPU threads and return what keeps it right.

    Args:
        asked: A number, `auto`, or None, which is `auto` too.
        on_cpu: Whether the network is computed on the CPU; with an accelerator the number matters little.
        steady: Leave the number as the load at the start suggests: steps of several processes wait for each other, and
            compiled code is made for one number.
        tell: Prints a line.

    Raises:
        SettingsError: The number is below 1, or the environment names none.
    """
    count = pinned(asked)
    if count is not None:
        torch.set_num_threads(count)
        return ThreadTuner(count, 1, tell=tell)
    most = max(cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)
    watch, count = OtherUse(), most
    if on_cpu and most > 1:
        _busy_for(LOOK)
        others = watch.look()
        count = paying_threads(most, others)
        if count < most:
            tell(f"threads: {count} of {most}, others keep {others:.1f} cores busy; --threads N sets them")
    torch.set_num_threads(count)
    return ThreadTuner(count, most if on_cpu and not steady else 1, tell=tell, watch=watch)
