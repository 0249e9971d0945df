"""Walks a tree of media: every folder once, whatever links lead to it, and counts what it does not read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from padkit.data.media.formats import NEITHER, kind_of
from padkit.data.unread import Unread

# Folders of thumbnails, snapshots and deleted files that systems add to a user's: macOS, Synology, QNAP, NetApp,
# Windows, Linux. Hidden ones need no name here.
CLUTTER = frozenset(
    {
        "__macosx", "network trash folder", "temporary items",
        "@eadir", "@tmp", "#recycle", "#snapshot",
        "@recycle", "@recently-snapshot", "@sharebin", "@transcode",
        "~snapshot",
        "$recycle.bin", "recycler", "recycled", "system volume information",
        "lost+found",
    }
)  # fmt: skip
LONGEST_SUFFIX = 12  # letters; what is longer is part of a name

Identity = tuple[int, int] | str


def is_clutter(name: str) -> bool:
    """Return whether a folder of this name is hidden or belongs to the system, not to the user's data."""
    return name.startswith((".", "__MACOSX")) or name.lower() in CLUTTER


@dataclass(slots=True)
class _Folder:
    """A folder that was read: its place below the root as names, and the names of its files."""

    place: tuple[str, ...]
    files: list[str] = field(default_factory=list)


def folders_below(
    root: Path, unread: Unread, refuse: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str]]]:
    """Yield `root` and every folder below it with the sorted names of its files, each real folder once.

    A folder is read under its own name; links are followed after all folders, so that a link gives nothing to what is
    there already. The order is that of `os.walk`, sorted.

    Args:
        root: An existing folder.
        unread: Counts the folders that are not entered, links to nothing, and pipes and other special files.
        refuse: Called with the error of a folder that cannot be read; by default such a folder is counted.
    """
    found: list[_Folder] = []
    seen: set[Identity] = set()
    links: list[tuple[str, ...]] = []
    _read(root, (), seen, found, links, unread, refuse)
    # Links inside of linked folders join the queue.
    for place in links:
        _read(root, place, seen, found, links, unread, refuse)
    for folder in sorted(found, key=lambda folder: folder.place):
        yield root.joinpath(*folder.place), sorted(folder.files)


def media_below(root: Path, unread: Unread, known: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Yield the stills and videos below `root` in a stable order, and count all other files by suffix.

    Args:
        root: An existing folder.
        unread: Counts what is not read.
        known: Names of files with another purpose, which are not counted.
    """
    for folder, files in folders_below(root, unread):
        for name in files:
            path = folder / name
            if name.startswith("."):
                unread.note("hidden", path)
            elif kind_of(path) != NEITHER:
                yield path
            elif name not in known:
                unread.note(_reason(path), path)


def _reason(path: Path) -> str:
    suffix = path.suffix.lower()
    if not suffix or len(suffix) > LONGEST_SUFFIX:
        return "without a suffix, and no picture or video" if not suffix else "with a long suffix"
    return f"with suffix {suffix}, which neither Pillow nor FFmpeg reads as picture or video"


def _read(
    root: Path,
    place: tuple[str, ...],
    seen: set[Identity],
    found: list[_Folder],
    links: list[tuple[str, ...]],
    unread: Unread,
    refuse: Callable[[OSError], None] | None,
) -> None:
    """Add a folder and the real folders below it to `found`, and the links to folders in them to `links`."""
    stack = [place]
    while stack:
        place = stack.pop()
        path = root.joinpath(*place)
        try:
            identity = identity_of(path)
            if identity in seen:
                unread.note("folders that are read under another name (a link)", path)
                continue
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if refuse is not None:
                refuse(error)
            unread.note(f"folders that cannot be read ({error.strerror or error})", path, fault=True)
            continue
        seen.add(identity)
        folder = _Folder(place)
        found.append(folder)
        for entry in listed:
            if _holds(entry.is_dir):
                if is_clutter(entry.name):
                    unread.note("hidden folders and those of the system", entry.path)
                else:
                    (links if entry.is_symlink() else stack).append((*place, entry.name))
            elif _holds(entry.is_file):
                folder.files.append(entry.name)
            elif not entry.name.startswith("."):
                unread.note("links to nothing, or no regular files", entry.path, fault=True)


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    # A link in a circle.
    except OSError:
        return False


def identity_of(path: str | Path) -> Identity:
    """Return what all names of one file or folder share: device and number, or the resolved path where none are told.

    Raises:
        OSError: There is no such file.
    """
    status = os.stat(path)  # noqa: PTH116 -- `path` may be a text
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
