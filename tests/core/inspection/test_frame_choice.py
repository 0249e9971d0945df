"""Frames that figures show: balanced, of different people, the same for the same seed whatever the table's order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from padkit.inspection.frame_choice import balanced_rows, face_rows


class Columns:
    def __init__(self, **columns: list[Any]) -> None:
        self.columns = {name: np.array(values, dtype=object) for name, values in columns.items()}
        self.columns["label"] = np.array(columns["label"], dtype=np.int64)

    def column(self, name: str) -> np.ndarray:
        return self.columns[name]


def table(people: int = 4, frames: int = 3) -> Columns:
    """Each person: a live presentation and an attack of each of two species, some frames each, in two domains."""
    rows = [
        (domain, f"{domain}{person}", f"{domain}{person}{species}", species, int(not species))
        for domain in ("x", "y")
        for person in range(people)
        for species in ("", "print", "replay")
        for _ in range(frames)
    ]
    names = ("domain", "subject", "presentation", "species", "label")
    return Columns(**dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@settings(max_examples=30)
@given(count=st.integers(1, 80), seed=st.integers(0, 5))
def test_cells_have_equal_shares_and_no_presentation_comes_twice_before_all_came_once(count: int, seed: int) -> None:
    found = table()
    rows = balanced_rows(found, np.arange(72), count, seed)
    assert len(set(rows.tolist())) == len(rows) <= count
    assert np.all(np.diff(rows) > 0)
    cells = Counter(zip(found.column("domain")[rows], found.column("label")[rows].tolist(), strict=True))
    room = {("x", 1): 12, ("y", 1): 12, ("x", 0): 24, ("y", 0): 24}
    assert all(cells[cell] in (min(size, count // 4), min(size, -(-count // 4))) for cell, size in room.items())
    assert len(rows) == count or any(cells[cell] == size for cell, size in room.items())
    for cell in cells:
        own = [row for row in rows if (found.column("domain")[row], found.column("label")[row]) == cell]
        times = Counter(found.column("presentation")[own])
        assert len(times) == min(len(own), 4 if cell[1] else 8)
        assert max(times.values()) - min(times.values()) <= 1
    assert np.array_equal(rows, balanced_rows(found, np.arange(72), count, seed))


@pytest.mark.parametrize("seed", range(4))
def test_faces_are_of_different_people_and_all_species(seed: int) -> None:
    found = table()
    rows = face_rows(found, np.arange(36), 4, seed, by="species")
    assert found.column("label")[rows].tolist() == [1] * 4 + [0] * 4
    for part in (rows[:4], rows[4:]):
        assert len(set(found.column("subject")[part])) == 4
    assert Counter(found.column("species")[rows[4:]]) == {"print": 2, "replay": 2}
    assert len(face_rows(found, np.arange(36), 100, seed, by="species")) == 36


def test_unknown_subjects_are_told_by_their_presentations() -> None:
    found = table()
    found.columns["subject"][:] = ""
    rows = face_rows(found, np.arange(36), 4, 0, by="species")
    assert len(set(found.column("presentation")[rows])) == 8
    assert not np.array_equal(rows, face_rows(found, np.arange(36), 4, 1, by="species"))
