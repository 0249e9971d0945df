"""What holds for every reader of a dataset in its owners' layout."""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, SPLITS, Presentation
from padkit.errors import DataError


def read(reader: NativeReader) -> list[Presentation]:
    """Return the records, having checked what every dataset promises."""
    records = list(reader.records())
    assert records
    assert list(reader.records()) == records, "the order is not stable"
    assert list(pickle.loads(pickle.dumps(reader)).records()) == records
    assert len({record.id for record in records}) == len(records)
    assert len({record.path for record in records}) == len(records)
    assert len({(record.dataset, record.domain) for record in records}) == 1
    splits: dict[str, set[str]] = defaultdict(set)
    for record in records:
        assert Path(record.path).is_file()
        assert record.split in SPLITS
        assert record.subject.startswith(f"{record.dataset}/")
        assert bool(record.attack_type) == bool(record.species) == (record.label == ATTACK)
        splits[record.subject].add(record.split)
    assert {len(found) for found in splits.values()} == {1}, "a subject is in two splits"
    return records


def counts(records: list[Presentation]) -> Counter[tuple[str, int]]:
    return Counter((record.split, record.label) for record in records)


def subjects(records: list[Presentation]) -> Counter[str]:
    return Counter(split for split, _ in {(record.split, record.subject) for record in records})


def by_id(records: list[Presentation]) -> dict[str, Presentation]:
    return {record.id: record for record in records}


def refused(call: Callable[[], object], *parts: object) -> str:
    """Check that `call` raises one line that holds all `parts`, and return it."""
    with pytest.raises(DataError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert str(part) in text, text
    return text
