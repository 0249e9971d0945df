"""Opens prepared tables: memory-mapped frames and their columns, of one table or of several as one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image as PillowImage

from padkit.data.presentation import SPLITS, Division
from padkit.data.table.columns import Coded, encode
from padkit.errors import DataError, one_line

FINISHED, PROTOCOLS = "preparation.json", "protocols.json"


@dataclass(frozen=True)
class FrameTable:
    """Prepared frames: a `datasets.Dataset` with quick access to its columns.

    It is pickled as its folders, so that loader processes share the memory map.

    Attributes:
        dataset: `datasets.Dataset` with columns image, label, dataset, domain, split, subject, presentation,
            attack_type, species, device, session, attributes, frame, source. `image` is the crop with its room.
        folders: Its folders, one per table; `datasets.load_from_disk(folder)` opens each.
        preparation: What was prepared, from what and by which versions; counts and skipped files. For several tables:
            the sums, and under `tables` the facts of each.
        starts: First row of each folder's frames.
    """

    dataset: Any
    folders: tuple[Path, ...]
    preparation: dict[str, Any]
    starts: tuple[int, ...] = (0,)
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _images: list[pa.Array] = field(default_factory=list, repr=False, compare=False)
    _chunks: list[int] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_tables, (self.folders,)

    @property
    def folder(self) -> Path:
        """The first folder; the only one unless several tables were opened as one."""
        return self.folders[0]

    def column(self, name: str) -> NDArray[Any]:
        """Return a column other than `image`, [N]: `label` int64, `frame` int32, `attributes` tuples, others strings.

        Raises:
            KeyError: There is no such column.
        """
        if name == "image":
            raise KeyError("images are read one by one with `image(row)`")
        kind = self.dataset.data.schema.field(name).type
        if pa.types.is_string(kind):
            coded = self.coded(name)
            return coded.names[coded.codes]
        if name not in self._cache:
            values = self.dataset.data.column(name)
            self._cache[name] = values.to_numpy() if pa.types.is_integer(kind) else _tuples(values)
        found: NDArray[Any] = self._cache[name]
        return found

    def coded(self, name: str) -> Coded:
        """Return a column of text as codes; `presentation` has different codes in different tables.

        Raises:
            KeyError: There is no such column.
        """
        if name not in self._cache:
            coded = encode(self.dataset.data.column(name))
            if name == "presentation" and len(self.starts) > 1:
                coded = coded.within(self.table_of(np.arange(len(self))))
            self._cache[name] = coded
        found: Coded = self._cache[name]
        return found

    def table_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position in `folders` of each row's table."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def encoded(self, row: int) -> pa.Buffer:
        """Return the stored image file of `row`, without a copy."""
        if not self._images:
            pieces = self.dataset.data.column("image").chunks
            self._images.extend(piece.field("bytes") for piece in pieces)
            self._chunks.extend(np.cumsum([0, *(len(piece) for piece in pieces)])[:-1].tolist())
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        chunk = int(np.searchsorted(self._chunks, row, side="right")) - 1
        return self._images[chunk][row - self._chunks[chunk]].as_buffer()

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return the crop in `row`: uint8 RGB [3, S, S], without the room that may be stored around it."""
        whole = self.surroundings(row)
        beyond = (whole.shape[0] - self.preparation["image_size"]) // 2 if self.roomy else 0
        inside = slice(beyond, whole.shape[0] - beyond)
        return np.ascontiguousarray(whole[inside, inside].transpose(2, 0, 1))

    def surroundings(self, row: int) -> NDArray[np.uint8]:
        """Return the crop in `row` in the middle of all that is stored around it: uint8 RGB [W, W, 3], W >= S."""
        with PillowImage.open(io.BytesIO(self.encoded(row))) as image:
            return np.asarray(image, dtype=np.uint8)

    @property
    def room(self) -> float:
        """Share of the crop's side stored beyond it on each side of every crop."""
        return float(self.preparation.get("room", 0.0))

    @property
    def roomy(self) -> bool:
        """Whether any crop is stored with more around it."""
        return any(part.get("room") for part in self.preparation.get("tables", [self.preparation]))

    def divisions(self) -> dict[str, Division]:
        """Return the official protocols stored beside the frames, by names such as `oulu-npu:1`.

        Raises:
            DataError: A `protocols.json` is damaged.
        """
        found: dict[str, Division] = {}
        datasets, stops = self.coded("dataset"), [*self.starts[1:], len(self)]
        for position, folder in enumerate(self.folders):
            if not (folder / PROTOCOLS).exists():
                continue
            here = np.unique(datasets.codes[self.starts[position] : stops[position]])
            name = str(datasets.names[here[0]]) if len(here) == 1 else read_preparation(folder)["dataset"]
            found |= {f"{name}:{key}": division for key, division in _read_divisions(folder).items()}
        return found

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Presentations (`presentation`, `source`, `reason`) that could not be read."""
        return list(self.preparation["skipped"])

    @property
    def notes(self) -> list[str]:
        """Lines on how the data were read; tables of earlier versions have none."""
        return list(self.preparation.get("notes", ()))


def _tuples(values: pa.ChunkedArray) -> NDArray[Any]:
    rows = [tuple(row) for row in values.to_pylist()]
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


def frame_digest(table: FrameTable, row: int) -> bytes:
    """Return a checksum of a frame as it is stored, 16 bytes: the same in all tables that were made alike."""
    return hashlib.blake2b(table.encoded(row), digest_size=16).digest()


def open_table(folder: str | Path) -> FrameTable:
    """Open a prepared table.

    Raises:
        DataError: The folder holds no finished table, or a part of the table is missing or truncated.
    """
    import datasets

    folder = Path(folder).expanduser()
    preparation = read_preparation(folder)
    try:
        sizes = {folder / shard["file"]: shard["bytes"] for shard in preparation["shards"]}
        changed = next((file for file, size in sizes.items() if file.stat().st_size != size), None)
        with without_progress_bars(datasets):
            dataset = None if changed else datasets.load_from_disk(str(folder), keep_in_memory=False)
    except Exception as error:  # of damaged descriptions, `datasets` may raise anything
        raise DataError(
            f"{folder} holds no finished table ({one_line(error)}); delete it and prepare again."
        ) from error
    if dataset is None:
        raise DataError(f"{changed} is cut short or another file; copy or prepare it again.")
    if len(dataset) != preparation["frames"]:
        raise DataError(f"{folder} has {len(dataset)} frames, not {preparation['frames']}; prepare it again.")
    return FrameTable(dataset, (folder,), preparation)


def open_tables(folders: Sequence[str | Path]) -> FrameTable:
    """Open one prepared table, or several as one; nothing is copied.

    Raises:
        DataError: A folder holds no finished table, or the tables cannot be joined: they differ in image size, or two
            hold the same presentation.
    """
    return join([open_table(folder) for folder in folders])


def join(tables: Sequence[FrameTable]) -> FrameTable:
    """Return tables as one, in their order; see `open_tables`."""
    import datasets

    if not tables:
        raise DataError("No prepared table is named; give the folder of one or more.")
    if len(tables) == 1:
        return tables[0]
    folders = [table.folder for table in tables]
    resolved = [folder.resolve() for folder in folders]
    twice = next((folder for folder in folders if resolved.count(folder.resolve()) > 1), None)
    if twice is not None:
        raise DataError(f"Table {twice} is named twice; name it once.")
    _check_sizes(folders, [table.preparation for table in tables])
    try:
        dataset = datasets.concatenate_datasets([table.dataset for table in tables])
    except ValueError as error:
        cause = " ".join(str(error).split())
        raise DataError(f"Tables {_listed(folders)} differ in their columns ({cause}); prepare them again.") from error
    starts = tuple(int(start) for start in np.cumsum([0, *map(len, tables)])[:-1])
    joined = FrameTable(dataset, tuple(folders), summed([table.preparation for table in tables]), starts)
    _refuse_twins(joined)
    return joined


def content_of(parts: Sequence[str]) -> str:
    """Return a text that stands for all frames and their labels, wherever they lie; "" if a part does not tell."""
    return hashlib.sha256("+".join(parts).encode()).hexdigest() if all(parts) else ""


# What `preparation.json` must hold. The entries of `_LATER` are absent from tables of earlier versions.
_ENTRIES: Mapping[str, type] = {
    "version": int, "key": str, "dataset": str, "fingerprint": str, "simulated": bool, "attribute_names": list,
    "image_size": int, "presentations": int, "records": int, "frames": int, "skipped": list, "shards": list,
    "dropped": list, "counts": dict, "choices": dict,
}  # fmt: skip
_DROPPED = frozenset({"presentation", "source", "reason"})
_KEYS: Mapping[str, frozenset[str]] = {"skipped": _DROPPED, "dropped": _DROPPED, "shards": frozenset({"file", "bytes"})}
_LATER = ("dropped", "counts", "choices")


def read_preparation(folder: Path) -> dict[str, Any]:
    """Return the content of a table's `preparation.json`; no other file is opened.

    Raises:
        DataError: The folder holds no finished table.
    """
    try:
        found = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} holds no finished table ({error}); delete it and prepare again.") from error
    if not isinstance(found, dict):
        raise DataError(f"{folder / FINISHED} is damaged; prepare the table again.")
    for name, kind in _ENTRIES.items():
        value: Any = found[name] if name in found else kind() if name in _LATER else None
        # In Python, true is a number.
        whole = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        entries: Sequence[Any] = value if whole and name in _KEYS else ()
        if not whole or not all(isinstance(entry, dict) and entry.keys() >= _KEYS[name] for entry in entries):
            raise DataError(f"{folder / FINISHED} is damaged (entry {name!r}); prepare the table again.")
    return found


def summed(preparations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the preparation of several tables as one: counts are summed; if one table is simulated, all are."""
    if len(preparations) == 1:
        return dict(preparations[0])
    names = [tuple(entry["attribute_names"]) for entry in preparations]
    keys = "+".join(str(entry["key"]) for entry in preparations)
    return {
        "version": max(entry["version"] for entry in preparations),
        "key": hashlib.sha256(keys.encode()).hexdigest(),
        "content": content_of([str(entry.get("content", "")) for entry in preparations]),
        "dataset": "+".join(str(entry["dataset"]) for entry in preparations),
        "fingerprint": " ".join(filter(None, (str(entry["fingerprint"]) for entry in preparations))),
        "simulated": any(entry["simulated"] for entry in preparations),
        "real_faces": any(entry.get("real_faces", False) for entry in preparations)
        and all(entry.get("real_faces", False) for entry in preparations if entry["simulated"]),
        "attribute_names": list(names[0]) if len(set(names)) == 1 else [],
        "image_size": preparations[0]["image_size"],
        "room": min(entry.get("room", 0.0) for entry in preparations),
        **{name: sum(entry[name] for entry in preparations) for name in ("presentations", "records", "frames")},
        "skipped": [entry for preparation in preparations for entry in preparation["skipped"]],
        "dropped": [entry for preparation in preparations for entry in preparation.get("dropped", ())],
        "unread": [entry for preparation in preparations for entry in preparation.get("unread", ())],
        "notes": [f"{entry['dataset']}: {line}" for entry in preparations for line in entry.get("notes", ())],
        "tables": [dict(entry) for entry in preparations],
    }


