"""Preparation: every frame of a dataset decoded once into a memory-mapped Arrow table that outlives the run."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image as PillowImage

from padkit.data.output import claim
from padkit.data.presentation import SPLITS, Presentation
from padkit.data.reader import DatasetReader
from padkit.data.shards import Job, Shard, write_all
from padkit.errors import DataError
from padkit.files import write_json

PREPARATION_VERSION = 1
VERSIONED = ("padkit", "datasets", "pyarrow", "pillow", "av", "scikit-image", "insightface", "onnxruntime", "numpy")
STATE, INFO, FINISHED = "state.json", "dataset_info.json", "preparation.json"


@dataclass(frozen=True)
class FrameTable:
    """Prepared frames: an ordinary `datasets.Dataset` with its columns at hand.

    Pickles by its folder, so that loader processes share the memory map.

    Attributes:
        dataset: `datasets.Dataset` with columns image, label, dataset, domain, split, subject, presentation,
            attack_type, species, device, session, attributes, frame, source.
        folder: Where it lies; `datasets.load_from_disk(folder)` opens it.
        preparation: What was prepared, from what and by which versions; counts and skipped files.
    """

    dataset: Any
    folder: Path
    preparation: dict[str, Any]
    _columns: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False, compare=False)
    _images: list[pa.Array] = field(default_factory=list, repr=False, compare=False)
    _starts: list[int] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_table, (self.folder,)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column but the image, [N]: `label` int64, `frame` int32, `attributes` tuples, the others strings.

        Raises:
            KeyError: There is no such column.
        """
        if name not in self._columns:
            if name == "image":
                raise KeyError("images are read one by one with `image(row)`")
            values = self.dataset.data.column(name)
            self._columns[name] = _numpy(values)
        return self._columns[name]

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return the frame in `row`: uint8 RGB [3, H, W]."""
        if not self._images:
            chunks = self.dataset.data.column("image").chunks
            self._images.extend(chunk.field("bytes") for chunk in chunks)
            self._starts.extend(np.cumsum([0, *(len(chunk) for chunk in chunks)])[:-1].tolist())
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        chunk = int(np.searchsorted(self._starts, row, side="right")) - 1
        content = self._images[chunk][row - self._starts[chunk]].as_buffer()
        with PillowImage.open(io.BytesIO(content)) as image:
            return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Presentations (`presentation`, `source`, `reason`) that could not be read."""
        return list(self.preparation["skipped"])


