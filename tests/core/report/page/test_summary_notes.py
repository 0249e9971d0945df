"""How labels were read is on a run's page."""

from __future__ import annotations

import pytest

from padkit.report.page.summary import data_notes

FACTS = {"dataset": "own", "fingerprint": "", "image_size": 64, "records": 9, "skipped": 0}


@pytest.mark.parametrize("notes", [None, []])
def test_tables_of_earlier_versions_say_nothing(notes: list[str] | None) -> None:
    assert data_notes(None, {**FACTS, "notes": notes}) == data_notes(None, FACTS)


def test_the_line_and_the_warning_are_notes() -> None:
    found = data_notes(None, {**FACTS, "notes": ["labels: 'real' = bona fide (3).", "warning: 2 folders."]})
    assert found[1:] == ["Labels: 'real' = bona fide (3).", "Warning: 2 folders."]
