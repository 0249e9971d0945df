"""Reads lists of media files: CSV, TSV or Parquet with a column `path` and others, by padkit's names or synonyms."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from padkit.data.column_names import LIST_COLUMNS, choose, folded, is_data, present, rivals
from padkit.errors import DataError, closest

Row = tuple[int, dict[str, str]]


def open_list(
    path: Path, needed: Sequence[str] = ("path",), told: Iterable[str] = ()
) -> tuple[dict[str, str], Iterator[Row], list[str]]:
    """Open a list.

    Args:
        path: `.csv`, `.tsv`, `.txt` or `.parquet`.
        needed: Columns that it must have.
        told: Columns that it need not have because something else tells them.

    Returns:
        Column of `LIST_COLUMNS` -> its name in the list; for each row the line (of Parquet: row) number and the value
        by column, "" where it is missing; and lines on which columns are read.

    Raises:
        DataError: The file cannot be read, has no header, lacks a column, or has a doubled or misspelt one; a row has
            another number of values, or no path. The error names the line.
    """
    suffix = path.suffix.lower()
    if suffix in {".parquet", ".pq"}:
        names, rows = _parquet(path)
    elif suffix in {".csv", ".tsv", ".txt"}:
        lines = _lines(path, "\t" if suffix == ".tsv" else None)
        names, rows = next(lines)[1], lines
    else:
        raise DataError(f"{path} has suffix {path.suffix!r}; a list must be .csv, .tsv or .parquet.")
    chosen = _columns(path, names, needed, told)
    places = {column: names.index(name) for column, name in chosen.items()}
    return chosen, _rows(path, rows, places), [*_translated(chosen), *rivals(names, chosen)]


def _translated(chosen: Mapping[str, str]) -> list[str]:
    """Return the line that says which columns were taken by a synonym, if any was."""
    found = [f"{column} = {name!r}" for column, name in chosen.items() if column != folded(name)]
    return [f"columns: {', '.join(found)}."] if found else []


def _rows(path: Path, rows: Iterable[tuple[int, Sequence[str]]], places: Mapping[str, int]) -> Iterator[Row]:
    for number, values in rows:
        row = {column: values[place] for column, place in places.items()}
        row |= {column: present(value) for column, value in row.items() if column != "path"}
        if not row["path"]:
            raise DataError(f"{path}, line {number}: the path is empty.")
        if "\0" in row["path"]:
            raise DataError(f"{path}, line {number}: the path {row['path']!r} has a zero byte; write the list anew.")
        yield number, row


def _lines(path: Path, delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the values of the header and of every row that is not blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            # The header decides: spreadsheets write a semicolon in countries where the comma is the decimal sign.
            rows = csv.reader(stream, delimiter=delimiter or max(",;\t", key=header.count), strict=True)
            names = [name.strip() for name in next(rows, [])]
            yield 1, names
            for row in rows:
                if not any(row):
                    continue
                if len(row) != len(names):
                    raise DataError(
                        f"{path}, line {rows.line_num}: {len(row)} values for {len(names)} columns; quote values "
                        "that hold the separator."
                    )
                yield rows.line_num, [value.strip() for value in row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not UTF-8 text in CSV form ({error}); save it so.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def _parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        cause = str(error).splitlines()[0]
        raise DataError(f"{path} is not a readable Parquet file ({cause}); write it anew.") from error
    values = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return list(table.column_names), ((number, [*map(_text, row)]) for number, row in enumerate(values, start=1))


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return " ".join(str(part) for part in value)
    return str(value).strip()


def _columns(path: Path, names: Sequence[str], needed: Iterable[str], told: Iterable[str]) -> dict[str, str]:
    """Return column -> its name in the list."""
    plain = [folded(name) for name in names]
    if doubled := {name for name in plain if plain.count(name) > 1}:
        raise DataError(f"{path} has column {min(doubled)!r} twice; rename one.")
    chosen = choose(names, LIST_COLUMNS)
    lacking = next((name for name in needed if name not in chosen), None)
    if lacking and is_data(names):
        raise DataError(
            f"{path} has no header: its first line, {','.join(names)!r}, holds values. Put a line with the names of "
            f"the columns above it, such as {','.join(needed)}."
        )
    if lacking:
        raise DataError(f"{path} has no column {lacking!r}, or synonym; columns: {', '.join(names) or 'none'}.")
    absent = {*LIST_COLUMNS} - {*chosen, *told}
    for name in sorted({*plain} - {folded(name) for name in chosen.values()}):
        # A misspelt `subjects` would be ignored without notice, and one person could be in several splits.
        if difflib.get_close_matches(name, absent, n=1, cutoff=0.8):
            raise DataError(f"{path} has an unknown column {name!r}.{closest(name, LIST_COLUMNS)}")
    return chosen
