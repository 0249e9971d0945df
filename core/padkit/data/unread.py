"""Counts what a reader saw and does not read: files of other formats, hidden ones, folders, repetitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from padkit.files import printable

MOST = 100  # reasons that are told apart
OTHER = "other reasons"


class Unread:
    """How many files, folders or rows were not read, by reason, each with its first example."""

    def __init__(self) -> None:
        self._found: dict[str, list[Any]] = {}

    def note(self, reason: str, example: object, *, fault: bool = False) -> None:
        """Count one more.

        Args:
            reason: Why it is not read, without its name.
            example: Its name.
            fault: Whether something is wrong that `strict` refuses, such as a folder without permission.
        """
        if reason not in self._found and len(self._found) >= MOST:
            reason = OTHER
        entry = self._found.setdefault(reason, [0, printable(str(example)), False])
        entry[0] += 1
        entry[2] |= fault

    def entries(self) -> list[dict[str, Any]]:
        """Return `reason`, `count`, `example` and `fault` of each reason, the most frequent first; ready for JSON."""
        found = sorted(self._found.items(), key=lambda item: -item[1][0])
        return [
            {"reason": reason, "count": count, "example": example, "fault": fault}
            for reason, (count, example, fault) in found
        ]


def total(entries: Iterable[Mapping[str, Any]]) -> int:
    """Return how many files, folders and rows the entries count."""
    return sum(int(entry["count"]) for entry in entries)


def unread_line(entries: Iterable[Mapping[str, Any]], shown: int = 3) -> str:
    """Return the entries in one line: `14 files, folders or rows: 12 hidden (the first: a/.b.png), ...`."""
    every = list(entries)
    told = [f"{entry['count']} {entry['reason']} (the first: {entry['example']})" for entry in every[:shown]]
    more = [f"{len(every) - shown} other reasons"] if len(every) > shown else []
    return f"{total(every)} files, folders or rows: {'; '.join([*told, *more])}"
