"""The identity of inputs: a medium that is listed several times, under one name or several, is taken once."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from padkit.data.media.formats import NEITHER, STILL, kind_of
from padkit.data.media.walk import Identity, identity_of
from padkit.data.presentation import Presentation
from padkit.data.unread import Unread
from padkit.errors import DataError
from padkit.files import printable

LABELS = {1: "bona fide", 0: "attack"}
TEXTS = ("dataset", "domain", "id", "split", "subject", "attack_type", "species", "device", "session")


def taken_once(records: Sequence[Presentation], unread: Unread) -> list[Presentation]:
    """Return the records whose medium, frames, box and rotation no record before them has.

    Links and hard links to a file are that file; copies are not. Records are all kept where `path` is no still, video
    or folder, but a file that holds several presentations in the reader's own format.

    Args:
        records: In the reader's order.
        unread: Counts the others.

    Raises:
        DataError: The same medium is listed as bona fide and as attack.
    """
    identities: dict[str, Identity] = {}
    first: dict[tuple[object, ...], Presentation] = {}
    kept = []
    for record in records:
        key = _key(record, identities)
        before = None if key is None else first.get(key)
        if before is None:
            kept.append(record)
            if key is not None:
                first[key] = record
            continue
        if before.label != record.label:
            raise DataError(_contradiction(before, record))
        same = before.path == record.path
        where = "listed again" if same else "the same file as another (a link)"
        unread.note(f"{where}{_elsewhere(before, record)}", record.path)
    return kept


def with_printable_texts(record: Presentation) -> Presentation:
    """Return the record with texts that can be stored and printed; file names need not be UTF-8. `path` stays."""
    texts = {name: getattr(record, name) for name in TEXTS}
    shown = {name: printable(text) for name, text in texts.items() if not text.isascii()}
    odd: dict[str, Any] = {name: text for name, text in shown.items() if text != texts[name]}
    return dataclasses.replace(record, **odd) if odd else record


def _key(record: Presentation, identities: dict[str, Identity]) -> tuple[object, ...] | None:
    """Return what two records of the same frames share, or None if the medium is of a kind of the reader's own."""
    kind = kind_of(record.path) if record.path else NEITHER
    if record.path not in identities:
        with contextlib.suppress(OSError):
            identities[record.path] = identity_of(record.path)
    if kind == NEITHER and not (record.path and os.path.isdir(record.path)):  # noqa: PTH112 -- often, on texts
        return None
    # A still's frame number only orders it among the frames of its presentation.
    numbers = () if kind == STILL else record.frames
    return identities.get(record.path, record.path), numbers, record.box, record.rotation


def _contradiction(before: Presentation, record: Presentation) -> str:
    first, second = LABELS.get(before.label, before.label), LABELS.get(record.label, record.label)
    names = record.path if record.path == before.path else f"{before.path} and {record.path}: the same file, which"
    return f"{printable(names)} is listed as {first} and as {second}; leave out the wrong one."


def _elsewhere(before: Presentation, record: Presentation) -> str:
    """Return in what the two differ, for the count."""
    told = [name for name in ("domain", "split", "subject") if getattr(before, name) != getattr(record, name)]
    return f", under another {' and '.join(told)}; the first counts" if told else ""
