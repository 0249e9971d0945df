"""Counts of presentations against the published ones."""

from __future__ import annotations

from padkit.data.census import Row, census_lines, take_census
from padkit.data.presentation import Presentation


def record(name: str, label: int, split: str = "") -> Presentation:
    return Presentation(dataset="d", domain="d", id=name, label=label, split=split)


RECORDS = [record("a", 1, "train"), record("b", 0, "train"), record("b", 0, "train"), record("c", 0, "test")]


def test_presentations_are_counted_once():
    assert take_census(RECORDS, {("train", 1): 1, ("train", 0): 2}) == [
        Row("train", 1, 1, 1),
        Row("train", 0, 1, 2),
        Row("test", 0, 1, 0),
    ]
    assert [row.remark for row in take_census(RECORDS, {("train", 1): 1, ("train", 0): 2})] == [
        "",
        "1 missing",
        "1 too many",
    ]


def test_published_sums_are_compared_with_sums():
    rows = take_census(RECORDS, {("", 0): 3, ("", 1): 1})
    assert rows[-2:] == [Row("all", 1, 1, 1), Row("all", 0, 2, 3)]
    assert all(row.expected is None for row in rows[:-2])
    assert census_lines(rows)[-1].split() == ["all", "attack", "2", "3", "<-", "1", "missing"]


def test_without_splits_and_without_numbers():
    alone = [record("a", 1), record("b", 0)]
    assert take_census(alone, {("", 1): 1, ("", 0): 1}) == [Row("", 1, 1, 1), Row("", 0, 1, 1)]
    assert take_census(alone, {}) == [Row("", 1, 1, None), Row("", 0, 1, None)]
