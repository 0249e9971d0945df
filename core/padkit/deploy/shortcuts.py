"""Measures what a model's figures lean on besides the attack: colour, the camera, the preparation. Imports no torch.

A detector that tells attacks by their brightness or their colour has a high AUC on data in which attacks are darker or
bluer, and none elsewhere. So the same presentations are scored again with their colours taken away, and cut in another
way; what their AUC loses or gains is what rested on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.pictures import Frame
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.presentation import BONA_FIDE
from padkit.data.reader import DatasetReader
from padkit.deploy.colour import colour_normalised
from padkit.deploy.cutting import PolicyCropper
from padkit.deploy.predictor import Predictor
from padkit.deploy.stretching import StretchedCropper
from padkit.evaluation.metrics import auc
from padkit.evaluation.scores import COLUMNS, Scores, presentation_scores
from padkit.evaluation.statistics.delong import AucDifference, delong

BATCH = 64
LARGE = 0.03  # of the AUC
COLOURS, STRETCHED = "colours normalised", "stretched to the square, not cut"
CAMERAS = ("device", "domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change of the images does.

    Attributes:
        name: The change.
        presentations: How many were scored both ways.
        auc: AUC as the images are, first, and after the change, second, with DeLong's interval of the difference.
    """

    name: str
    presentations: int
    auc: AucDifference

    @property
    def large(self) -> bool:
        """Whether the AUC differs by more than `LARGE`."""
        return abs(self.auc.difference) > LARGE


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRow:
    """The presentations of one device or domain.

    Attributes:
        name: The device or domain; "" where it is not known.
        bona_fide, attack: Presentations.
        auc, auc_normalised: AUC as they are and with colours normalised; None where a class is missing.
    """

    name: str
    bona_fide: int
    attack: int
    auc: float | None
    auc_normalised: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """What a model's figures lean on.

    Attributes:
        changes: The changes of the images that were made.
        cameras: `device` and `domain`, where they have several values, with a row for each.
        not_measured: Why the preparation was not changed; "" if it was.
    """

    changes: tuple[Change, ...]
    cameras: Mapping[str, tuple[CameraRow, ...]] = field(default_factory=dict)
    not_measured: str = ""

    def record(self) -> dict[str, Any]:
        """Return the figures as plain JSON values; AUC in [0, 1]."""
        return {
            "changes": [{**asdict(one), "large": one.large} for one in self.changes],
            "cameras": {column: [asdict(row) for row in rows] for column, rows in self.cameras.items()},
            "preparation_not_measured": self.not_measured,
        }


def shortcuts(
    predictor: Predictor,
    table: FrameTable,
    rows: NDArray[np.int64],
    frame_scores: NDArray[np.float32],
    reader: DatasetReader,
    cropper: PolicyCropper | None = None,
) -> Shortcuts:
    """Score presentations again with their colours taken away and cut in another way.

    Args:
        predictor: The model.
        table: Crops as the model takes them.
        rows: The rows that count [F], ascending.
        frame_scores: P(bona fide) of each [F].
        reader: The dataset that they are from.
        cropper: What cut them from photographs; None for crops that came as such.

    Raises:
        DataError: A class is missing, or the data cannot be read again.
    """
    usual = presentations(table, rows, frame_scores)
    plain = presentations(table, rows, scored(predictor, table, rows, colour_normalised))
    changes = [Change(name=COLOURS, presentations=len(usual), auc=delong(usual.label, usual.score, plain.score))]
    cameras = {column: found for column in CAMERAS if len(found := _by_camera(usual, plain, column)) > 1}
    other, why = _stretched(predictor, table, rows, reader, cropper)
    if other is not None:
        one, two = _matched(usual, other)
        changes.append(Change(name=STRETCHED, presentations=len(one), auc=delong(one.label, one.score, two.score)))
    return Shortcuts(changes=tuple(changes), cameras=cameras, not_measured=why)


def _stretched(
    predictor: Predictor,
    table: FrameTable,
    rows: NDArray[np.int64],
    reader: DatasetReader,
    cropper: PolicyCropper | None,
) -> tuple[Scores | None, str]:
    """Return the scores of the presentations behind `rows`, stretched, or why there are none."""
    if reader.tables():
        return None, "prepared tables hold squares only; give the photographs or the crops themselves as data"
    if cropper is None:
        other = StretchedCropper(reader, size=int(table.preparation["image_size"]))
    else:
        other = StretchedCropper(reader, cropper.options, cropper.drop)
    again = prepare(other, dataset_name=f"{table.preparation['dataset']}-stretched", progress=False)
    if _same_pixels(table, again):
        return None, "all pictures, or boxes of faces, are square, so that stretching changes nothing"
    wanted = {*table.column("presentation")[rows].tolist()}
    mine = np.array([name in wanted for name in again.column("presentation").tolist()], dtype=np.bool_)
    chosen = np.flatnonzero(mine)
    return presentations(again, chosen, scored(predictor, again, chosen, None)), ""


def _same_pixels(table: FrameTable, again: FrameTable) -> bool:
    rows = range(len(table))
    return len(table) == len(again) and all(np.array_equal(table.image(row), again.image(row)) for row in rows)


def scored(
    predictor: Predictor, table: FrameTable, rows: NDArray[np.int64], change: Callable[[Frame], Frame] | None
) -> NDArray[np.float32]:
    """Return P(bona fide) [F] of the frames in `rows` [F], each changed by `change` if there is one."""
    return np.concatenate([predictor.scores(crops) for crops in _crops(table, rows, change)])


def _crops(
    table: FrameTable, rows: NDArray[np.int64], change: Callable[[Frame], Frame] | None
) -> Iterator[list[Frame]]:
    for start in range(0, len(rows), BATCH):
        crops = [table.image(int(row)).transpose(1, 2, 0) for row in rows[start : start + BATCH]]
        yield crops if change is None else [change(crop) for crop in crops]


def presentations(table: FrameTable, rows: NDArray[np.int64], values: NDArray[np.float32]) -> Scores:
    """Return the scores of the presentations that the frames in `rows` [F] belong to; `values` [F] are the frames'."""
    names = (name for name in COLUMNS if name not in ("score", "frames"))
    return presentation_scores({name: table.column(name)[rows] for name in names}, values)


def _matched(usual: Scores, other: Scores) -> tuple[Scores, Scores]:
    """Return the presentations that both hold, in the order of the first; data sets have one name here each."""
    places = {name: place for place, name in enumerate(other.presentation.tolist())}
    kept = np.array([name in places for name in usual.presentation.tolist()], dtype=np.bool_)
    one = usual.select(kept)
    return one, other.select(np.array([places[name] for name in one.presentation.tolist()], dtype=np.int64))


def _by_camera(usual: Scores, plain: Scores, column: str) -> tuple[CameraRow, ...]:
    names: NDArray[np.str_] = getattr(usual, column)
    rows = []
    for name in np.unique(names):
        mine = names == name
        alive = usual.label[mine] == BONA_FIDE
        both = bool(alive.any() and not alive.all())
        rows.append(
            CameraRow(
                name=str(name), bona_fide=int(alive.sum()), attack=int((~alive).sum()),
                auc=auc(usual.label[mine], usual.score[mine]) if both else None,
                auc_normalised=auc(plain.label[mine], plain.score[mine]) if both else None,
            )
        )  # fmt: skip
    return tuple(rows)