def _numpy(values: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_integer(values.type):
        array: NDArray[Any] = values.to_numpy()
        return array
    if pa.types.is_list(values.type):
        rows = [tuple(row) for row in values.to_pylist()]
        array = np.empty(len(rows), dtype=object)
        array[:] = rows
        return array
    # A few names repeat over many rows: decode each once.
    coded = values.dictionary_encode().unify_dictionaries()
    names = np.array(coded.chunk(0).dictionary.to_pylist() if coded.num_chunks else [], dtype=object)
    codes = [chunk.indices.to_numpy() for chunk in coded.chunks]
    return names[np.concatenate(codes)] if codes else names


def cache_folder() -> Path:
    """Return where prepared tables live: `PADKIT_CACHE`, or `padkit` in the user's cache folder."""
    if chosen := os.environ.get("PADKIT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "padkit"


def prepare(
    reader: DatasetReader,
    *,
    dataset_name: str,
    cache_dir: str | Path | None = None,
    folder: str | Path | None = None,
    request: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    strict: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> FrameTable:
    """Decode or render every frame once, or open the table if that was done before.

    Shards are written one by one, each atomically, so an interrupted preparation goes on where it stopped, and several
    processes may prepare the same table at once (they only repeat work). The table is keyed by the records, the reader
    and its fingerprint, the size and modification time of the media files, and the image size.

    Args:
        reader: The dataset.
        dataset_name: Names the folder in the cache.
        cache_dir: None takes `cache_folder()`.
        folder: Where the table goes itself, in place of a folder of the cache that its key names.
        request: With `folder`: the choices that its `request.json` shall tell.
        facts: What else `preparation.json` shall tell; what has the same name there is replaced.
        strict: An unreadable file is an error instead of being skipped and counted.
        workers: Processes; 1 works in this process, None takes one per available core where that is worth it.
        progress: Show a progress bar and the count of skipped files on stderr.

    Returns:
        The table.

    Raises:
        DataError: No records, no readable frame, contradictory records, an unreadable file under `strict`, or a cache
            folder that cannot be written, or a `folder` that holds something else.
    """
    records = list(reader.records())
    if not records:
        raise DataError(f"Dataset {dataset_name!r} is empty: its reader found no presentations.")
    _check(records)
    key = _key(reader, records)
    cached = Path(cache_dir or cache_folder()) / "tables" / f"{_plain(dataset_name)}-{key[:16]}"
    place = Path(folder or cached).expanduser()
    if folder:
        claim(place, key, request or {})
    table = _reopen(place, key)
    if table is None:
        shards = _write(reader, records, place, strict=strict, workers=workers, progress=progress)
        _finish(reader, dataset_name, key, records, place, shards, facts or {})
        table = open_table(place)
    _report(table, dataset_name, strict=strict, progress=progress)
    return table


def open_table(folder: str | Path) -> FrameTable:
    """Open a prepared table.

    Raises:
        DataError: The folder holds no finished table.
    """
    import datasets

    folder = Path(folder)
    try:
        preparation = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
        with without_progress_bars(datasets):
            dataset = datasets.load_from_disk(str(folder), keep_in_memory=False)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{folder} holds no finished table ({error}); delete it and prepare again.") from error
    return FrameTable(dataset, folder, preparation)


def _write(
    reader: DatasetReader,
    records: Sequence[Presentation],
    folder: Path,
    *,
    strict: bool,
    workers: int | None,
    progress: bool,
) -> list[Shard]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"Cache folder {folder} cannot be written ({error.strerror}); set PADKIT_CACHE to one that can."
        ) from error
    # Small enough that little is lost by an interruption, few enough to map all of them.
    length = max(32, -(-len(records) // 256))
    parts = [tuple(records[start : start + length]) for start in range(0, len(records), length)]
    schema: pa.Schema = _features().arrow_schema
    jobs = [Job(number, part, folder, schema, reader.image_size, strict) for number, part in enumerate(parts)]
    return write_all(reader, jobs, workers=workers, progress=progress)


def _features() -> Any:
    import datasets

    text = datasets.Value("string")
    names = ["dataset", "domain", "split", "subject", "presentation", "attack_type", "species", "device", "session"]
    return datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["attack", "bona_fide"]),
            **dict.fromkeys(names, text),
            "attributes": datasets.List(text) if hasattr(datasets, "List") else datasets.Sequence(text),
            "frame": datasets.Value("int32"),
            "source": text,
        }
    )


def _check(records: Sequence[Presentation]) -> None:
    """Refuse unknown splits and labels, and records that share an id but not the facts."""
    facts: dict[str, tuple[object, ...]] = {}
    for record in records:
        if record.split not in {"", *SPLITS}:
            raise DataError(f"Presentation {record.id!r} has split {record.split!r}; it must be one of {SPLITS} or ''.")
        if record.label not in {0, 1}:
            raise DataError(f"Presentation {record.id!r} has label {record.label!r}; it must be 1 (bona fide) or 0.")
        found = (record.label, record.domain, record.split, record.subject, record.species)
        if facts.setdefault(record.id, found) != found:
            raise DataError(
                f"Presentation {record.id!r} is listed twice with another label, domain, split, subject or species; "
                "give different presentations different names."
            )


def _key(reader: DatasetReader, records: Sequence[Presentation]) -> str:
    digest = hashlib.sha256()
    owner = f"{type(reader).__module__}:{type(reader).__qualname__}"
    digest.update(f"{PREPARATION_VERSION}|{owner}|{reader.fingerprint()}|{reader.image_size}\n".encode())
    for record in records:
        digest.update(f"{record!r}\n".encode())
    for path in dict.fromkeys(record.path for record in records if record.path):
        try:
            status = Path(path).stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
            if stat.S_ISDIR(status.st_mode):
                # A file that is written anew leaves its folder's time as it was.
                for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
                    digest.update(f"{entry.name} {entry.stat().st_size} {entry.stat().st_mtime_ns}\n".encode())
        except OSError:
            digest.update(b"missing\n")
    return digest.hexdigest()


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) or "dataset"


