"""Writes files completely or not at all, and locks them against other processes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from padkit.errors import DataError


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary file beside it, so that no reader ever sees half a file.

    Raises:
        DataError: The folder cannot be made or written to.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp's 0600 would hide the result from colleagues
        Path(temporary).replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); choose another folder.") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines up to a truncated line; none if the file is missing."""
    if not path.exists():
        return []
    records: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, whole or not at all.

    Raises:
        DataError: The folder cannot be made or written to.
    """
    write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def try_lock(file: IO[Any] | int) -> bool:
    """Lock a file for this process and those that inherit it; return whether nobody else had locked it.

    The lock of a process that ends, however it ends, is released. On a system without such locks (Windows), nothing is
    locked and the answer is always yes.

    Args:
        file: An open file, or its descriptor.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
