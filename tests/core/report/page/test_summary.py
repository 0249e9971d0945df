"""Notes about the data on a run's page."""

from __future__ import annotations

from padkit.data.unread import Unread
from padkit.report.page.summary import data_notes


def test_what_was_not_read_is_on_the_page():
    facts = {"dataset": "own", "fingerprint": "", "image_size": 64, "records": 9, "skipped": 0}
    assert data_notes(None, facts) == ["Dataset own, face crops of 64 x 64 pixels."]
    (told,) = data_notes(None, facts, "five")
    assert told.startswith(
        "Dataset own, face crops of 64 x 64 pixels, each judged by the mean of the logits of five views"
    )
    unread = Unread()
    unread.note("with suffix .heic", "a/1.heic")
    assert data_notes(None, {**facts, "skipped": 2, "unread": unread.entries()})[1:] == [
        "2 of 9 files or presentations could not be read.",
        "Skipped unread: 1 files, folders or rows: 1 with suffix .heic (the first: a/1.heic).",
    ]
