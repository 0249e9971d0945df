"""Reads a CSV, TSV or Parquet list of images or videos with their labels and other columns."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from padkit.data.media.pictures import VIDEO_SUFFIXES, Box
from padkit.data.presentation import Presentation
from padkit.data.reader import SIMULATED_NOTE
from padkit.errors import DataError, closest
from padkit.settings.ranges import CropSide
from padkit_folder.files import FilesReader
from padkit_folder.names import attack_names, label_of, split_of

REQUIRED = ("path", "label")
OPTIONAL = (
    "domain",
    "split",
    "subject",
    "presentation",
    "attack_type",
    "species",
    "device",
    "session",
    "frame",
    "box",
)


class ManifestReader(FilesReader):
    """Reads a list with columns path and label, and optionally domain, split, subject, presentation, attack_type,
    species, device, session, frame and box (`x y width height` in pixels). Other columns are ignored.

    Rows that share a presentation are its frames; without that column every row is one. Of a video, `frame` names the
    one to take; without it two are taken. Where the media are no face crops, `padkit prepare manifest` makes some. A
    file `SIMULATED.txt` beside the list marks the data, and every report on them, as simulated.

    Args:
        file: `.csv`, `.tsv` or `.parquet`; relative paths in it start at its folder.
        image_size: Side in pixels of the prepared square crops.
    """  # noqa: D205 -- the list of columns is the summary

    def __init__(self, *, file: str, image_size: CropSide = 256) -> None:
        self.file = file
        self.simulated = (Path(file).expanduser().parent / SIMULATED_NOTE).exists()
        self.image_size = image_size

    def records(self) -> Iterable[Presentation]:
        """Yield one record per row.

        Raises:
            DataError: The file is missing, empty or malformed, or a value is unknown; the error names the line.
        """
        path = Path(self.file).expanduser()
        if not self.file or not path.is_file():
            raise DataError(f"Manifest {self.file!r} does not exist; check the setting `file`.")
        counts: dict[str, int] = {}
        for line, row in _rows(path):
            yield _record(path, line, row, counts)
        if not counts:
            raise DataError(f"Manifest {self.file!r} lists no files.")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line or row number, values by lower-case column name); missing values are ""."""
    suffix = path.suffix.lower()
    if suffix in {".parquet", ".pq"}:
        yield from _parquet_rows(path)
    elif suffix in {".csv", ".tsv", ".txt"}:
        yield from _text_rows(path, "\t" if suffix == ".tsv" else None)
    else:
        raise DataError(f"Manifest {path} has suffix {path.suffix!r}; it must be .csv, .tsv or .parquet.")


def _text_rows(path: Path, delimiter: str | None) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            # The header decides: spreadsheets write a semicolon in countries where the comma is the decimal sign.
            rows = csv.reader(stream, delimiter=delimiter or max(",;\t", key=header.count), strict=True)
            columns = _columns(path, next(rows, []))
            for row in rows:
                if not any(row):
                    continue
                if len(row) != len(columns):
                    raise DataError(
                        f"{path}, line {rows.line_num}: {len(row)} values for {len(columns)} columns; quote values "
                        "that hold the separator."
                    )
                yield rows.line_num, dict(zip(columns, (value.strip() for value in row), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Manifest {path} is not UTF-8 text in CSV form ({error}).") from error
    except OSError as error:
        raise DataError(f"Manifest {path} cannot be read ({error.strerror}).") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"Manifest {path} is not a readable Parquet file ({str(error).splitlines()[0]}).") from error
    columns = _columns(path, table.column_names)
    values = [column.to_pylist() for column in table.columns]
    for number, row in enumerate(zip(*values, strict=True), start=1):
        yield number, dict(zip(columns, map(_text, row), strict=True))


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return " ".join(str(part) for part in value)
    return str(value).strip()


def _columns(path: Path, names: Iterable[str]) -> list[str]:
    columns = [name.strip().lower().replace(" ", "_") for name in names]
    for name in REQUIRED:
        if name not in columns:
            found = ", ".join(columns) or "none"
            raise DataError(f"Manifest {path} has no column {name!r}; its columns: {found}.")
    if doubled := {name for name in columns if columns.count(name) > 1}:
        raise DataError(f"Manifest {path} has column {min(doubled)!r} twice.")
    absent = [name for name in OPTIONAL if name not in columns]
    for name in columns:
        # A misspelt `subjects` would be ignored without notice, and one person could be in several splits.
        if name not in {*REQUIRED, *OPTIONAL} and difflib.get_close_matches(name, absent, n=1, cutoff=0.8):
            raise DataError(f"Manifest {path} has an unknown column {name!r}.{closest(name, OPTIONAL)}")
    return columns


def _record(manifest: Path, line: int, row: Mapping[str, str], counts: dict[str, int]) -> Presentation:
    where = f"{manifest}, line {line}"
    if not row["path"]:
        raise DataError(f"{where}: the path is empty.")
    label = label_of(row["label"], where)
    attack_type, species = attack_names(label, row.get("attack_type", ""), row.get("species", ""))
    box = _box(row.get("box", ""), where)
    # The same image may be listed with several face boxes: those are different presentations.
    name = row.get("presentation") or (row["path"] if box is None else f"{row['path']} {row['box']}")
    number = counts.get(name, 0)
    counts[name] = number + 1
    path = manifest.parent / Path(row["path"]).expanduser()
    whole = path.suffix.lower() in VIDEO_SUFFIXES and not row.get("frame")
    return Presentation(
        dataset=manifest.stem,
        domain=row.get("domain") or manifest.stem,
        id=name,
        label=label,
        split=split_of(row.get("split", ""), where),
        subject=row.get("subject", ""),
        attack_type=attack_type,
        species=species,
        device=row.get("device", ""),
        session=row.get("session", ""),
        path=str(path),
        frames=() if whole else (_number(row.get("frame", ""), number, where),),
        box=box,
    )


def _number(text: str, default: int, where: str) -> int:
    if not text:
        return default
    if not text.isdigit():
        raise DataError(f"{where}: frame {text!r} is not a whole number from 0 up.")
    return int(text)


def _box(text: str, where: str) -> Box | None:
    if not text:
        return None
    try:
        x, y, width, height = (float(value) for value in text.replace(",", " ").strip("[]() ").split())
    except ValueError as error:
        raise DataError(f"{where}: box {text!r} is not 'x y width height' in pixels.") from error
    return x, y, width, height
