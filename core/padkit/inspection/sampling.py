"""Which frames figures show: drawn by seed from the presentations alone, so that every run shows the same ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.data.table import FrameTable

Rows = NDArray[np.int64]


def balanced_rows(table: FrameTable, rows: Rows, count: int, seed: int) -> Rows:
    """Return up to `count` of `rows`, ascending, equally many of each (domain, class) as far as there are.

    A presentation gives a second frame only when each has given one.
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    cells = zip(table.column("domain")[shuffled], table.column("label")[shuffled].tolist(), strict=True)
    queues = _queues(shuffled, table.column("presentation")[shuffled], cells)
    return np.array(sorted(_deal(queues, count)), dtype=np.int64)


def face_rows(table: FrameTable, rows: Rows, count: int, seed: int, by: str) -> Rows:
    """Return up to `count` bona fide and then up to `count` attack frames, of different people as far as there are.

    Args:
        table: The frames.
        rows: Rows to draw from.
        count: How many of each class.
        seed: Draws them.
        by: Column (`species`, `domain`) whose values take turns, so that as many as possible are shown.
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    labels = table.column("label")[shuffled]
    chosen: list[int] = []
    for label in (BONA_FIDE, ATTACK):
        own = shuffled[labels == label]
        subjects, presentations = table.column("subject")[own], table.column("presentation")[own]
        chosen += _deal(_queues(own, np.where(subjects == "", presentations, subjects), table.column(by)[own]), count)
    return np.array(chosen, dtype=np.int64)


def _queues(rows: Rows, owners: NDArray[np.object_], groups: Iterable[Hashable]) -> list[list[int]]:
    """Return the rows of each group, those first whose owner was drawn least often before."""
    seen: dict[str, int] = {}
    queues: dict[Hashable, list[tuple[int, int]]] = {}
    for row, owner, group in zip(rows.tolist(), owners, groups, strict=True):
        seen[owner] = turn = seen.get(owner, -1) + 1
        queues.setdefault(group, []).append((turn, row))
    ordered = [sorted(queues[group], key=lambda pair: pair[0]) for group in sorted(queues, key=str)]
    return [[row for _, row in queue] for queue in ordered]


def _deal(queues: list[list[int]], count: int) -> list[int]:
    """Take one of each queue in turn until there are `count`."""
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)][:count]
