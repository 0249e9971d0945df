"""Helpers of the readers: listings without a stat per file, text lists, and errors about both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from padkit.data.media.formats import VIDEO_SUFFIXES, image_suffixes
from padkit.data.media.walk import is_clutter
from padkit.data.presentation import Presentation
from padkit.errors import DataError

T = TypeVar("T")
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "test": "test",
    "testing": "test",
}


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            kept = [entry for entry in found if not is_clutter(entry.name)]
    except OSError as error:
        raise DataError(f"Folder {folder} cannot be read ({error.strerror or error}).") from error
    return sorted(kept, key=lambda entry: entry.name)


def subfolders(folder: Path) -> dict[str, Path]:
    """Return the folders in `folder` by lower-case name, in the order of their names, without hidden ones.

    Raises:
        DataError: The folder cannot be read.
    """
    return {entry.name.lower(): Path(entry.path) for entry in _entries(folder) if entry.is_dir()}


def file_names(folder: Path) -> list[str]:
    """Return the sorted names of the files in `folder`, without hidden ones.

    Raises:
        DataError: The folder cannot be read.
    """
    return [entry.name for entry in _entries(folder) if entry.is_file()]


def stem_and_suffix(name: str) -> tuple[str, str]:
    """Return ("0001", ".jpg") for "0001.jpg", in a fifth of the time of a `Path`: lists name half a million files."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem else (name, "")


def media_below(folder: Path, suffixes: frozenset[str] = VIDEO_SUFFIXES) -> Iterator[Path]:
    """Yield the files below `folder` with one of the lower-case `suffixes`, folder by folder.

    Raises:
        DataError: A folder cannot be read.
    """
    for name in file_names(folder):
        if stem_and_suffix(name)[1].lower() in suffixes:
            yield folder / name
    for child in subfolders(folder).values():
        yield from media_below(child, suffixes)


def some(found: Iterable[T], where: Path, layout: str) -> Iterator[T]:
    """Yield all items; there must be at least one.

    Raises:
        DataError: There are none.
    """
    rest = iter(found)
    first = next(rest, None)
    if first is None:
        raise DataError(f"{where} holds none of the dataset's files; expected {layout}.")
    yield first
    yield from rest


def unique(records: Iterable[Presentation]) -> Iterator[Presentation]:
    """Yield all records; their ids must be unique.

    Raises:
        DataError: Two records have the same id.
    """
    paths: dict[str, str] = {}
    for record in records:
        if record.id in paths:
            raise DataError(f"{record.id} is there twice: {paths[record.id]} and {record.path}; remove one of them.")
        paths[record.id] = record.path
        yield record


def first_image(folder: Path) -> str:
    """Return the name of the first image in `folder`, or "" if it holds none."""
    return next((name for name in file_names(folder) if stem_and_suffix(name)[1].lower() in image_suffixes()), "")


def fitting_root(root: Path, fits: Callable[[Path], bool], layout: str) -> Path:
    """Return `root` if it fits.

    Raises:
        DataError: It does not; the error says whether the folder above or one below would.
    """
    if fits(root):
        return root
    above = root.resolve().parent
    if fits(above):
        guess = f" Root lies one level too low: give {above}."
    elif below := [str(child) for child in subfolders(root).values() if fits(child)]:
        guess = f" Root lies one level too high: give {' or '.join(below)}."
    else:
        guess = ""
    raise DataError(f"Root {root} holds something else; expected {layout}.{guess}")


def unknown_name(path: Path | str, pattern: str) -> DataError:
    """Return the error for a media file or folder whose name cannot be read."""
    return DataError(f"{path}: unknown name; expected {pattern}. Rename it, or move it out of the dataset.")


def list_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    r"""Yield (line number, words) of the lines of a text list that are not empty; `\` in them has become `/`.

    Raises:
        DataError: The list is missing or not text.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if words := line.replace("\\", "/").split():
                    yield number, words
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"List {path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def numbers(text: str, where: str) -> list[float]:
    """Return the numbers of a line, separated by spaces or commas; the error begins with `where`.

    Raises:
        DataError: A word is not a number.
    """
    try:
        return [float(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise DataError(f"{where}: {text.strip()!r} is not a row of numbers.") from error
