"""What the tests of dataset readers share."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, Presentation
from padkit.errors import PadkitError


def read(reader: NativeReader) -> list[Presentation]:
    """Return the records, having checked what every dataset promises."""
    records = list(reader.records())
    assert records
    assert list(pickle.loads(pickle.dumps(reader)).records()) == records, "not stable, or lost in a pickle"
    assert len({record.id for record in records}) == len(records)
    assert len({record.path for record in records}) == len(records)
    for record in records:
        assert record.dataset == record.domain
        assert bool(record.attack_type) == bool(record.species) == (record.label == ATTACK)
        assert not record.subject or record.subject.startswith(f"{record.dataset}/")
        assert Path(record.path).exists()
    return records


def counts(records: list[Presentation]) -> Counter[tuple[str, int]]:
    """Return the number of presentations by (split, label), as `NativeReader.expected` has it."""
    return Counter((record.split, record.label) for record in records)


def refused(call: Callable[[], object], *parts: object) -> None:
    """Check that `call` raises one line that holds all `parts`."""
    with pytest.raises(PadkitError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert str(part) in text, text
