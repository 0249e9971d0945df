"""Finds frames that are stored twice: equal pixels flatter a test, contradict a label or count too often."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from padkit.data.table.frames import FrameTable

_TAIL = 24  # bytes; a PNG's hold the checksums of its pixels and of their compressed form (ISO/IEC 15948)


@dataclass(frozen=True, slots=True)
class EqualImages:
    """Images that a table holds more than once.

    Attributes:
        groups: For each image that several presentations hold, its rows, ascending; in order of first appearance.
        within: How many frames equal an earlier one of the same presentation. A video may repeat a frame.
        labels: How many of the groups are under both labels.
        splits: How many are in more than one split.
        domains: How many are in more than one domain.
    """

    groups: list[NDArray[np.int64]]
    within: int
    labels: int
    splits: int
    domains: int

    def counts(self) -> dict[str, int]:
        """Return the numbers, ready for JSON."""
        numbers = {name: getattr(self, name) for name in ("within", "labels", "splits", "domains")}
        return {"images": len(self.groups), **numbers}


def equal_images(table: FrameTable) -> EqualImages:
    """Return the images that a table holds more than once.

    Preparation encodes equal pixels as equal bytes, so stored bytes are compared: nothing is decoded, and only images
    of equal length and ending are read completely. If some tables are compressed and others not (`padkit prepare
    --compress`), every image is decoded.
    """
    tables = table.preparation.get("tables", [table.preparation])
    if len({bool(about.get("compress")) for about in tables}) > 1:
        same = _equal(range(len(table)), lambda row: table.image(row).tobytes())
    else:
        keys = np.concatenate([_keys(piece.field("bytes")) for piece in table.dataset.data.column("image").chunks])
        _, number, count = np.unique(keys, return_inverse=True, return_counts=True)
        same = _equal(np.flatnonzero(count[number.reshape(-1)] > 1).tolist(), table.encoded)
    codes = table.coded("presentation").codes
    shared = [rows for rows in same if len(np.unique(codes[rows])) > 1]
    values = {name: table.coded(name).codes for name in ("split", "domain")} | {"label": table.column("label")}
    several = {name: sum(len(np.unique(column[rows])) > 1 for rows in shared) for name, column in values.items()}
    within = sum(len(rows) - len(np.unique(codes[rows])) for rows in same)
    return EqualImages(shared, within, several["label"], several["split"], several["domain"])


def _equal(rows: Iterable[int], content: Callable[[int], bytes | pa.Buffer]) -> list[NDArray[np.int64]]:
    """Return groups of those `rows` whose content is equal."""
    digests: dict[bytes, list[int]] = {}
    for row in rows:
        digests.setdefault(hashlib.blake2b(content(row), digest_size=16).digest(), []).append(row)
    return [np.array(same) for same in digests.values() if len(same) > 1]


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
