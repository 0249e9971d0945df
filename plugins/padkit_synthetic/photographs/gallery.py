"""Finds photographs of faces and their subjects: in a folder of subjects, a flat folder, or a list."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from padkit.data.labels import LabelCount, LabelValues
from padkit.data.lists import open_list
from padkit.data.media.formats import STILL, kind_of
from padkit.data.media.walk import is_clutter
from padkit.data.presentation import BONA_FIDE
from padkit.data.unread import Unread
from padkit.errors import DataError, SettingsError
from padkit.files import printable

Gallery = dict[str, tuple[Path, ...]]
LISTS = frozenset({".csv", ".tsv", ".txt", ".parquet", ".pq"})
LAYOUTS = "<subject>/<image>, images alone, or a .csv, .tsv or .parquet list with a column path"


def find_photographs(
    faces: Path,
    subject_pattern: str | None = None,
    count: LabelCount | None = None,
    unread: Unread | None = None,
    *,
    option: str = "--faces",
    pattern_option: str = "--subject-pattern",
) -> Gallery:
    """Return the photographs of each subject, in the order of their names; from a list, only the bona fide ones.

    The subjects' names are valid in file names and contain no underscore.

    Args:
        faces: A folder `<subject>/<image>`, a folder of images, or a list with a column `path` (relative to the list)
            and optionally `subject` and `label`.
        subject_pattern: Regular expression with one group that finds the subject in a file's name, if neither folders
            nor a column name it; by default every such image is a different subject.
        count: What the labels of a list mean; it gets how often each occurs.
        unread: Counts what a folder holds beside photographs.
        option: How messages call the option that gives `faces`.
        pattern_option: How they call the one that gives `subject_pattern`.

    Raises:
        DataError: Nothing is found, or the list is malformed.
        SettingsError: The pattern is not valid, does not have exactly one group, or has no effect here.
    """
    name_of, remedy = _subject_finder(subject_pattern, pattern_option), f"give {option} {LAYOUTS}"
    if faces.is_dir():
        pairs, useful = _folder(faces, name_of, Unread() if unread is None else unread)
    elif faces.is_file() and faces.suffix.lower() in LISTS:
        pairs, useful = _list(faces, name_of, count or LabelCount(LabelValues()))
    elif faces.exists():
        raise DataError(f"{faces} is neither a folder nor a list; {remedy}.")
    else:
        raise DataError(f"{faces} does not exist; {remedy}.")
    if not pairs:
        raise DataError(f"{faces} holds no bona fide photographs; {remedy}.")
    if subject_pattern is not None and not useful:
        raise SettingsError(f"{pattern_option} has no effect: {faces} names the subjects itself; leave it out.")
    found: dict[str, dict[Path, None]] = defaultdict(dict)
    for subject, path in pairs:
        found[subject][path] = None
    plain = plain_names(found)
    return {plain[subject]: tuple(sorted(found[subject])) for subject in sorted(found)}


def _subject_finder(pattern: str | None, option: str) -> Callable[[Path], str]:
    if pattern is None:
        return lambda path: path.stem
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"{option} {pattern!r} is not a regular expression: {error}.") from error
    if compiled.groups != 1:
        raise SettingsError(
            f"{option} {pattern!r} has {compiled.groups} groups; put one pair of brackets around the subject."
        )

    def find(path: Path) -> str:
        match = compiled.search(path.name)
        if match is None or not match[1]:
            raise DataError(f"{option} {pattern!r} finds no subject in {path.name!r} ({path.parent}).")
        return match[1]

    return find


def _folder(faces: Path, name_of: Callable[[Path], str], unread: Unread) -> tuple[list[tuple[str, Path]], bool]:
    """Return (subject, photograph) pairs, and whether `name_of` named the subjects."""
    try:
        flat, folders = _listed(faces, unread)
        nested = []
        for folder in folders:
            images, deeper = _listed(folder, unread)
            nested += [(folder.name, path) for path in images]
            for one in deeper:
                unread.note("folders below a subject's", one)
    except OSError as error:
        raise DataError(f"{faces} cannot be read ({error.strerror}); check its permissions.") from error
    if flat and nested:
        raise DataError(
            f"{faces} holds both images ({flat[0].name}) and folders of images ({nested[0][0]}): sort all of them "
            "into folders by subject, or none."
        )
    return nested or _alone(flat, name_of), not nested


def _alone(paths: Iterable[Path], name_of: Callable[[Path], str]) -> list[tuple[str, Path]]:
    return [(name_of(path), path) for path in paths]


def _listed(folder: Path, unread: Unread) -> tuple[list[Path], list[Path]]:
    """Return the images and the folders in a folder, and count the rest."""
    images, folders = [], []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if is_clutter(path.name):
                unread.note("hidden folders and those of the system", path)
            else:
                folders.append(path)
        elif path.name.startswith("."):
            unread.note("hidden", path)
        elif path.is_file() and kind_of(path) == STILL:
            images.append(path)
        else:
            unread.note("no photographs", path)
    return images, folders


def _list(faces: Path, name_of: Callable[[Path], str], count: LabelCount) -> tuple[list[tuple[str, Path]], bool]:
    """Return (subject, photograph) pairs of the bona fide rows, and whether `name_of` named any subject."""
    pairs, useful = [], False
    chosen, rows, _ = open_list(faces)
    count.values = count.values.said_by(chosen.get("label", ""))
    for line, row in rows:
        if "label" in row and count.read(row["label"], f"{faces}, line {line}") != BONA_FIDE:
            continue
        path = faces.parent / Path(row["path"]).expanduser()
        useful |= not row.get("subject")
        pairs.append((row.get("subject") or name_of(path), path))
    return pairs, useful


def plain_names(subjects: Iterable[str]) -> dict[str, str]:
    """Return subject -> name of letters, digits, `.` and `-`; names that would become equal get a checksum."""
    plain = {name: re.sub(r"(?:[^\w.-]|_)+", "-", name).strip("-.")[:60] or "subject" for name in subjects}
    folded = Counter(short.casefold() for short in plain.values())
    doubled = {name for name, short in plain.items() if folded[short.casefold()] > 1}
    return {name: f"{short}-{_checksum(name)}" if name in doubled else short for name, short in plain.items()}


def _checksum(text: str) -> str:
    return hashlib.sha256(printable(text).encode()).hexdigest()[:8]
