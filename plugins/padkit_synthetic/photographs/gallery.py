"""Finds photographs of faces and their subjects: in a folder of subjects, a flat folder, or a list."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from padkit.data.media.formats import STILL, kind_of
from padkit.data.media.walk import is_clutter
from padkit.data.presentation import BONA_FIDE, LABEL_NAMES
from padkit.data.unread import Unread
from padkit.errors import DataError, SettingsError, closest
from padkit.files import printable

Gallery = dict[str, tuple[Path, ...]]
LISTS = frozenset({".csv", ".tsv", ".txt", ".parquet", ".pq"})
LAYOUTS = "<subject>/<image>, images alone, or a .csv, .tsv or .parquet list with a column path"


def find_photographs(faces: Path, subject_pattern: str | None = None, unread: Unread | None = None) -> Gallery:
    """Return the photographs of each subject, in the order of their names; from a list, only the bona fide ones.

    The subjects' names are valid in file names and contain no underscore.

    Args:
        faces: A folder `<subject>/<image>`, a folder of images, or a list with a column `path` (relative to the list)
            and optionally `subject` and `label`.
        subject_pattern: Regular expression with one group that finds the subject in a file's name, if neither folders
            nor a column name it; by default every such image is a different subject.
        unread: Counts what a folder holds beside photographs.

    Raises:
        DataError: Nothing is found, or the list is malformed.
        SettingsError: The pattern is not valid, does not have exactly one group, or has no effect here.
    """
    name_of = _subject_finder(subject_pattern)
    if faces.is_dir():
        pairs, useful = _folder(faces, name_of, Unread() if unread is None else unread)
    elif faces.is_file() and faces.suffix.lower() in LISTS:
        pairs, useful = _list(faces, name_of)
    elif faces.exists():
        raise DataError(f"{faces} is neither a folder nor a list; give --faces {LAYOUTS}.")
    else:
        raise DataError(f"{faces} does not exist; give --faces {LAYOUTS}.")
    if not pairs:
        raise DataError(f"{faces} holds no bona fide photographs; give --faces {LAYOUTS}.")
    if subject_pattern is not None and not useful:
        raise SettingsError(f"--subject-pattern has no effect: {faces} names the subjects itself; leave it out.")
    found: dict[str, dict[Path, None]] = defaultdict(dict)
    for subject, path in pairs:
        found[subject][path] = None
    plain = _plain_names(found)
    return {plain[subject]: tuple(sorted(found[subject])) for subject in sorted(found)}


def _subject_finder(pattern: str | None) -> Callable[[Path], str]:
    if pattern is None:
        return lambda path: path.stem
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"--subject-pattern {pattern!r} is not a regular expression: {error}.") from error
    if compiled.groups != 1:
        raise SettingsError(
            f"--subject-pattern {pattern!r} has {compiled.groups} groups; put one pair of brackets around the subject."
        )

    def find(path: Path) -> str:
        match = compiled.search(path.name)
        if match is None or not match[1]:
            raise DataError(f"--subject-pattern {pattern!r} finds no subject in {path.name!r} ({path.parent}).")
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


def _list(faces: Path, name_of: Callable[[Path], str]) -> tuple[list[tuple[str, Path]], bool]:
    """Return (subject, photograph) pairs of the bona fide rows, and whether `name_of` named any subject."""
    pairs, useful = [], False
    rows = _parquet_rows(faces) if faces.suffix.lower() in {".parquet", ".pq"} else _text_rows(faces)
    for line, row in rows:
        where = f"{faces}, line {line}"
        if not row["path"]:
            raise DataError(f"{where}: the path is empty.")
        label = row.get("label", "live").lower()
        if label not in LABEL_NAMES:
            raise DataError(f"{where}: unknown label {row['label']!r}.{closest(label, LABEL_NAMES)}")
        if LABEL_NAMES[label] != BONA_FIDE:
            continue
        path = faces.parent / Path(row["path"]).expanduser()
        useful |= not row.get("subject")
        pairs.append((row.get("subject") or name_of(path), path))
    return pairs, useful


def _text_rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            # The header decides: spreadsheets write a semicolon in countries where the comma is the decimal sign.
            rows = csv.reader(stream, delimiter=max(",;\t", key=header.count), strict=True)
            columns = _columns(path, next(rows, []))
            for values in rows:
                if any(values):
                    if len(values) != len(columns):
                        count = f"{len(values)} values for {len(columns)} columns"
                        raise DataError(f"{path}, line {rows.line_num}: {count}; quote values that hold the separator.")
                    yield rows.line_num, dict(zip(columns, map(str.strip, values), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not UTF-8 text in CSV form ({error}); save it so.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        cause = str(error).splitlines()[0]
        raise DataError(f"{path} is not a readable Parquet file ({cause}); write it anew.") from error
    columns = _columns(path, table.column_names)
    values = [["" if value is None else _text(value) for value in column.to_pylist()] for column in table.columns]
    for number, row in enumerate(zip(*values, strict=True), start=1):
        yield number, dict(zip(columns, row, strict=True))


def _text(value: object) -> str:
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value) if whole else value).strip()  # type: ignore[call-overload]


def _columns(path: Path, names: Iterable[str]) -> list[str]:
    columns = [name.strip().lower() for name in names]
    if "path" not in columns:
        raise DataError(f"{path} has no column 'path'; its columns: {', '.join(columns) or 'none'}.")
    doubled = [name for name in columns if columns.count(name) > 1]
    if doubled:
        raise DataError(f"{path} has column {doubled[0]!r} twice; rename one.")
    return columns


def _plain_names(subjects: Iterable[str]) -> dict[str, str]:
    """Return subject -> name of letters, digits, `.` and `-`; names that would become equal get a checksum."""
    plain = {name: re.sub(r"(?:[^\w.-]|_)+", "-", name).strip("-.")[:60] or "subject" for name in subjects}
    folded = Counter(short.casefold() for short in plain.values())
    doubled = {name for name, short in plain.items() if folded[short.casefold()] > 1}
    return {name: f"{short}-{_checksum(name)}" if name in doubled else short for name, short in plain.items()}


def _checksum(text: str) -> str:
    return hashlib.sha256(printable(text).encode()).hexdigest()[:8]
