"""Reads score files of any program: CSV, TSV or Parquet.

One row per presentation, or several (its frames), whose scores are averaged. `padkit.data.column_names` lists the
columns and their synonyms, whatever the case, blanks and dashes; other columns are ignored. Only `label` and `score`
are required. `padkit.data.labels` says what labels mean; `score` is P(bona fide) in [0, 1].
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from padkit.data.alike import KINDS, alike
from padkit.data.column_names import SCORE_COLUMNS, choose, doubled, is_data, present, rivals
from padkit.data.labels import LabelCount, LabelValues, claim, is_number, plain
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError, closest
from padkit.evaluation.scores import Scores, presentation_scores, texts

PARTS: Mapping[str, str] = {
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "target"), "test"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("source-dev", "source"), "source-dev"),
    "target-dev": "target-dev",
    **dict.fromkeys(("train", "training"), "train"),
}
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """How to read a file whose columns have other names or other scores.

    Attributes:
        names: Column -> its name in the file.
        attack_scores: Whether scores are P(attack) and must be inverted.
        labels: What label values mean.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    attack_scores: bool = False
    labels: LabelValues = field(default_factory=LabelValues)

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in SCORE_COLUMNS:
                raise SettingsError(f"--column {name!r} is no column of a score file.{closest(name, SCORE_COLUMNS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """The content of a score file.

    Attributes:
        parts: Scores by part: `test`, `dev`, `source-dev`, `target-dev`, `train`; all of them `test` if the file has no
            column `part`.
        named: Whether the file names its presentations; otherwise they are numbered by row.
        rows: Rows read.
        unassigned: Rows left out because their part is blank although other rows have one.
        notes: How labels were read, and where names of columns contradict that.
        below_chance: What to say if the scores turn out to rank attacks above bona fide presentations.
    """

    parts: Mapping[str, Scores]
    named: bool
    rows: int
    unassigned: int
    notes: tuple[str, ...] = ()
    below_chance: str = ""


def read_score_file(path: Path, columns: ColumnNames | None = None) -> ScoreFile:
    """Read a score file of any program; see the module's table.

    Raises:
        DataError: The file cannot be read, lacks a column, or holds a label, score or part that is not valid; the error
            names the file and the row.
    """
    columns = columns or ColumnNames()
    reader = _read_parquet if path.suffix.lower() in {".parquet", ".pq"} else _read_text
    table, chosen, others = reader(path, columns)
    try:
        return _scores(table, chosen, others, columns)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _scores(table: pa.Table, chosen: Mapping[str, str], others: Sequence[str], columns: ColumnNames) -> ScoreFile:
    if not table.num_rows:
        raise DataError("holds no scores; give one row per presentation.")
    score = _numbers(table.column("score"))
    if columns.attack_scores:
        score = 1 - score
    values: dict[str, Any] = {name: _present(table.column(name)) for name in table.column_names if name != "score"}
    count = LabelCount(columns.labels.said_by(chosen["label"]))
    values["label"] = _labels(values["label"], count)
    named = "presentation" in values
    if named:
        for name, label in dict.fromkeys(zip(values["presentation"].tolist(), values["label"].tolist(), strict=True)):
            count.compare(name, label)
    if not named:
        values["presentation"] = np.arange(1, table.num_rows + 1).astype(np.str_)
    elif np.any(values["presentation"] == ""):
        blank = int(np.argmax(values["presentation"] == ""))
        raise DataError(f"row {blank + 1}: column {chosen['presentation']!r} is blank; name every presentation.")
    part = _parts(values.pop("part", np.full(table.num_rows, "")))
    if not np.any(part != ""):
        part = np.full(table.num_rows, "test")
    parts = {}
    for name in dict.fromkeys(PARTS.values()):
        rows = part == name
        if np.any(rows):
            taken = {key: column[rows] for key, column in values.items()}
            taken["split"] = np.full(int(np.sum(rows)), name.rpartition("-")[2])
            parts[name] = presentation_scores(taken, score[rows])
    notes = [*count.lines(f"column {chosen['label']!r}", chosen["label"]), *others]
    notes += alike({kind: np.unique(values[kind]).tolist() for kind in KINDS if kind in values})
    return ScoreFile(
        parts=parts,
        named=named,
        rows=table.num_rows,
        unassigned=int(np.sum(part == "")),
        notes=(*notes, _about_scores(chosen["score"], columns)),
        below_chance=_below_chance(count, columns),
    )


def _present(column: pa.ChunkedArray) -> NDArray[np.str_]:
    """Return a column as text, "" where a value is missing or only says so (`nan`, `None`)."""
    words, index = np.unique(texts(column), return_inverse=True)
    return np.array([present(word) for word in words.tolist()], dtype=np.str_)[index.reshape(-1)]


def _labels(found: NDArray[np.str_], count: LabelCount) -> NDArray[np.int64]:
    """Translate the labels, each distinct value once."""
    words, first, index, sizes = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    labels = {
        number: count.read(words[number], f"row {first[number] + 1}", int(sizes[number]))
        for number in np.argsort(first).tolist()
    }
    return np.array([labels[number] for number in range(len(words))], dtype=np.int64)[index.reshape(-1)]


def _parts(found: NDArray[np.str_]) -> NDArray[np.str_]:
    """Translate the names of parts, each distinct word once."""
    words, first, index = np.unique(found, return_index=True, return_inverse=True)
    meanings = []
    for word, row in zip(words.tolist(), first.tolist(), strict=True):
        name = word.lower().replace(" ", "-").replace("_", "-")
        if name and name not in PARTS:
            raise DataError(f"row {row + 1}: part {word!r} is unknown.{closest(name, PARTS)}")
        meanings.append(PARTS.get(name, ""))
    return np.array(meanings)[index.reshape(-1)]


def _about_scores(column: str, columns: ColumnNames) -> str:
    """Return the line that says what the scores are taken for; a warning if the column's name contradicts it."""
    said = claim(column)
    doubt = "warning: " if said is not None and (said == ATTACK) != columns.attack_scores else ""
    if columns.attack_scores:
        return f"{doubt}scores: column {column!r} is P(attack), as --attack-scores states."
    return f"{doubt}scores: column {column!r} is P(bona fide); if it is P(attack), add --attack-scores."


def _below_chance(count: LabelCount, columns: ColumnNames) -> str:
    scores = f"the scores are {'P(bona fide)' if columns.attack_scores else 'P(attack)'}"
    scores += f" ({'leave out' if columns.attack_scores else 'add'} --attack-scores)"
    if not any(is_number(plain(value)) for value, _ in count.counts):
        return f"AUC below 50 %: either {scores}, or the detector is worse than chance."
    option, one = count.values.option, count.values.meaning("1")
    labels = f"label 1 means an attack ({option} 0)" if one == BONA_FIDE else f"label 1 is bona fide ({option} 1)"
    return (
        f"AUC below 50 %: either {scores}, or {labels}. Both give the same AUC, but they swap APCER and BPCER: decide "
        "by what wrote the file, not by the figures."
    )


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = texts(column)
        with contextlib.suppress(ValueError):
            return found.astype(np.float64)
        try:
            # Spreadsheets write a decimal comma in many countries, with another separator between columns.
            return np.char.replace(found, ",", ".").astype(np.float64)
        except ValueError:
            row = next(row for row, text in enumerate(found.tolist()) if not _is_number(text.replace(",", ".")))
            raise DataError(f"row {row + 1}: score {str(found[row])!r} is no number.") from None
    try:
        numbers: NDArray[np.float64] = pc.cast(column, pa.float64()).to_numpy()
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"its scores are no numbers but {column.type}.") from error
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path, columns: ColumnNames) -> tuple[pa.Table, dict[str, str], list[str]]:
    try:
        names = pq.read_schema(path).names
        chosen = _choose(path, names, columns)
        table = pq.read_table(path, columns=list(chosen.values()))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({_first_line(error)}).") from error
    return table.select(list(chosen.values())).rename_columns(list(chosen)), chosen, rivals(names, chosen)


