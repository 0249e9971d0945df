"""The output folder of a preparation: for one process at a time, one set of choices and no other files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from padkit.errors import DataError
from padkit.files import try_lock, write_json

REQUEST, LOCK = "request.json", ".lock"


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder, made if necessary, against other processes; the lock of a killed process is released.

    Raises:
        DataError: Another process has locked it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror or error}); choose another --out.") from error
    with lock:
        if not try_lock(lock):
            raise DataError(f"{folder} is being prepared by another process; wait for it.")
        yield


def claim(folder: Path, key: str, request: Mapping[str, Any]) -> None:
    """Record in the folder what is prepared into it, or check that it equals what was begun there.

    Args:
        folder: The folder.
        key: The table's key: equal keys mean equal tables.
        request: The choices behind the key, so that the error can name what differs.

    Raises:
        DataError: The folder was begun with other choices or other data, or holds something else.
    """
    try:
        before = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        strange = []
    except FileNotFoundError:
        before = None
        strange = [path.name for path in folder.glob("*") if not path.name.startswith(".")]
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / REQUEST} is damaged; delete {folder} or choose another --out.") from error
    if strange:
        raise DataError(f"{folder} is not empty ({min(strange)}); choose a new folder for --out.")
    if before is None:
        write_json(folder / REQUEST, {"key": key, **request})
    elif before.get("key") != key:
        was, now = _flat(before), _flat(json.loads(json.dumps({**request})))
        changed = [
            f"{name} {was.get(name)!r}, not {value!r}" for name, value in now.items() if was.get(name, value) != value
        ]
        what = ", ".join(changed) or "other files, or by another version of padkit"
        raise DataError(f"{folder} was begun with {what}; choose another --out, or delete it.")


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value) if isinstance(value, dict) else {name: value}
    return flat


def sweep(folder: Path) -> None:
    """Remove incomplete files of killed runs; call it only while no other process works in the folder."""
    for leftover in (*folder.glob(".*"), *folder.glob("*/.*")):
        if leftover.is_file() and leftover.name != LOCK:
            leftover.unlink(missing_ok=True)
