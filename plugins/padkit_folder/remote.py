"""Parquet files at any address that fsspec opens (s3://, gs://, https://, hdfs://, memory://), streamed by `datasets`.

Nothing is copied to this machine but what is asked for: columns without images for the list of records, and each file's
rows in order while they are prepared. Credentials are those of the fsspec file system (environment, configuration).
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from padkit.errors import DataError, one_line
from padkit_folder.names import named_split

PARQUET = frozenset({".parquet", ".pq"})


def is_remote(path: str) -> bool:
    """Return whether `path` is an address of fsspec and no path of this machine."""
    return "://" in path


def remote_splits(address: str) -> dict[str, StreamedRows]:
    """Return the rows at an address by split, "train" where no file's name tells one.

    Args:
        address: Of a Parquet file, of a folder of them, or a pattern.

    Raises:
        DataError: The address cannot be read, or holds no Parquet file, or some files tell a split and others do not.
    """
    import fsspec

    try:
        files_of, root = fsspec.core.url_to_fs(address)
        found = files_of.find(root) if files_of.isdir(root) else files_of.glob(root)
        places = sorted(place for place in found if any(place.lower().endswith(suffix) for suffix in PARQUET))
        marks = [f"{place} {files_of.info(place).get('size')} {files_of.ukey(place)}" for place in places]
    except Exception as error:  # each file system raises what it likes
        raise DataError(
            f"{address} cannot be read ({one_line(error)}); check the address, its credentials, and that the package "
            "of its protocol is installed (s3fs, gcsfs, adlfs, ...)."
        ) from error
    if not places:
        raise DataError(f"{address} holds no Parquet file (.parquet, .pq); check the setting `path`.")
    splits = {place: _split_of(place, root) for place in places}
    if len({bool(split) for split in splits.values()}) > 1:
        unnamed = next(place for place, split in splits.items() if not split)
        raise DataError(f"{unnamed} names no split, but others do; rename it (train-..., dev-..., test-...).")
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for place, mark in zip(places, marks, strict=True):
        urls, told = groups.setdefault(splits[place] or "train", ([], []))
        urls.append(_address_of(place, root, address) or files_of.unstrip_protocol(place))
        told.append(mark)
    return {split: StreamedRows(*files) for split, files in groups.items()}


def _split_of(place: str, root: str) -> str:
    """Return the split that a file's place tells; what lies above the folder, or the pattern, asked for tells none."""
    fixed = re.split(r"[*?[]", root)[0]
    above = root if fixed == root and place != root else fixed.rpartition("/")[0]
    *folders, name = place.removeprefix(above).split("/")
    return named_split(folders, name)


def _address_of(place: str, root: str, address: str) -> str:
    """Return the address of a file below `address`, its host included, which file systems leave out; "" if unknown."""
    asked, known = address.rstrip("/"), root.rstrip("/")
    return asked.removesuffix(known) + place if known and asked.endswith(known) else ""


class StreamedRows:
    """Rows of Parquet files, read in order; it answers what the reader asks of a dataset in memory.

    Args:
        urls: Addresses of the files, in the order of their rows.
        marks: What tells each file's content from another's: name, size, version.
    """

    def __init__(self, urls: Sequence[str], marks: Sequence[str]) -> None:
        self._urls = list(urls)
        self._fingerprint = hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16]
        self._change: Callable[[Any], Any] = _same
        self._lengths: list[int] | None = None
        self._open: tuple[int, int, Iterator[Any]] | None = None  # file, row that comes next, its rows

    @property
    def features(self) -> Any:
        """The columns' types."""
        return self._stream(0).features

    @property
    def column_names(self) -> list[str]:
        """The columns' names."""
        return list(self.features)

    def cast_column(self, name: str, kind: Any) -> StreamedRows:
        """Return the rows with one column of another type."""
        rows = StreamedRows(self._urls, [])
        rows._fingerprint = self._fingerprint
        rows._change = lambda stream: stream.cast_column(name, kind)
        return rows

    def select_columns(self, names: Sequence[str]) -> Iterator[Any]:
        """Yield all rows with some of their columns; the others are not fetched."""
        for number in range(len(self._urls)):
            yield from self._stream(number, columns=list(names))

    def __len__(self) -> int:
        return sum(self._counted())

    def __getitem__(self, row: int) -> Any:
        file = 0
        while row >= (length := self._counted()[file]):
            row, file = row - length, file + 1
        at, following, rows = self._open or (-1, 0, iter(()))
        if at != file or following > row:
            following, rows = 0, iter(self._change(self._stream(file)))
        found = next(itertools.islice(rows, row - following, None))
        self._open = (file, row + 1, rows)
        return found

    def _counted(self) -> list[int]:
        """Return each file's number of rows, which its foot tells."""
        if self._lengths is None:
            import fsspec
            from pyarrow import parquet

            self._lengths = []
            for url in self._urls:
                with fsspec.open(url) as file:
                    self._lengths.append(int(parquet.ParquetFile(file).metadata.num_rows))
        return self._lengths

    def _stream(self, number: int, columns: list[str] | None = None) -> Any:
        import datasets

        asked = {} if columns is None else {"columns": columns}
        stream = datasets.load_dataset(
            "parquet", data_files=[self._urls[number]], split="train", streaming=True, **asked
        )
        return stream if stream.features is not None else stream._resolve_features()


def _same(stream: Any) -> Any:
    return stream
