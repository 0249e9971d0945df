"""Finds videos below a root and matches their names with a dataset's layout; reports a misfit in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from padkit.data.media.formats import VIDEO_SUFFIXES
from padkit.data.media.walk import folders_below as walk
from padkit.data.native import NativeReader
from padkit.data.presentation import Presentation
from padkit.data.unread import Unread
from padkit.errors import DataError

Missing = Callable[[Path], list[str]]
NOTHING = re.compile("(?!)")


def folders_below(root: Path, ignored: re.Pattern[str] = NOTHING) -> Iterator[tuple[Path, list[str]]]:
    """Yield `root` and every folder below it with the names of its files, in a stable order.

    Args:
        root: An existing folder.
        ignored: Folders whose name contains this are left out, as are hidden ones and those of the system, with all
            archives.

    Raises:
        DataError: A folder cannot be read.
    """
    for folder, files in walk(root, Unread(), refuse=_refuse):
        if not any(ignored.search(name) for name in folder.relative_to(root).parts):
            yield folder, files


def videos_below(root: Path, ignored: re.Pattern[str] = NOTHING) -> Iterator[str]:
    """Yield the paths below `root`, with forward slashes, of the videos in `folders_below`, without hidden ones."""
    for folder, files in folders_below(root, ignored):
        place = folder.relative_to(root)
        for name in files:
            if Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
                yield (place / name).as_posix()


def match_videos(
    root: Path,
    pattern: re.Pattern[str],
    shape: str,
    name: Callable[[re.Match[str]], str],
    ignored: re.Pattern[str] = NOTHING,
) -> dict[str, tuple[Path, re.Match[str]]]:
    """Return every video below `root` by its presentation's id, sorted by it.

    Args:
        root: An existing folder.
        pattern: Pattern that a video's whole path below `root`, without its suffix, must match.
        shape: The same pattern in readable form.
        name: Makes the id of a match, or raises `ValueError` if the match contradicts itself.
        ignored: As for `folders_below`.

    Raises:
        DataError: A video has another name, or two videos have the same id.
    """
    found: dict[str, tuple[Path, re.Match[str]]] = {}
    for relative in videos_below(root, ignored):
        path = root / relative
        match = pattern.fullmatch(relative.rpartition(".")[0])
        if match is None:
            raise _misnamed(path, "unknown name", shape)
        try:
            key = name(match)
        except ValueError as error:
            raise _misnamed(path, str(error), shape) from error
        if key in found:
            raise DataError(f"{key} is there twice: {found[key][0]} and {path}; remove one of them.")
        found[key] = path, match
    return dict(sorted(found.items()))


def checked_root(reader: NativeReader, missing: Missing) -> Path:
    """Return the reader's root.

    Args:
        reader: The reader.
        missing: Returns the parts of the layout that a folder lacks.

    Raises:
        DataError: The root lacks a part; if the layout is found one level above or below, the error names that folder.
    """
    root = reader.folder()
    lacking = missing(root)
    if lacking:
        raise DataError(
            f"Root {str(root)!r} lacks {' and '.join(lacking)}; expected {reader.layout}.{elsewhere(root, missing)}"
        )
    return root


def complete(reader: NativeReader, records: Iterable[Presentation], missing: Missing) -> list[Presentation]:
    """Return the records of a root.

    Args:
        reader: The reader.
        records: What it found.
        missing: As for `checked_root`.

    Raises:
        DataError: One of the dataset's splits has no video.
    """
    found = list(records)
    splits = dict.fromkeys(split for split, _ in reader.expected)
    absent = [split for split in splits if not any(record.split == split for record in found)]
    if absent:
        root = reader.folder()
        raise DataError(
            f"Root {str(root)!r} holds no {' and no '.join(absent)} videos; expected {reader.layout}."
            f"{elsewhere(root, missing)}"
        )
    return found


def elsewhere(root: Path, missing: Missing) -> str:
    """Return a sentence that names the nearest folder above or below `root` with the whole layout, or "".

    It is also "" if nothing is missing in `root` itself.
    """
    if not missing(root):
        return ""
    root = root.resolve()
    near = [*root.parents[:2], *(path for path in sorted(_entries(root).values()) if path.is_dir())]
    for place in near:
        if not missing(place):
            return f" It is found in {str(place)!r}: set root to that."
    return ""


def subfolder(folder: Path | None, name: str | re.Pattern[str]) -> Path | None:
    """Return the folder called `name`, whatever its case, in `folder`, or None."""
    return _entry(folder, name, Path.is_dir)


def text_file(folder: Path, name: str) -> Path | None:
    """Return the file called `name`, whatever its case, in `folder`, or None."""
    return _entry(folder, name, Path.is_file)


def _entry(folder: Path | None, name: str | re.Pattern[str], wanted: Callable[[Path], bool]) -> Path | None:
    pattern = re.compile(re.escape(name), re.IGNORECASE) if isinstance(name, str) else name
    found = sorted(_entries(folder).items())
    return next((path for key, path in found if pattern.fullmatch(key) and wanted(path)), None)


def _entries(folder: Path | None) -> dict[str, Path]:
    try:
        return {path.name: path for path in folder.iterdir()} if folder else {}
    except OSError:
        # A folder that cannot be read is not recommended.
        return {}


def _misnamed(path: Path, reason: str, shape: str) -> DataError:
    return DataError(f"{path}: {reason}; expected {shape} below the root.")


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from error
