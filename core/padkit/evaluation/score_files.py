"""Reads score files of any program: CSV, TSV or Parquet.

One row per presentation, or several (its frames), whose scores are averaged. Columns may have any of these names,
whatever the case, blanks and dashes; other columns are ignored:

| column | synonyms | meaning |
|---|---|---|
| `label` | `labels`, `class`, `target`, `y_true`, `ground_truth`, `gt`, `is_live`, `liveness_label` | 1, live, real, bona_fide, genuine; 0, spoof, attack, fake |
| `score` | `scores`, `live_score`, `liveness`, `liveness_score`, `p_live`, `live_prob`, `prob_live`, `bona_fide_score`, `probability`, `prob`, `y_score` | P(bona fide) in [0, 1] |
| `presentation` | `presentation_id`, `video`, `video_id`, `sample`, `sample_id`, `id`, `file`, `filename`, `path`, `image`, `name` | the presentation of the row; its frames share this name |
| `dataset` | `database` | identifies a presentation together with `presentation` |
| `domain` | `capture_domain` | capture domain |
| `part` | `split`, `partition`, `subset` | test, dev (val, ...), train; `source-dev` or `target-dev` if there are both |
| `subject` | `subject_id`, `person`, `identity`, `client`, `client_id` | the person before the camera |
| `attack_type` | `attack`, `type`, `spoof_type` | print, replay, ... |
| `species` | `pai`, `pai_species`, `pais`, `instrument` | PAI species, finer than the type |
| `device` | `camera`, `capture_device`, `sensor`, `phone` | capture device |

Only `label` and `score` are required. `ColumnNames.names` maps columns with other names.
"""  # noqa: E501 - rows of a table

from __future__ import annotations

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

from padkit.data.presentation import LABEL_NAMES
from padkit.errors import DataError, SettingsError, closest
from padkit.evaluation.scores import Scores, presentation_scores, texts

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "label": ("labels", "class", "target", "y_true", "ground_truth", "gt", "is_live", "liveness_label"),
    "score": (
        "scores", "live_score", "liveness", "liveness_score", "p_live", "live_prob", "prob_live", "bona_fide_score",
        "probability", "prob", "y_score",
    ),
    "presentation": (
        "presentation_id", "video", "video_id", "sample", "sample_id", "id", "file", "filename", "path", "image",
        "name",
    ),
    "dataset": ("database",),
    "domain": ("capture_domain",),
    "part": ("split", "partition", "subset"),
    "subject": ("subject_id", "person", "identity", "client", "client_id"),
    "attack_type": ("attack", "type", "spoof_type"),
    "species": ("pai", "pai_species", "pais", "instrument"),
    "device": ("camera", "capture_device", "sensor", "phone"),
}  # fmt: skip
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
    """

    names: Mapping[str, str] = field(default_factory=dict)
    attack_scores: bool = False

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in SYNONYMS:
                raise SettingsError(f"--column {name!r} is no column of a score file.{closest(name, SYNONYMS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """The content of a score file.

    Attributes:
        parts: Scores by part: `test`, `dev`, `source-dev`, `target-dev`, `train`; all of them `test` if the file has no
            column `part`.
        named: Whether the file names its presentations; otherwise they are numbered by row.
        rows: Rows read.
        unassigned: Rows left out because their part is blank although other rows have one.
    """

    parts: Mapping[str, Scores]
    named: bool
    rows: int
    unassigned: int


def read_score_file(path: Path, columns: ColumnNames | None = None) -> ScoreFile:
    """Read a score file of any program; see the module's table.

    Raises:
        DataError: The file cannot be read, lacks a column, or holds a label, score or part that is not valid; the error
            names the file and the row.
    """
    columns = columns or ColumnNames()
    table = _read_parquet(path, columns) if path.suffix.lower() in {".parquet", ".pq"} else _read_text(path, columns)
    try:
        return _scores(table, columns)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _scores(table: pa.Table, columns: ColumnNames) -> ScoreFile:
    if not table.num_rows:
        raise DataError("holds no scores; give one row per presentation.")
    score = _numbers(table.column("score"))
    if columns.attack_scores:
        score = 1 - score
    values: dict[str, Any] = {name: texts(table.column(name)) for name in table.column_names if name != "score"}
    values["label"] = _words("label", values["label"], LABEL_NAMES).astype(np.int64)
    named = "presentation" in values
    if not named:
        values["presentation"] = np.arange(1, table.num_rows + 1).astype(np.str_)
    part = _words("part", values.pop("part", np.full(table.num_rows, "")), {"": "", **PARTS})
    if not np.any(part != ""):
        part = np.full(table.num_rows, "test")
    parts = {}
    for name in dict.fromkeys(PARTS.values()):
        rows = part == name
        if np.any(rows):
            chosen = {key: column[rows] for key, column in values.items()}
            chosen["split"] = np.full(int(np.sum(rows)), name.rpartition("-")[2])
            parts[name] = presentation_scores(chosen, score[rows])
    return ScoreFile(parts=parts, named=named, rows=table.num_rows, unassigned=int(np.sum(part == "")))


def _words(name: str, found: NDArray[Any], known: Mapping[str, Any]) -> NDArray[Any]:
    """Translate a column's words, each distinct word once; 1.0 counts as 1."""
    words, index = np.unique(found, return_inverse=True)
    meanings = []
    for word in words.tolist():
        plain = word.strip().lower().replace(" ", "_")
        if name == "label":
            plain = {"1.0": "1", "0.0": "0", "true": "1", "false": "0"}.get(plain, plain.replace("-", "_"))
        else:
            plain = plain.replace("_", "-")
        if plain not in known:
            row = int(np.argmax(found == word)) + 1
            raise DataError(f"row {row}: {name} {word!r} is unknown.{closest(plain, filter(None, known))}")
        meanings.append(known[plain])
    return np.array(meanings)[index.reshape(-1)]


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = texts(column)
        try:
            return found.astype(np.float64)
        except ValueError:
            row = next(row for row, text in enumerate(found.tolist()) if not _is_number(text))
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


def _read_parquet(path: Path, columns: ColumnNames) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        chosen = _choose(path, names, columns)
        table = pq.read_table(path, columns=list(chosen.values()))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({_first_line(error)}).") from error
    return table.select(list(chosen.values())).rename_columns(list(chosen))


def _read_text(path: Path, columns: ColumnNames) -> pa.Table:
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
    return table.rename_columns(list(chosen))


def _choose(path: Path, names: Sequence[str], columns: ColumnNames) -> dict[str, str]:
    """Return column -> its name in the file, by `ColumnNames.names` first, then by synonyms in their order."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.strip().lower().replace(" ", "_").replace("-", "_"), name)
    chosen: dict[str, str] = {}
    for column, synonyms in SYNONYMS.items():
        if column in columns.names:
            wanted = columns.names[column]
            if wanted not in names:
                raise DataError(f"{path}: has no column {wanted!r}.{closest(wanted, names)}")
            chosen[column] = wanted
            continue
        found = next((word for word in (column, *synonyms) if word in folded), None)
        if found is not None and folded[found] not in columns.names.values():
            chosen[column] = folded[found]
    for column in ("label", "score"):
        if column not in chosen:
            found_names = ", ".join(names) or "none"
            raise DataError(
                f"{path}: has no column {column!r}, nor a synonym; its columns: {found_names}. "
                f"Name it with --column {column}=NAME."
            )
    return chosen


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
