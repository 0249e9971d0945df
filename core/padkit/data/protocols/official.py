"""Official protocols: the divisions that a dataset's owners publish, under full names such as `oulu-npu:3.2`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from padkit.data.presentation import Division
from padkit.data.protocols.names import Official
from padkit.data.reader import DatasetReader
from padkit.data.table.frames import FrameTable
from padkit.errors import SettingsError, closest


class OfficialProtocols(Mapping[str, Division]):
    """The official protocols of a table's datasets by full name; a reader's lists are read on first use."""

    def __init__(self, prepared: Mapping[str, Division], dataset: str, read: Mapping[str, Division]) -> None:
        """Join the protocols stored beside prepared frames with those of the reader of `dataset`."""
        self._prepared = prepared
        self._read = read
        self._names = {str(Official(dataset, name)): name for name in read}

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._prepared), **self._names})

    def __len__(self) -> int:
        return len(self._prepared.keys() | self._names.keys())

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self._prepared

    def __getitem__(self, name: str) -> Division:
        return self._read[self._names[name]] if name in self._names else self._prepared[name]


def official_protocols(table: FrameTable, reader: DatasetReader) -> OfficialProtocols:
    """Return the official protocols of a table's datasets: those stored beside the prepared frames and the reader's.

    Raises:
        DataError: Their lists are missing or damaged; a reader may raise this only when a protocol is looked up.
    """
    return OfficialProtocols(table.divisions(), str(table.coded("dataset").names[0]), reader.protocols())


def folds(name: str, known: Mapping[str, Division]) -> list[str]:
    """Return the folds of an official protocol, `oulu-npu:3.1` to `oulu-npu:3.6`; none if it has no folds."""
    return [] if name in known else [one for one in known if one.startswith(f"{name}.")]


def division_of(name: str, known: Mapping[str, Division]) -> Division:
    """Return the division with a full name.

    Raises:
        SettingsError: The name is unknown (the error names the closest), or the protocol has folds and one of them must
            be named.
    """
    if name in known:
        return known[name]
    if found := folds(name, known):
        line = f"python recipes/ablation.py --cell 'DTDA:' --protocols {name} -- OPTIONS"
        raise SettingsError(
            f"Protocol {name} has {len(found)} folds: name one, {found[0]}, or run all and get mean and standard "
            f"deviation by {line}."
        )
    if not known:
        raise SettingsError(f"Protocol {name} is unknown: these data bring no official protocols.")
    raise SettingsError(f"Protocol {name} is unknown.{closest(name, known)}")
