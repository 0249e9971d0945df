"""Counts of presentations against the published ones."""

from __future__ import annotations

from padkit.data.preparation.census import CensusRow, census_lines, take_census
from padkit.data.presentation import Presentation


def record(name: str, label: int, split: str = "") -> Presentation:
    return Presentation(dataset="d", domain="d", id=name, label=label, split=split)


RECORDS = [record("a", 1, "train"), record("b", 0, "train"), record("b", 0, "train"), record("c", 0, "test")]


def test_presentations_are_counted_once():
    assert take_census(RECORDS, {("train", 1): 1, ("train", 0): 2}) == [
        CensusRow("train", 1, 1, 1),
        CensusRow("train", 0, 1, 2),
        CensusRow("test", 0, 1, 0),
    ]
    assert [row.remark for row in take_census(RECORDS, {("train", 1): 1, ("train", 0): 2})] == [
        "",
        "1 missing",
        "1 too many",
    ]


def test_published_sums_are_compared_with_sums():
    rows = take_census(RECORDS, {("", 0): 3, ("", 1): 1})
    assert rows[-2:] == [CensusRow("all", 1, 1, 1), CensusRow("all", 0, 2, 3)]
    assert all(row.expected is None for row in rows[:-2])
    assert census_lines(rows)[-1].split() == ["all", "attack", "2", "3", "<-", "1", "missing"]


def test_without_splits_and_without_numbers():
    alone = [record("a", 1), record("b", 0)]
    assert take_census(alone, {("", 1): 1, ("", 0): 1}) == [CensusRow("", 1, 1, 1), CensusRow("", 0, 1, 1)]
    assert take_census(alone, {}) == [CensusRow("", 1, 1, None), CensusRow("", 0, 1, None)]
