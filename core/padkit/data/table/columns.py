"""Columns of text as codes: names repeat over many rows, so rows are compared, counted and divided as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of text.

    Attributes:
        codes: [N] position of each row's name in `dictionary`.
        dictionary: Arrow array of the distinct names; made into Python texts only when asked for.
    """

    codes: Codes
    dictionary: pa.Array

    @property
    def names(self) -> NDArray[Any]:
        """The distinct names, [K] of str."""
        names = np.empty(len(self.dictionary), dtype=object)
        names[:] = self.dictionary.to_pylist()
        return names

    def code(self, name: str) -> int:
        """Return the code of `name`, -1 where no row has it."""
        return int(self.dictionary.index(pa.scalar(name, self.dictionary.type)).as_py())

    def called(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Return [K], which of the distinct names are among `names`."""
        wanted = set(names)
        return np.fromiter((name in wanted for name in self.dictionary.to_pylist()), bool, len(self.dictionary))

    def within(self, groups: NDArray[np.integer[Any]]) -> Coded:
        """Return the column with equal names kept apart where their group [N] differs."""
        width = int(groups.max(initial=0)) + 1
        pairs, codes = np.unique(self.codes.astype(np.int64) * width + groups, return_inverse=True)
        return Coded(codes.reshape(-1).astype(np.int32), self.dictionary.take(pa.array(pairs // width)))


class Columns(Interface):
    """What a protocol needs of a table: its columns, without the images."""

    def column(self, name: str) -> NDArray[Any]:
        """Return one value per frame, [N]."""

    def coded(self, name: str) -> Coded:
        """Return a column of text; `presentation` tells those of different datasets apart."""


def encode(values: pa.ChunkedArray) -> Coded:
    """Encode an Arrow column of text."""
    # One piece first: dictionaries that are unified chunk by chunk grow quadratically. Large: 2 GiB of paths may come.
    whole = values.cast(pa.large_string()).combine_chunks()
    coded = whole.dictionary_encode()
    codes = coded.indices.to_numpy().astype(np.int32, copy=True)
    found = Coded(codes, coded.dictionary)
    del whole, coded  # and hand their memory back at once
    pa.default_memory_pool().release_unused()
    return found


def distinct(codes: Codes, rows: NDArray[np.int64], *, but: int = -1) -> int:
    """Return how many codes occur in `rows`, the code `but` not counted."""
    found = np.unique(codes[rows])
    return int(len(found) - (but in found))


def presentations_by_label(table: Columns, rows: NDArray[np.int64]) -> Mapping[str, int]:
    """Return the number of bona fide and of attack presentations in `rows`."""
    codes, labels = table.coded("presentation").codes[rows], table.column("label")[rows]
    return {name: len(np.unique(codes[labels == label])) for label, name in ((1, "bona_fide"), (0, "attack"))}