def _read_text(path: Path, columns: ColumnNames) -> tuple[pa.Table, dict[str, str], list[str]]:
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: has suffix {path.suffix!r}; scores are read from .csv, .tsv or .parquet.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
        names = next(csv.reader([header], delimiter=delimiter), [])
        chosen = _choose(path, names, columns)
        options = pyarrow.csv.ConvertOptions(
            include_columns=list(chosen.values()), column_types=dict.fromkeys(chosen.values(), pa.string())
        )
        parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        table = pyarrow.csv.read_csv(path, parse_options=parse, convert_options=options)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason}).") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except pa.ArrowException as error:
        raise DataError(f"{path}: is no CSV of {len(names)} columns ({_first_line(error)}).") from error
    return table.rename_columns(list(chosen)), chosen, rivals(names, chosen)


def _choose(path: Path, names: Sequence[str], columns: ColumnNames) -> dict[str, str]:
    """Return column -> its name in the file, by `ColumnNames.names` first, then by synonyms in their order."""
    for wanted in columns.names.values():
        if wanted not in names:
            raise DataError(f"{path}: has no column {wanted!r}.{closest(wanted, names)}")
    free = [name for name in names if name not in columns.names.values()]
    wordings = {column: words for column, words in SCORE_COLUMNS.items() if column not in columns.names}
    found = {**choose(free, wordings), **columns.names}
    chosen = {column: found[column] for column in SCORE_COLUMNS if column in found}
    lacking = [column for column in ("label", "score") if column not in chosen]
    if is_data(names) and (lacking or any(is_data([name]) for name in columns.names.values())):
        first = ",".join(names)
        raise DataError(
            f"{path}: has no header: its first line, {first!r}, holds values. Put a line with the names of the columns "
            "above it, such as label,score."
        )
    if twice := doubled(names, chosen):
        raise DataError(f"{path}: has column {twice!r} twice; rename one, or leave it out.")
    if lacking:
        hint = f"Name it with --column {lacking[0]}=NAME."
        turned = next((name for name in free if claim(name) == ATTACK), None) if lacking[0] == "score" else None
        if turned is not None:
            hint = f"If {turned!r} is P(attack), add --column score={turned} --attack-scores."
        told = ", ".join(names) or "none"
        raise DataError(f"{path}: has no column {lacking[0]!r}, nor a synonym; its columns: {told}. {hint}")
    return chosen


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
