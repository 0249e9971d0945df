"""The scores of one evaluation: one row per presentation, stored as columns.

On disk `scores.parquet` has the columns of `Scores`, in that order: text for the names, int64 for `label` and `frames`,
float64 for `score`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError
from padkit.files import write_atomically

UNNAMED_SPECIES = "attack"
_NUMBERS: Mapping[str, type[np.generic]] = {"label": np.int64, "score": np.float64, "frames": np.int64}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Scores of at least one presentation; every attribute is an array [N], converted and checked on construction.

    Attributes:
        presentation: Identifier, unique within its dataset.
        dataset, domain, split, subject, device: As in `padkit.data.presentation.Presentation`; "" where unknown.
        label: 1 = bona fide, 0 = attack.
        attack_type, species: Kind of attack and PAI species; "" for bona fide.
        score: P(bona fide) in [0, 1], the mean over the presentation's frames.
        frames: How many frames the mean was taken over.

    Raises:
        DataError: No row, columns of different length, a label other than 0 and 1, a score that is not a number in
            [0, 1], or a presentation without frames.
    """

    presentation: NDArray[np.str_]
    dataset: NDArray[np.str_]
    domain: NDArray[np.str_]
    split: NDArray[np.str_]
    subject: NDArray[np.str_]
    label: NDArray[np.int64]
    attack_type: NDArray[np.str_]
    species: NDArray[np.str_]
    device: NDArray[np.str_]
    score: NDArray[np.float64]
    frames: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in COLUMNS:
            object.__setattr__(self, name, _column(name, getattr(self, name)))
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise DataError(f"scores: columns differ in length ({lengths}); every presentation needs every column.")
        if not len(self):
            raise DataError("scores: empty, no presentation was scored; check the target, its split and the protocol.")
        check_labels(self.label)
        check_scores(self.score, self.presentation)
        if np.any(self.frames < 1):
            who = self.presentation[np.argmax(self.frames < 1)]
            raise DataError(f"scores: presentation {str(who)!r} has no frame; leave it out or give its frames.")

    def __len__(self) -> int:
        return len(self.score)

    @property
    def pai_species(self) -> NDArray[np.str_]:
        """PAI species [N] for APCER: `species`, else `attack_type`, else "attack"; "" for bona fide."""
        named = np.where(self.species != "", self.species, self.attack_type)
        named = np.where(named != "", named, UNNAMED_SPECIES)
        return np.where(self.label == ATTACK, named, "")

    def select(self, mask: ArrayLike) -> Self:
        """Return the rows that a Boolean mask [N] or row numbers pick.

        Raises:
            DataError: No row is left.
        """
        rows = np.asarray(mask)
        return type(self)(**{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS = tuple(field.name for field in fields(Scores))
_METADATA = tuple(name for name in COLUMNS if name not in {"presentation", "label", "score", "frames"})


def check_labels(labels: NDArray[Any]) -> None:
    """Raise DataError unless every label is 0 or 1."""
    wrong = ~np.isin(labels, (ATTACK, BONA_FIDE))
    if np.any(wrong):
        raise DataError(f"labels: {labels[np.argmax(wrong)]} is neither 1 (bona fide) nor 0 (attack); map it first.")


def check_scores(scores: NDArray[np.float64], names: NDArray[np.str_] | None = None) -> None:
    """Raise DataError unless every score is a number in [0, 1]; `names` [N] identify wrong scores in the error."""
    wrong = ~((scores >= 0) & (scores <= 1))  # true for NaN as well
    if np.any(wrong):
        row = int(np.argmax(wrong))
        who = f"presentation {str(names[row])!r}" if names is not None else f"row {row}"
        cause = "is NaN; the model diverged" if np.isnan(scores[row]) else f"is {float(scores[row])}, outside [0, 1]"
        raise DataError(f"scores: {who} {cause}; a score is P(bona fide), the softmax or sigmoid of the model.")


def presentation_scores(frames: Mapping[str, ArrayLike], frame_scores: ArrayLike) -> Scores:
    """Average frame scores over each presentation; presentations keep the order of their first frame.

    Args:
        frames: Columns with one entry per frame [F]: `presentation` and `label`, and if known `dataset`, `domain`,
            `split`, `subject`, `attack_type`, `species`, `device`; other columns are ignored. A presentation is
            identified by its dataset together with its identifier.
        frame_scores: P(bona fide) of each frame [F], in [0, 1].

    Raises:
        DataError: A column is missing or of another length, a score is not in [0, 1], there is no frame, or frames of
            one presentation disagree on its label.
    """
    missing = [name for name in ("presentation", "label") if name not in frames]
    if missing:
        raise DataError(f"frame table: column {missing[0]!r} is missing; it has {', '.join(frames) or 'no columns'}.")
    scores = _column("score", frame_scores)
    columns = {name: _column(name, frames[name]) for name in ("presentation", "label", *_METADATA) if name in frames}
    for name, column in columns.items():
        if len(column) != len(scores):
            raise DataError(f"frame table: {len(column)} entries in {name!r} but {len(scores)} scores; give one each.")
    if not len(scores):
        raise DataError("frame table: no frame to score; check the target, its split and the protocol.")
    check_scores(scores, columns["presentation"])
    blank = np.full(len(scores), "", dtype=np.str_)
    first, group = _groups(columns.get("dataset", blank), columns["presentation"])
    if np.any(columns["label"] != columns["label"][first][group]):
        row = int(np.argmax(columns["label"] != columns["label"][first][group]))
        who = str(columns["presentation"][row])
        raise DataError(f"frame table: presentation {who!r} has frames of both labels; give each its own identifier.")
    counts = np.bincount(group)
    values = {name: columns.get(name, blank)[first] for name in ("presentation", "label", *_METADATA)}
    return Scores(**values, score=np.bincount(group, weights=scores) / counts, frames=counts)


def write_scores(scores: Scores, path: Path | str) -> None:
    """Write `scores` as Parquet, whole or not at all.

    Raises:
        DataError: The file cannot be written.
    """
    path = Path(path)
    table = pa.table({name: pa.array(getattr(scores, name).tolist(), type=_arrow_type(name)) for name in COLUMNS})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    write_atomically(path, buffer.getvalue().to_pybytes())


def read_scores(path: Path | str) -> Scores:
    """Read what `write_scores` wrote; columns that `Scores` does not have are ignored.

    Raises:
        DataError: The file is missing, is not a Parquet file, lacks a column or fails the checks of `Scores`.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read as Parquet ({cause}); give the scores.parquet of a run.") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: column {missing[0]!r} is missing; a score table has {', '.join(COLUMNS)}.")
    try:
        return Scores(**{name: _values(name, table.column(name)) for name in COLUMNS})
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    """Return an Arrow column as text, "" for missing values; each distinct value is decoded once.

    Raises:
        DataError: It holds lists or structures.
    """
    try:
        coded = column.dictionary_encode().unify_dictionaries()
    except pa.ArrowException as error:
        raise DataError(f"a column holds {column.type}; give one text or number per row.") from error
    if not coded.num_chunks:
        return np.empty(0, dtype=np.str_)
    words = ["" if word is None else _text(word) for word in coded.chunk(0).dictionary.to_pylist()]
    missing = len(words)
    codes = np.concatenate([chunk.indices.fill_null(missing).to_numpy(zero_copy_only=False) for chunk in coded.chunks])
    found: NDArray[np.str_] = np.array([*words, ""], dtype=np.str_)[codes]
    return found


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return str(value)


def _values(name: str, column: pa.ChunkedArray) -> Any:
    return column.to_numpy() if name in _NUMBERS else texts(column)


def _arrow_type(name: str) -> Any:
    return pa.from_numpy_dtype(_NUMBERS[name]) if name in _NUMBERS else pa.string()


def _column(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return `values` as a one-dimensional array of the type that column `name` has."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"scores: column {name!r} has shape {array.shape}; give one value per row.")
    if name not in _NUMBERS:
        return array.astype(np.str_)
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"scores: column {name!r} holds something that is not a number ({error}).") from error
    if name == "score":
        return numbers
    if not np.all(numbers == np.floor(numbers)):  # a label of 0.5 or NaN must not pass as 0
        raise DataError(f"scores: column {name!r} holds something that is not a whole number; it must be one.")
    return array.astype(np.int64)


def _groups(*keys: NDArray[np.str_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first row of each group of equal keys, by first appearance, and every row's group number."""
    codes = np.stack([np.unique(key, return_inverse=True)[1] for key in keys], axis=1)
    _, first, group = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[group.reshape(-1)]
