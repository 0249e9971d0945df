"""Measures how long calls take, several of them turn by turn, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

WARM = 3  # calls before the clock starts, in each turn
TURNS = 5
FEWEST = 20  # calls that a 95th percentile rests on at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the calls of one kind took.

    Attributes:
        p50: Median, milliseconds.
        p95: 95th percentile, milliseconds.
        calls: How many were measured.
        items: What one call works on: crops or photographs.
    """

    p50: float
    p95: float
    calls: int
    items: int = 1

    @property
    def throughput(self) -> float:
        """Items per second, one call after the other, at the median."""
        return 1000 * self.items / self.p50


def timed(
    kinds: Mapping[str, Callable[[], object]], *, seconds: float, items: int = 1, warm: int = WARM, turns: int = TURNS
) -> dict[str, Timing]:
    """Time kinds of calls, turn by turn.

    Args:
        kinds: What to call, by name.
        seconds: About how long to measure each, over all turns.
        items: What one call works on.
        warm: Calls before the clock starts, in each turn.
        turns: How often each kind has its turn.

    Returns:
        The timing of each kind, by name.
    """
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(turns):
        for name, call in kinds.items():
            for _ in range(warm):
                call()
            taken[name] += _turn(call, seconds / turns)
    return {
        name: Timing(
            p50=float(np.median(times)), p95=float(np.percentile(times, 95)), calls=len(times), items=items
        )
        for name, times in taken.items()
    }  # fmt: skip


def _turn(call: Callable[[], object], seconds: float) -> list[float]:
    """Return the milliseconds of calls in a row, for so many seconds and at least a few calls."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < FEWEST // TURNS:
        start = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - start))
    return found
