"""Preparation: decodes every frame of a dataset once and stores the crops in a memory-mapped Arrow table for reuse."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from padkit.data.alike import KINDS, alike
from padkit.data.preparation.cropping import Cropper, class_name
from padkit.data.preparation.output import claim
from padkit.data.preparation.shards import Shard, ShardTask, write_all
from padkit.data.presentation import SPLITS, Presentation
from padkit.data.reader import DatasetReader
from padkit.data.table.duplicates import equal_images
from padkit.data.table.frames import (
    FINISHED,
    FrameTable,
    content_of,
    join,
    open_table,
    open_tables,
    without_progress_bars,
)
from padkit.data.unread import unread_line
from padkit.errors import DataError
from padkit.files import write_json

__all__ = ["FINISHED", "FrameTable", "cache_folder", "open_table", "open_tables", "prepare", "without_progress_bars"]

PREPARATION_VERSION = 1
VERSIONED = ("padkit", "datasets", "pyarrow", "pillow", "av", "scikit-image", "insightface", "onnxruntime", "numpy")
EQUAL = {"labels": "under both labels", "splits": "in several splits", "domains": "in several domains"}
STATE, INFO = "state.json", "dataset_info.json"


def cache_folder() -> Path:
    """Return the folder of prepared tables: `PADKIT_CACHE`, or `padkit` in the user's cache folder."""
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
    dataset: DatasetReader | Cropper,
    *,
    dataset_name: str,
    cache_dir: str | Path | None = None,
    folder: str | Path | None = None,
    request: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    strict: bool = False,
    workers: int | None = None,
    progress: bool = True,
    before: Callable[[Sequence[Presentation]], object] | None = None,
) -> FrameTable:
    """Decode or render every frame once, or open the table if that was done before.

    Shards are written one by one, each atomically, so an interrupted preparation continues where it stopped, and
    several processes may prepare the same table at once (they only repeat work). The table is keyed by the records, the
    reader and its fingerprint, the options given, the size and modification time of the media files, and the image
    size. If a reader names tables that were prepared before, these are opened and nothing is prepared.

    Args:
        dataset: A reader, whose own options decide how its media become crops, or a cropper with other options.
        dataset_name: Names the folder in the cache.
        cache_dir: None takes `cache_folder()`.
        folder: Folder of the table; by default, a folder of the cache that is named by the table's key.
        request: With `folder`: the choices to record in its `request.json`.
        facts: Further entries of `preparation.json`; entries of the same name are replaced.
        strict: An unreadable file is an error instead of being skipped and counted.
        workers: Processes; 1 works in this process, None takes one per available core if that is worth it.
        progress: Show a progress bar and the count of skipped files on stderr.
        before: Called with the records before frames are decoded or rendered; not if the table exists. An error that it
            raises comes in the first second, not after the preparation.

    Returns:
        The table.

    Raises:
        DataError: No records, no readable frame, contradictory records, an unreadable file under `strict`, or a cache
            folder that cannot be written, or a `folder` that holds something else.
    """
    if isinstance(dataset, DatasetReader) and (folders := dataset.tables()):
        return _opened(folders, strict=strict, progress=progress)
    cropper = dataset if isinstance(dataset, Cropper) else Cropper(dataset)
    records = cropper.records()
    if not records:
        raise DataError(f"Dataset {dataset_name!r} is empty: its reader found no presentations.")
    _check(records)
    notes = [*cropper.reader.notes(), *_alike(records)]
    _tell(notes, dataset_name, shown=progress)
    key = _key(cropper, records)
    cached = Path(cache_dir or cache_folder()) / "tables" / f"{_plain(dataset_name)}-{key[:16]}"
    place = Path(folder or cached).expanduser()
    if folder:
        claim(place, key, request or {})
    table = _reopen(place, key)
    if table is None:
        if before is not None:
            before(records)
        shards = _write(cropper, records, place, strict=strict, workers=workers, progress=progress)
        _finish(cropper, dataset_name, key, records, place, shards, {"notes": notes, **(facts or {})})
        table = open_table(place)
        _tell_equal(table, place)
    else:
        if "equal" not in table.preparation:  # killed between the finish marker and the count
            _tell_equal(table, place)
        _renew(table, {"unread": list(cropper.unread), "notes": notes}, place)
    _report(table, dataset_name, strict=strict, progress=progress)
    return table


