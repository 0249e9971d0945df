"""Finds frames that are stored twice: equal pixels in two presentations, which flatter a test or contradict a label."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from padkit.data.table.frames import FrameTable

_TAIL = 24  # bytes; a PNG's hold the checksums of its pixels and of their compressed form (ISO/IEC 15948)


def duplicates(table: FrameTable) -> list[NDArray[np.int64]]:
    """Return, for each image that several presentations hold, its rows, ascending; images in order of first appearance.

    Preparation encodes equal pixels as equal bytes, so stored bytes are compared: nothing is decoded, and only images
    of equal length and ending are read completely. If some tables are compressed and others not (`padkit prepare
    --compress`), every image is decoded.
    """
    tables = table.preparation.get("tables", [table.preparation])
    if len({bool(about.get("compress")) for about in tables}) > 1:
        return _shared(table, range(len(table)), lambda row: table.image(row).tobytes())
    keys = np.concatenate([_keys(piece.field("bytes")) for piece in table.dataset.data.column("image").chunks])
    _, number, count = np.unique(keys, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(count[number.reshape(-1)] > 1)
    return _shared(table, rows.tolist(), table.encoded)


def _shared(
    table: FrameTable, rows: Iterable[int], content: Callable[[int], bytes | pa.Buffer]
) -> list[NDArray[np.int64]]:
    """Return groups of those `rows` whose content several presentations hold."""
    digests: dict[bytes, list[int]] = {}
    for row in rows:
        digests.setdefault(hashlib.blake2b(content(row), digest_size=16).digest(), []).append(row)
    codes = table.coded("presentation").codes
    return [np.array(same) for same in digests.values() if len(np.unique(codes[same])) > 1]


def _keys(images: pa.BinaryArray) -> NDArray[np.uint64]:
    """Return a number for each image's length and last bytes."""
    _, offsets, content = images.buffers()
    ends = np.frombuffer(offsets, np.int32)[images.offset : images.offset + len(images) + 1].astype(np.int64)
    lengths = np.diff(ends)
    pixels = np.frombuffer(content, np.uint8)
    places = np.maximum(ends[1:, None] - np.arange(_TAIL, 0, -1), ends[:-1, None])
    tails = np.ascontiguousarray(pixels[places]).view(np.uint64)
    keys = lengths.astype(np.uint64)
    for column in tails.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
    return keys
