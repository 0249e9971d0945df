"""Finds pictures without faces, which the simulated cameras recapture like faces: they carry the same traces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from padkit.data.media.formats import STILL, kind_of
from padkit.data.media.walk import media_below
from padkit.data.presentation import CONTENT
from padkit.data.unread import Unread
from padkit.errors import DataError
from padkit.files import printable
from padkit_synthetic.imaging import generator
from padkit_synthetic.photographs.gallery import Gallery, plain_names
from padkit_synthetic.photographs.recordings import SIMULATE_STREAM, Recording
from padkit_synthetic.world import Domain

CONTENT_STREAM = 1  # beside the one that shares out the subjects
APART = "keep pictures without faces in a folder of their own, beside it"
WHAT = "a folder of pictures without faces"
Pictures = Mapping[str, Path]


def find_pictures(folder: Path, unread: Unread, *, option: str = "--content") -> dict[str, Path]:
    """Return the still pictures in a folder and all folders below it, by names that are valid in file names.

    Args:
        folder: The folder.
        unread: Counts what else is there.
        option: How messages call the option that gives `folder`.

    Raises:
        DataError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{option} {folder}: is no folder; give {WHAT}.")
    found: dict[str, Path] = {}
    for path in media_below(folder, unread):
        if kind_of(path) == STILL:
            found[f"{CONTENT}-{path.relative_to(folder).as_posix()}"] = path
        else:
            unread.note("videos, where stills are due", path)
    if not found:
        raise DataError(f"{option} {folder}: holds no still picture; give {WHAT}.")
    plain = plain_names(found)
    return {plain[name]: found[name] for name in sorted(found, key=printable)}


def refuse_within(content: Path, faces: Path, option: str = "--content", others: str = "--faces") -> None:
    """Refuse a folder of pictures without faces that is the folder of faces, or lies within it.

    Raises:
        DataError: Names both options.
    """
    if content.resolve().is_relative_to(faces.resolve()):
        raise DataError(f"{option} {content}: lies within {others} {faces}, whose pictures are faces; {APART}.")


def refuse_shared(pictures: Pictures, gallery: Gallery, option: str = "--content", others: str = "--faces") -> None:
    """Refuse a photograph that is among the pictures without faces too.

    Raises:
        DataError: Names the first.
    """
    faces = {path.resolve() for paths in gallery.values() for path in paths} if pictures else set()
    if both := next((path for path in pictures.values() if path.resolve() in faces), None):
        raise DataError(f"{option}: {both} is a photograph of {others} too; {APART}.")


def content_recordings(
    pictures: Pictures,
    domains: Sequence[Domain],
    seed: int,
    subjects: Collection[str],
    *,
    option: str = "--content",
    others: str = "--faces",
) -> list[Recording]:
    """Return one recording of each picture, all of them for training; pictures are shared out evenly over the domains.

    Args:
        pictures: The pictures by name.
        domains: The capture settings.
        seed: Shares them out.
        subjects: Names that are taken.
        option: How messages call the option that gives the pictures.
        others: How they call the one that gives the faces.

    Raises:
        DataError: A person has the name of a picture.
    """
    taken = {name.casefold() for name in subjects}
    if both := next((name for name in pictures if name.casefold() in taken), ""):
        raise DataError(f"{option}: a subject of {others} is called {both!r}, like a picture; rename one of them.")
    names = sorted(pictures)
    order = generator(SIMULATE_STREAM, seed, CONTENT_STREAM).permutation(len(names))
    found = [
        Recording(domains[turn % len(domains)], "train", names[place], 0, pictures[names[place]], content=True)
        for turn, place in enumerate(order.tolist())
    ]
    return sorted(found, key=lambda one: (one.domain.name, one.subject))