def _opened(folders: Sequence[Path], *, strict: bool, progress: bool) -> FrameTable:
    """Return tables that were prepared before as one, and tell of each what was told then."""
    tables = [open_table(folder) for folder in folders]
    for one in tables:
        _tell(one.notes, one.preparation["dataset"], shown=progress)
        _report(one, one.preparation["dataset"], strict=strict, progress=progress)
    return join(tables)


def _write(
    cropper: Cropper,
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
    tasks = [ShardTask(number, part, folder, schema, strict) for number, part in enumerate(parts)]
    return write_all(cropper, tasks, workers=workers, progress=progress)


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
    """Refuse unknown splits and labels, and records that share an id but contradict each other."""
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


def _alike(records: Sequence[Presentation]) -> list[str]:
    """Return warnings about subjects, species and domains that are probably one."""
    return alike({kind: {getattr(record, kind) for record in records} for kind in KINDS})


def _key(cropper: Cropper, records: Sequence[Presentation]) -> str:
    digest = hashlib.sha256()
    made = f"{cropper.owner}|{cropper.fingerprint()}|{cropper.options.size}"
    digest.update(f"{PREPARATION_VERSION}|{made}\n".encode())
    for record in records:
        digest.update(f"{record!r}\n".encode())
    for path in dict.fromkeys(record.path for record in records if record.path):
        try:
            status = Path(path).stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
            if stat.S_ISDIR(status.st_mode):
                # Rewriting a file does not change its folder's time.
                for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
                    digest.update(f"{entry.name} {entry.stat().st_size} {entry.stat().st_mtime_ns}\n".encode())
        except OSError:
            digest.update(b"missing\n")
    return digest.hexdigest()


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) or "dataset"


def _reopen(folder: Path, key: str) -> FrameTable | None:
    """Return the finished table, or None if it is absent, has another key, or a shard is missing or truncated."""
    try:
        table = open_table(folder)
        return table if table.preparation["key"] == key else None
    except (KeyError, DataError):
        return None


def _finish(
    cropper: Cropper,
    dataset_name: str,
    key: str,
    records: Sequence[Presentation],
    folder: Path,
    shards: Sequence[Shard],
    facts: Mapping[str, Any],
) -> None:
    """Write the description of the shards for `datasets`, and as the last step the finish marker."""
    reader, frames = cropper.reader, sum(shard.frames for shard in shards)
    skipped = [entry for shard in shards for entry in shard.skipped]
    if not frames:
        raise DataError(
            f"Dataset {dataset_name!r} has no readable frame; the first of {len(skipped)}: {_reason(skipped)}"
        )
    features = _features()
    preparation: dict[str, Any] = {
        "version": PREPARATION_VERSION,
        "key": key,
        "content": content_of([shard.content for shard in shards]),
        "dataset": dataset_name,
        "reader": class_name(reader),
        "fingerprint": cropper.fingerprint(),
        "simulated": reader.simulated,
        "real_faces": reader.real_faces,
        "attribute_names": list(reader.attribute_names),
        "image_size": cropper.options.size,
        "presentations": len({record.id for record in records}),
        "records": len(records),
        "frames": frames,
        "skipped": skipped,
        "dropped": [entry for shard in shards for entry in shard.dropped],
        "unread": list(cropper.unread),
        "counts": dict(sum((Counter(shard.counts) for shard in shards), Counter[str]())),
        "shards": [{"file": shard.file, "bytes": shard.bytes, "frames": shard.frames} for shard in shards],
        "versions": {**_versions(), **cropper.reader.made_with()},
        **({"room": cropper.options.room} if cropper.options.room else {}),
        **(_framing(reader) if cropper.options.face == "none" else {}),
        **facts,
    }
    write_json(folder / STATE, _state(key, shards))
    write_json(folder / INFO, {"description": f"padkit: {dataset_name}", "features": features.to_dict()})
    write_json(folder / FINISHED, preparation)


