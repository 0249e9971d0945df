"""The division that a dataset's own splits make."""

from __future__ import annotations

from collections.abc import Iterable

from padkit.data.presentation import SPLITS, Division, Presentation


def official(records: Iterable[Presentation]) -> Division:
    """Return the ids of the records by their split; splits that the dataset has not are empty."""
    ids: dict[str, list[str]] = {split: [] for split in SPLITS}
    for record in records:
        ids[record.split].append(record.id)
    return Division(**{split: tuple(found) for split, found in ids.items()})
