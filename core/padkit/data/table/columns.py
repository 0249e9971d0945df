"""Columns of text as codes: names repeat in many rows, so rows are compared, counted and divided by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
        """Return the code of `name`, or -1 if no row has it."""
        return int(self.dictionary.index(pa.scalar(name, self.dictionary.type)).as_py())

    def called(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Return [K] bool: which of the distinct names are in `names`."""
        wanted = set(names)
        return np.fromiter((name in wanted for name in self.dictionary.to_pylist()), bool, len(self.dictionary))

    def where(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return [N] bool: which rows have a name that passes the test, which is asked once for each name."""
        return np.fromiter(map(test, self.dictionary.to_pylist()), bool, len(self.dictionary))[self.codes]

    def within(self, groups: NDArray[np.integer[Any]]) -> Coded:
        """Return the column with different codes for equal names in different groups [N]."""
        width = int(groups.max(initial=0)) + 1
        pairs, codes = np.unique(self.codes.astype(np.int64) * width + groups, return_inverse=True)
        return Coded(codes.reshape(-1).astype(np.int32), self.dictionary.take(pa.array(pairs // width)))


class Columns(Interface):
    """What a protocol needs from a table: its columns, without the images."""

    def column(self, name: str) -> NDArray[Any]:
        """Return one value per frame, [N]."""

    def coded(self, name: str) -> Coded:
        """Return a column of text; `presentation` has different codes in different datasets."""


def encode(values: pa.ChunkedArray) -> Coded:
    """Encode an Arrow column of text."""
    # Combine chunks first: unifying dictionaries chunk by chunk takes quadratic time. Large: paths may exceed 2 GiB.
    whole = values.cast(pa.large_string()).combine_chunks()
    coded = whole.dictionary_encode()
    codes = coded.indices.to_numpy().astype(np.int32, copy=True)
    found = Coded(codes, coded.dictionary)
    del whole, coded  # and free their memory at once
    pa.default_memory_pool().release_unused()
    return found


def distinct(codes: Codes, rows: NDArray[np.int64], *, but: int = -1) -> int:
    """Return how many codes occur in `rows`, not counting the code `but`."""
    found = np.unique(codes[rows])
    return int(len(found) - (but in found))


def presentations_by_label(table: Columns, rows: NDArray[np.int64]) -> Mapping[str, int]:
    """Return the number of bona fide and of attack presentations in `rows`."""
    codes, labels = table.coded("presentation").codes[rows], table.column("label")[rows]
    return {name: len(np.unique(codes[labels == label])) for label, name in ((1, "bona_fide"), (0, "attack"))}
