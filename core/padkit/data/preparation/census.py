"""The census: compares the numbers of presentations found, by split and label, with the published numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from padkit.data.presentation import BONA_FIDE, SPLITS, Presentation

Counts = Mapping[tuple[str, int], int]
ALL = "all"
LABELS = {1: "bona fide", 0: "attack"}


@dataclass(frozen=True, slots=True)
class CensusRow:
    """One line of a census.

    Attributes:
        split: `train`, `dev`, `test`, "" if the dataset has no splits, or `all` for the sum over all splits.
        label: 1 = bona fide, 0 = attack.
        found: Presentations on disk.
        expected: Published number of presentations, or None if there is none.
    """

    split: str
    label: int
    found: int
    expected: int | None

    @property
    def remark(self) -> str:
        """What differs, or ""."""
        if self.expected is None or self.found == self.expected:
            return ""
        difference = self.found - self.expected
        return f"{-difference} missing" if difference < 0 else f"{difference} too many"


def take_census(records: Iterable[Presentation], expected: Counts) -> list[CensusRow]:
    """Count presentations (not records: several stills may be one) by split and label, bona fide first.

    If only sums are published (split "") but the dataset has splits, rows `all` compare the sums.
    """
    found = Counter({record.id: (record.split, record.label) for record in records}.values())
    if expected and {split for split, _ in expected} == {""} and any(split for split, _ in found):
        sums = {label: sum(count for key, count in found.items() if key[1] == label) for _, label in expected}
        total = [CensusRow(ALL, label, sums[label], due) for (_, label), due in expected.items()]
        return _rows(found, {}) + sorted(total, key=lambda row: row.label != BONA_FIDE)
    return _rows(found, expected)


def _rows(found: Counter[tuple[str, int]], expected: Counts) -> list[CensusRow]:
    order = [*SPLITS, ""]
    keys = sorted({*found, *expected}, key=lambda key: (order.index(key[0]), key[1] != BONA_FIDE))
    return [CensusRow(*key, found[key], expected.get(key, 0) if expected else None) for key in keys]


def census_lines(rows: Iterable[CensusRow]) -> list[str]:
    """Return the census as lines of text."""
    cells = [("split", "label", "found", "expected", "")]
    cells += [
        (row.split or "-", LABELS[row.label], str(row.found), "-" if row.expected is None else str(row.expected), mark)
        for row in rows
        for mark in [f"<- {row.remark}" if row.remark else ""]
    ]
    widths = [max(len(cell[column]) for cell in cells) for column in range(4)]
    return [
        f"{split:<{widths[0]}}  {label:<{widths[1]}}  {found:>{widths[2]}}  {due:>{widths[3]}}  {mark}".rstrip()
        for split, label, found, due, mark in cells
    ]