def _state(key: str, shards: Sequence[Shard]) -> dict[str, Any]:
    """Return the description of the shards that `datasets.load_from_disk` reads."""
    return {
        "_data_files": [{"filename": shard.file} for shard in shards if shard.frames],
        "_fingerprint": key[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }


def _framing(reader: DatasetReader) -> dict[str, Any]:
    """Return how a reader's crops frame faces; empty if that is not known."""
    return {"framing": list(reader.framing), "framed_by": reader.framed_by} if reader.framing else {}


def _renew(table: FrameTable, told: Mapping[str, list[Any]], folder: Path) -> None:
    """Renew in a table what its key does not hold: files that are not read, and lines on how the data were read."""
    if any(table.preparation.get(name, []) != value for name, value in told.items()):
        table.preparation.update(told)
        # A table of others, which only they may write, is told right nevertheless.
        with contextlib.suppress(DataError):
            write_json(folder / FINISHED, table.preparation)


def _tell_equal(table: FrameTable, folder: Path) -> None:
    """Add to a new table's description how many images are in it more than once."""
    table.preparation["equal"] = equal_images(table).counts()
    # A table of others, which only they may write, is told right nevertheless.
    with contextlib.suppress(DataError):
        write_json(folder / FINISHED, table.preparation)


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages of `VERSIONED`; some come only with extras."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _reason(skipped: Sequence[Mapping[str, Any]]) -> str:
    if not skipped:
        return "the reader gave no frames."
    first = skipped[0]
    return str(
        first["reason"]
        if first["source"] and first["source"] in first["reason"]
        else (f"{first['source'] or first['presentation']}: {first['reason']}")
    )


def _tell(notes: Sequence[str], dataset_name: str, *, shown: bool) -> None:
    """Print how the data were read."""
    for line in notes if shown else ():
        print(f"{dataset_name}: {line}", file=sys.stderr)


def _report(table: FrameTable, dataset_name: str, *, strict: bool, progress: bool) -> None:
    skipped, dropped = table.skipped, table.preparation.get("dropped", [])
    unread = table.preparation.get("unread", [])
    lines = []
    if faults := [entry for entry in unread if entry["fault"]]:
        lines.append(f"skipped unread: {dataset_name}: {unread_line(faults)}.")
    if skipped:
        lines.append(
            f"skipped: {dataset_name}: {len(skipped)} of {table.preparation['records']} files or presentations could "
            f"not be read; the first: {_reason(skipped)}"
        )
    if dropped:
        lines.append(f"left out: {dataset_name}: {len(dropped)} frames; the first: {_reason(dropped)}.")
    if lines and strict:
        raise DataError(f"{lines[0].partition(': ')[2]} Mend or remove them, or drop `strict`.")
    if harmless := [entry for entry in unread if not entry["fault"]]:
        lines.append(f"skipped unread: {dataset_name}: {unread_line(harmless)}.")
    for line in lines if progress else ():
        print(f"{line} All are listed in {table.folder / FINISHED}.", file=sys.stderr)
    equal = table.preparation.get("equal", {})
    if progress and (equal.get("images") or equal.get("within")):
        print(f"equal images: {dataset_name}: {_equal_line(equal)} `padkit data` names them.", file=sys.stderr)


def _equal_line(equal: Mapping[str, int]) -> str:
    places = [f"{equal[key]} {text}" for key, text in EQUAL.items() if equal[key]]
    several = (
        f"{equal['images']} are in several presentations{' (' * bool(places)}{', '.join(places)}{')' * bool(places)}"
    )
    told = [several] * bool(equal["images"]) + [f"{equal['within']} repeat a frame of theirs"] * bool(equal["within"])
    return f"{'; '.join(told)}."
