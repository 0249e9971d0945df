"""Shards, the files of a table: each is written by one process, atomically, and kept if the rest is interrupted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from padkit.data.media.pictures import encode_png
from padkit.data.preparation.cropping import Cropper, Tally
from padkit.data.presentation import Presentation
from padkit.errors import DataError
from padkit.files import printable, write_json
from padkit.processes import cores, counting_bar, worker_pool

ROWS_IN_MEMORY, BYTES_IN_MEMORY = 256, 2**26
TRIED = 3
WORTH_A_POOL = 5.0  # least seconds of work left: processes that import a training script start slowly

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished piece of a table.

    Attributes:
        file: Arrow stream file, relative to the table's folder.
        bytes: Its size.
        frames: Rows in it.
        skipped: `presentation`, `source` and `reason` of what could not be read.
        dropped: `presentation`, `source`, `frame` and `reason` of single frames that were left out.
        counts: What else happened to frames, how often.
        content: SHA-256 of its rows without where they came from; "" in receipts of earlier versions.
        made_with: What the reader's `made_with` told; nothing in receipts of earlier versions.
    """

    file: str
    bytes: int
    frames: int
    skipped: list[dict[str, str]]
    dropped: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    content: str = ""
    made_with: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard to write: its records, its place and the manner."""

    number: int
    records: tuple[Presentation, ...]
    folder: Path
    schema: pa.Schema
    strict: bool

    @property
    def file(self) -> str:
        """Name of the Arrow file within the folder."""
        return f"shard-{self.number:05d}.arrow"

    @property
    def receipt(self) -> Path:
        """File that is written last and shows that the shard is complete."""
        return self.folder / "receipts" / f"shard-{self.number:05d}.json"


def write_all(cropper: Cropper, tasks: Sequence[ShardTask], *, workers: int | None, progress: bool) -> list[Shard]:
    """Write the shards that do not exist yet.

    Args:
        cropper: Makes the crops; pickled once per worker process.
        tasks: All shards of the table.
        workers: Processes; 1 works in this process; None takes one per available core if a trial with the first
            presentations, in this process, shows that it is worth it.
        progress: Show a bar with the time left on stderr.

    Returns:
        The shards in the order of `tasks`.

    Raises:
        DataError: A file cannot be read under `strict`, the disk cannot be written, or a worker process died.
    """
    made_with = dict(cropper.reader.made_with())
    shards = {task.number: shard for task in tasks if (shard := _finished(task, made_with)) is not None}
    pending = [task for task in tasks if task.number not in shards]
    with counting_bar(
        "preparing", sum(len(task.records) for task in tasks), shown=progress and bool(pending)
    ) as advance:
        advance(sum(len(task.records) for task in tasks if task.number in shards))
        for task, shard in _written(cropper, pending, workers):
            shards[task.number] = shard
            advance(len(task.records))
    return [shards[task.number] for task in tasks]


def _written(cropper: Cropper, tasks: Sequence[ShardTask], workers: int | None) -> Iterator[tuple[ShardTask, Shard]]:
    if workers is None:
        workers = cores() if len(tasks) > 1 and cores() > 1 and _seconds_ahead(cropper, tasks) > WORTH_A_POOL else 1
    workers = min(workers or 1, len(tasks))
    yield from _serial(cropper, tasks) if workers <= 1 else _parallel(cropper, tasks, workers)


def _seconds_ahead(cropper: Cropper, tasks: Sequence[ShardTask]) -> float:
    """Estimate how long one process would work, from the first presentations; their crops are discarded.

    A trial with a whole shard would leave the other cores idle for longer.
    """
    paces = []
    for record in tasks[0].records[:TRIED]:
        started = time.monotonic()
        with contextlib.suppress(DataError):
            _images(cropper, record, Tally())
        paces.append(time.monotonic() - started)
    # The time of the first one includes one-time imports and computations.
    return statistics.median(paces) * sum(len(task.records) for task in tasks)


def _finished(task: ShardTask, made_with: Mapping[str, str]) -> Shard | None:
    try:
        shard = Shard(**json.loads(task.receipt.read_text(encoding="utf-8")))
        intact = (task.folder / shard.file).stat().st_size == shard.bytes
    except (OSError, ValueError, TypeError):
        return None
    if shard.made_with not in ({}, made_with):
        return None
    # A strict run meets the unreadable file again later and names it there.
    return shard if intact and not (task.strict and (shard.skipped or shard.dropped)) else None


def _serial(cropper: Cropper, tasks: Iterable[ShardTask]) -> Iterator[tuple[ShardTask, Shard]]:
    for task in tasks:
        yield task, write(cropper, task)


def _parallel(cropper: Cropper, tasks: Sequence[ShardTask], workers: int) -> Iterator[tuple[ShardTask, Shard]]:
    pool = worker_pool(workers, _receive, cropper)
    try:
        futures: dict[Future[Shard], ShardTask] = {pool.submit(_work, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "A preparation process died (out of memory, or the script lacks `if __name__ == '__main__':`); finished "
            "parts are kept: run again, if need be with fewer workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_cropper: Cropper | None = None


def _receive(cropper: Cropper) -> None:
    global _cropper  # noqa: PLW0603 -- the one place a pool's initializer can leave what its tasks share
    _cropper = cropper


def _work(task: ShardTask) -> Shard:
    if _cropper is None:
        raise RuntimeError("the worker was not started by _receive")
    return write(_cropper, task)


def write(cropper: Cropper, task: ShardTask) -> Shard:
    """Write one shard and its receipt, each to a temporary file first.

    Raises:
        DataError: A file cannot be read under `strict`, or the disk cannot be written.
    """
    shard = Shard(task.file, 0, 0, [], made_with=dict(cropper.reader.made_with()))
    counts: Counter[str] = Counter()
    content = hashlib.sha256()
    temporary = task.folder / f".{task.file}.{uuid.uuid4().hex}"
    frames = 0
    try:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, task.schema) as stream:
            for rows in chunks(_rows(cropper, task, shard, counts), _rows_in_memory(cropper.options.size)):
                columns = {name: [row[name] for row in rows] for name in task.schema.names}
                stream.write_batch(pa.RecordBatch.from_pydict(columns, schema=task.schema))
                for row in rows:
                    content.update(_told(row))
                frames += len(rows)
        size = temporary.stat().st_size
        shard = replace(shard, bytes=size, frames=frames, counts=dict(+counts), content=content.hexdigest())
        temporary.replace(task.folder / task.file)
        write_json(task.receipt, asdict(shard))
    except OSError as error:
        raise DataError(
            f"{task.folder} cannot be written ({error.strerror or error}); free space, or set PADKIT_CACHE."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return shard


def _told(row: Mapping[str, Any]) -> bytes:
    """Return a row as bytes, without the file that it came from: the same frames elsewhere are the same."""
    about = {name: value for name, value in row.items() if name not in {"image", "source"}}
    return json.dumps(about, sort_keys=True).encode() + hashlib.sha256(row["image"]["bytes"]).digest()


def _rows_in_memory(size: int) -> int:
    """Return how many rows are held and written at once, from the uncompressed size of the crops."""
    return min(ROWS_IN_MEMORY, max(1, BYTES_IN_MEMORY // (3 * size * size)))


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items; the last one may be shorter."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(cropper: Cropper, task: ShardTask, shard: Shard, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows; record in `shard` and `counts` what could not be read and what happened to frames."""
    for record in task.records:
        tally = Tally()
        about = {"presentation": record.id, "source": printable(record.path)}
        try:
            # All frames or none: half a presentation would be scored as if it were whole.
            images = _images(cropper, record, tally)
            if task.strict:
                _refuse_drops(record, tally)
        except DataError as error:
            if task.strict:
                raise
            shard.skipped.append({**about, "reason": printable(str(error))})
            images = []
        shard.dropped.extend({**about, "frame": number, "reason": reason} for number, reason in tally.dropped)
        counts.update(tally.counts)
        for number, image in images:
            yield _row(record, number, image)


def _refuse_drops(record: Presentation, tally: Tally) -> None:
    for number, reason in tally.dropped:
        raise DataError(f"{record.path or record.id}: frame {number}: {reason}.")


def _images(cropper: Cropper, record: Presentation, tally: Tally) -> list[tuple[int, bytes]]:
    try:
        crops = cropper.crops(record, tally)
    except OSError as error:
        name = record.path or record.id
        raise DataError(f"{name}: cannot be read ({error.strerror or error}).") from error
    return [(number, encode_png(crop, deflate=cropper.compress)) for number, crop in crops]


def _row(record: Presentation, number: int, image: bytes) -> dict[str, Any]:
    return {
        "image": {"bytes": image, "path": None},
        "label": record.label,
        "dataset": record.dataset,
        "domain": record.domain,
        "split": record.split,
        "subject": record.subject,
        "presentation": record.id,
        "attack_type": record.attack_type,
        "species": record.species,
        "device": record.device,
        "session": record.session,
        "attributes": list(record.attributes),
        "frame": number,
        "source": printable(record.path),
    }
