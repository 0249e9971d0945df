"""What holds for every reader of padkit_public; datasets that name no splits or subjects are among them."""

from __future__ import annotations

import pickle
from pathlib import Path

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, Presentation


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