def _reopen(folder: Path, key: str) -> FrameTable | None:
    """Return the finished table, or None if it is absent, another's, or a shard was lost or cut short."""
    try:
        preparation = json.loads((folder / FINISHED).read_text(encoding="utf-8"))
        whole = all((folder / shard["file"]).stat().st_size == shard["bytes"] for shard in preparation["shards"])
        return open_table(folder) if whole and preparation["key"] == key else None
    except (OSError, ValueError, KeyError, DataError):
        return None


def _finish(
    reader: DatasetReader,
    dataset_name: str,
    key: str,
    records: Sequence[Presentation],
    folder: Path,
    shards: Sequence[Shard],
    facts: Mapping[str, Any],
) -> None:
    """Describe the shards to `datasets`, and last of all write the finish marker."""
    frames = sum(shard.frames for shard in shards)
    skipped = [entry for shard in shards for entry in shard.skipped]
    if not frames:
        raise DataError(
            f"Dataset {dataset_name!r} has no readable frame; the first of {len(skipped)}: {_reason(skipped)}"
        )
    state: dict[str, Any] = {
        "_data_files": [{"filename": shard.file} for shard in shards if shard.frames],
        "_fingerprint": key[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    features = _features()
    preparation = {
        "version": PREPARATION_VERSION,
        "key": key,
        "dataset": dataset_name,
        "reader": f"{type(reader).__module__}:{type(reader).__qualname__}",
        "fingerprint": reader.fingerprint(),
        "simulated": reader.simulated,
        "attribute_names": list(reader.attribute_names),
        "image_size": reader.image_size,
        "presentations": len({record.id for record in records}),
        "records": len(records),
        "frames": frames,
        "skipped": skipped,
        "dropped": [entry for shard in shards for entry in shard.dropped],
        "counts": dict(sum((Counter(shard.counts) for shard in shards), Counter[str]())),
        "shards": [{"file": shard.file, "bytes": shard.bytes, "frames": shard.frames} for shard in shards],
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in VERSIONED},
        },
        **facts,
    }
    write_json(folder / STATE, state)
    write_json(folder / INFO, {"description": f"padkit: {dataset_name}", "features": features.to_dict()})
    write_json(folder / FINISHED, preparation)


def _reason(skipped: Sequence[Mapping[str, Any]]) -> str:
    if not skipped:
        return "the reader gave no frames."
    first = skipped[0]
    return str(
        first["reason"]
        if first["source"] and first["source"] in first["reason"]
        else (f"{first['source'] or first['presentation']}: {first['reason']}")
    )


def _report(table: FrameTable, dataset_name: str, *, strict: bool, progress: bool) -> None:
    skipped, dropped = table.skipped, table.preparation.get("dropped", [])
    lines = []
    if skipped:
        lines.append(
            f"skipped: {dataset_name}: {len(skipped)} of {table.preparation['records']} files or presentations could "
            f"not be read; the first: {_reason(skipped)}"
        )
    if dropped:
        lines.append(f"left out: {dataset_name}: {len(dropped)} frames; the first: {_reason(dropped)}.")
    if lines and strict:
        raise DataError(f"{lines[0].partition(': ')[2]} Mend or remove them, or drop `strict`.")
    for line in lines if progress else ():
        print(f"{line} All are listed in {table.folder / FINISHED}.", file=sys.stderr)


@contextlib.contextmanager
def without_progress_bars(datasets: Any) -> Iterator[None]:
    """Silence the progress bars of the module `datasets` for a while."""
    was_disabled = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not was_disabled:
            datasets.enable_progress_bars()
