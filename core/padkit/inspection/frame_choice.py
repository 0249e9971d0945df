"""Chooses the frames that figures show: drawn by seed from the presentations only, so that all runs show the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from padkit.data.preparation.prepare import FrameTable
from padkit.data.presentation import ATTACK, BONA_FIDE

Rows = NDArray[np.int64]


def balanced_rows(table: FrameTable, rows: Rows, count: int, seed: int) -> Rows:
    """Return up to `count` of `rows`, ascending: an equal share of each (domain, class), or all if there are fewer.

    A presentation gives a second frame only after each has given one.
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    cells = zip(table.column("domain")[shuffled], table.column("label")[shuffled].tolist(), strict=True)
    seen: Counter[str] = Counter()
    queues: dict[Hashable, list[tuple[int, int]]] = {}
    for row, name, cell in zip(shuffled.tolist(), table.column("presentation")[shuffled], cells, strict=True):
        queues.setdefault(cell, []).append((seen[name], row))
        seen[name] += 1
    ordered = [sorted(queues[cell], key=lambda pair: pair[0]) for cell in sorted(queues, key=str)]
    share = -(-count // max(len(ordered), 1))
    dealt = [queue[turn][1] for turn in range(share) for queue in ordered if turn < len(queue)]
    return np.array(sorted(dealt[:count]), dtype=np.int64)


def face_rows(table: FrameTable, rows: Rows, count: int, seed: int, by: str) -> Rows:
    """Return up to `count` bona fide and then up to `count` attack frames, of different people as far as possible.

    Args:
        table: The frames.
        rows: Rows to draw from.
        count: How many of each class.
        seed: Draws them.
        by: Column (`species`, `domain`) whose values are taken in turn, so that as many as possible are shown.
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    labels = table.column("label")[shuffled]
    chosen: list[int] = []
    for label in (BONA_FIDE, ATTACK):
        own = shuffled[labels == label]
        subjects, presentations = table.column("subject")[own], table.column("presentation")[own]
        people = np.where(subjects == "", presentations, subjects).tolist()
        chosen += _take_turns(list(zip(own.tolist(), people, table.column(by)[own], strict=True)), count)
    return np.array(chosen, dtype=np.int64)


def _take_turns(rows: list[tuple[int, str, str]], count: int) -> list[int]:
    """Take rows (number, person, group) from the groups in turn, each time of the person taken least often so far."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for row, person, group in rows:
        groups.setdefault(group, []).append((row, person))
    taken: Counter[str] = Counter()
    chosen: list[int] = []
    while any(groups.values()):
        for _, queue in sorted(groups.items()):
            if queue and len(chosen) < count:
                place = min(range(len(queue)), key=lambda number: taken[queue[number][1]])
                row, person = queue.pop(place)
                taken[person] += 1
                chosen.append(row)
        if len(chosen) >= count:
            break
    return chosen