def _check_sizes(folders: Sequence[Path], preparations: Sequence[Mapping[str, Any]]) -> None:
    sizes = [entry["image_size"] for entry in preparations]
    if len(set(sizes)) > 1:
        shown = ", ".join(f"{folder} {size}" for folder, size in zip(folders, sizes, strict=True))
        raise DataError(f"Prepared tables differ in image size in pixels: {shown}; prepare all with the same size.")


def _refuse_twins(joined: FrameTable) -> None:
    """Refuse a presentation in two tables: its scores would be averaged, or it would be in both train and test."""
    tables = joined.table_of(np.arange(len(joined)))
    datasets = joined.coded("dataset")
    held_by = np.unique(datasets.codes.astype(np.int64) * len(joined.folders) + tables) // len(joined.folders)
    for code in held_by[:-1][np.diff(held_by) == 0]:
        rows = np.flatnonzero(datasets.codes == code)
        names = joined.dataset.data.column("presentation").take(pa.array(rows))
        found = encode(names)
        pairs = np.unique(found.codes.astype(np.int64) * len(joined.folders) + tables[rows])
        owners = pairs // len(joined.folders)
        twins = np.flatnonzero(np.diff(owners) == 0)
        if len(twins):
            first, second = (joined.folders[pair % len(joined.folders)] for pair in pairs[twins[0] : twins[0] + 2])
            raise DataError(
                f"{first} and {second} both hold presentation {str(found.names[owners[twins[0]]])!r} of dataset "
                f"{str(datasets.names[code])!r} ({len(twins)} in all); leave one table out."
            )


def _read_divisions(folder: Path) -> dict[str, Division]:
    path = folder / PROTOCOLS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): Division(**{part: tuple(map(str, parts.get(part, ()))) for part in SPLITS})
            for name, parts in content.items()
        }
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}); prepare the table again.") from error


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))


@contextlib.contextmanager
def without_progress_bars(datasets: Any) -> Iterator[None]:
    """Context manager: switch off the progress bars of the module `datasets`."""
    was_disabled = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not was_disabled:
            datasets.enable_progress_bars()
