"""Writes files completely or not at all, and locks them against other processes."""

from __future__ import annotations

import json
import os
import stat
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


def regular_size(path: Path) -> int:
    """Return the size in bytes of a file that can be read to its end.

    Raises:
        OSError: There is none.
        DataError: It is a folder, a pipe or a device; reading these might never end.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: no regular file; give a file.")
    return status.st_size


def printable(text: str) -> str:
    r"""Return a file name that is not UTF-8 as text that can be stored and printed: its odd bytes as `\xe9`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines up to a truncated or damaged line; none if the file is missing.

    Raises:
        DataError: It cannot be read.
    """
    if not path.exists():
        return []
    records: list[dict[str, Any]] = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); copy it again.") from error
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict):
            break
        records.append(record)
    return records


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, whole or not at all.

    Raises:
        DataError: The folder cannot be made or written to.
    """
    write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def try_lock(file: IO[Any] | int, *, wait: bool = False) -> bool:
    """Lock a file for this process and those that inherit it; return whether nobody else had locked it.

    The lock of a process that ends, however it ends, is released. On a system without such locks (Windows), nothing is
    locked and the answer is always yes.

    Args:
        file: An open file, or its descriptor.
        wait: Wait until another process is done with it.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
