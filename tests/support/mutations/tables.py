"""Mutations of lists of media and of score files: what spreadsheets, other programs and slips of the hand make."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = list[dict[str, str]]
Mutation = Callable[[random.Random, Rows, Path], Path]


def write(
    rows: Rows, path: Path, *, delimiter: str = ",", end: str = "\n", encoding: str = "utf-8", quote: int = 0
) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end, quoting=quote)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def delimited(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write(rows, path, delimiter=rng.choice([";", "\t"]))


def windows(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write(rows, path, end="\r\n", encoding=rng.choice(["utf-8-sig", "utf-8"]))


def quoted(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write(rows, path, quote=csv.QUOTE_ALL)


def tabbed(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write(rows, path.with_suffix(".tsv"), delimiter="\t")


def reordered(rng: random.Random, rows: Rows, path: Path) -> Path:
    names = rng.sample(list(rows[0]), len(rows[0]))
    return write([{name: row[name] for name in names} for row in rows], path)


def upper_names(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write([{name.upper(): value for name, value in row.items()} for row in rows], path)


def further_column(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write([{**row, "remark": rng.choice(["", "x", "ö, y", "1"])} for row in rows], path)


def blank_lines(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = write(rows, path)
    path.write_text(path.read_text() + "\n" * rng.randint(1, 3))
    return path


def no_last_line_end(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = write(rows, path)
    path.write_text(path.read_text().rstrip("\n"))
    return path


def label_words(rng: random.Random, rows: Rows, path: Path) -> Path:
    live, spoof = rng.choice(["live", "Real", "BONAFIDE", "genuine", "1"]), rng.choice(["spoof", "Fake", "ATTACK", "0"])
    words = {"live": live, "spoof": spoof}
    return write([{**row, "label": words[row["label"]]} for row in rows], path)


def spaces(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write([{**row, "label": f" {row['label']} "} for row in rows], path)


def parquet(rng: random.Random, rows: Rows, path: Path) -> Path:
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, path.with_suffix(".parquet"), compression=rng.choice(["snappy", "zstd", "none"]))
    return path.with_suffix(".parquet")


def dictionaries(rng: random.Random, rows: Rows, path: Path) -> Path:
    table = pa.Table.from_pylist(rows)
    table = table.set_column(table.column_names.index("label"), "label", table.column("label").dictionary_encode())
    pq.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def one_label(rng: random.Random, rows: Rows, path: Path) -> Path:
    word = rng.choice(["", "2", "-1", "maybe", "negative", "nan", "None", "liv", "0.5", "真", "live;spoof"])
    rows = [dict(row) for row in rows]
    rng.choice(rows)["label"] = word
    return write(rows, path)


def no_header(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = write(rows, path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    return path


def lost_column(rng: random.Random, rows: Rows, path: Path) -> Path:
    name = rng.choice(["label", "score" if "score" in rows[0] else "path"])
    return write([{key: value for key, value in row.items() if key != name} for row in rows], path)


def doubled_column(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = write(rows, path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{line},{'label' if number == 0 else 'live'}" for number, line in enumerate(lines)))
    return path


def ragged(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = write(rows, path)
    lines = path.read_text().splitlines()
    at = rng.randrange(1, len(lines))
    lines[at] = rng.choice([lines[at].rpartition(",")[0], f"{lines[at]},x,y", '"' + lines[at], lines[at][:3]])
    path.write_text("\n".join(lines) + "\n")
    return path


def other_encoding(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write(
        [{**row, "subject": "Müller"} for row in rows], path, encoding=rng.choice(["utf-16", "latin-1", "utf-32"])
    )


def zeros(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = write(rows, path)
    content = bytearray(path.read_bytes())
    for _ in range(3):
        content[rng.randrange(len(content))] = 0
    path.write_bytes(content)
    return path


def flipped(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = rng.choice([write, lambda r, p: parquet(rng, r, p)])(rows, path)
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 5)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return path


def cut(rng: random.Random, rows: Rows, path: Path) -> Path:
    path = parquet(rng, rows, path)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])
    return path


def other_content(rng: random.Random, rows: Rows, path: Path) -> Path:
    path.write_bytes(
        rng.choice([b"", b"\n\n", rng.randbytes(300), b"PK\x03\x04 xlsx", b'{"label": 1}', b"label", b"\xef\xbb\xbf"])
    )
    return path


def long_field(rng: random.Random, rows: Rows, path: Path) -> Path:
    rows = [dict(row) for row in rows]
    rng.choice(rows)["subject"] = "x" * 200_000
    return write(rows, path)


def a_folder(rng: random.Random, rows: Rows, path: Path) -> Path:
    path.mkdir()
    return path


def nested(rng: random.Random, rows: Rows, path: Path) -> Path:
    wrong: list[Any] = [[row["label"]] for row in rows] if rng.random() < 0.5 else [{"a": row["label"]} for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0]} | {"label": wrong}
    pq.write_table(pa.table(columns), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def lost_path(rng: random.Random, rows: Rows, path: Path) -> Path:
    rows = [dict(row) for row in rows]
    rng.choice(rows)["path"] = rng.choice(
        ["gone.png", "", "/", "..", "a\0b.png", "x" * 5000, "~nobody/x.png", "http://x/y.png"]
    )
    return write(rows, path)


def repeated(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write([*rows, *rows[: rng.randint(1, 5)]], path)


def one_score(rng: random.Random, rows: Rows, path: Path) -> Path:
    words = ["nan", "inf", "-inf", "1e999", "", "x", "0,5", "1.5", "-0.1", "50%", "1e-400", "1.0000001", "0x1", "٣"]
    rows = [dict(row) for row in rows]
    rng.choice(rows)["score"] = rng.choice(words)
    return write(rows, path)


def percent(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write([{**row, "score": str(100 * float(row["score"]))} for row in rows], path)


def one_class(rng: random.Random, rows: Rows, path: Path) -> Path:
    label = rng.choice(["live", "spoof"])
    return write([row for row in rows if row["label"] == label], path)


def few(rng: random.Random, rows: Rows, path: Path) -> Path:
    return write(rng.sample(rows, rng.randint(1, 3)), path)


Columns = dict[str, list[Any]]


def labels_as(rng: random.Random, columns: Columns) -> Columns:
    live, spoof = rng.choice([("live", "spoof"), ("Real", "Fake"), ("bonafide", "attack")])
    return columns | {"label": [live if label == "live" else spoof for label in columns["label"]]}


def shuffled(rng: random.Random, columns: Columns) -> Columns:
    order = rng.sample(range(len(columns["label"])), len(columns["label"]))
    return {name: [values[number] for number in order] for name, values in columns.items()}


def one_lost(rng: random.Random, columns: Columns) -> Columns:
    name, value = rng.choice([("label", None), ("image", None), ("image", {"bytes": b"", "path": None})])
    values = list(columns[name])
    values[rng.randrange(len(values))] = value
    return columns | {name: values}


def one_damaged(rng: random.Random, columns: Columns) -> Columns:
    values = list(columns["image"])
    at = rng.randrange(len(values))
    values[at] = {"bytes": values[at]["bytes"][: rng.randrange(60)], "path": None}
    return columns | {"image": values}


def other_label(rng: random.Random, columns: Columns) -> Columns:
    values = list(columns["label"])
    values[rng.randrange(len(values))] = rng.choice(["maybe", "2", "", "negative"])
    return columns | {"label": values}


def other_columns(rng: random.Random, columns: Columns) -> Columns:
    lost = rng.choice(["label", "image"])
    return {(f"{name}s_x" if name == lost else name): values for name, values in columns.items()}


HUB_SAME, HUB_TOLD = (labels_as, shuffled), (one_lost, one_damaged, other_label, other_columns)

SAME: tuple[Mutation, ...] = (
    delimited, windows, quoted, tabbed, reordered, upper_names, further_column, blank_lines, no_last_line_end,
    label_words, spaces, parquet, dictionaries,
)  # fmt: skip
REFUSED: tuple[Mutation, ...] = (one_label, no_header, lost_column, doubled_column, a_folder, cut)
LIST_TOLD: tuple[Mutation, ...] = (
    ragged,
    other_encoding,
    zeros,
    other_content,
    lost_path,
    long_field,
    repeated,
    nested,
)
SCORES_ANY: tuple[Mutation, ...] = (
    ragged, other_encoding, zeros, flipped, other_content, long_field, one_score, percent, one_class, few, repeated,
    nested,
)  # fmt: skip
