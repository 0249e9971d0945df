"""Measures on a dataset how a model's verdicts hold if the box or the size of the face changes. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Frame
from padkit.data.preparation.cropping import Tally
from padkit.data.preparation.squares import Square
from padkit.data.table.frames import FrameTable
from padkit.deploy.cutting import PolicyCropper, VariedCropper
from padkit.deploy.predictor import Predictor
from padkit.deploy.stability import OF_BOX, SCALE, SHIFT, FaceStability, SizeErrors, error_by_side, flips, varied
from padkit.errors import DataError

PHOTOGRAPHS, SURROUNDINGS, CROPS = "photographs", "stored crops with room", "stored crops"
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Stable:
    """How a model's verdicts hold, over one frame of each of several presentations.

    Attributes:
        faces: What changes did to each face.
        usual: P(bona fide) of their crops as they are [n].
        labels: 1 = bona fide, 0 = attack [n].
        where: What the boxes were changed in: `PHOTOGRAPHS`, `SURROUNDINGS` or, where crops are all there is, `CROPS`.
        errors: The curve of error over face size.
        threshold, policy: What the verdicts are by.
    """

    faces: tuple[FaceStability, ...]
    usual: NDArray[np.float64]
    labels: NDArray[np.int64]
    where: str
    errors: tuple[SizeErrors, ...]
    threshold: float
    policy: str

    def record(self) -> dict[str, Any]:
        """Return the figures as plain JSON values, as bundles and runs keep them; shares in [0, 1]."""
        shares = flips(self.faces)
        assert shares is not None, "a `Stable` has at least one face"
        return {
            "faces": shares.faces,
            "boxes_changed_in": self.where,
            "policy": self.policy,
            "threshold": self.threshold,
            "flipped_verdicts": shares.share,
            "faces_with_a_flip": shares.any,
            "by_change": dict(shares.by_change),
            "by_face_side": [asdict(row) for row in self.errors],
        }


def steady(
    predictor: Predictor, table: FrameTable, rows: NDArray[np.int64], limit: int, cropper: PolicyCropper | None = None
) -> Stable | None:
    """Return how verdicts hold under changes of the box and of the face's size; None if nothing is looked at.

    Args:
        predictor: The model.
        table: Crops as the model takes them.
        rows: The rows that count [F], ascending.
        limit: Presentations looked at, at most, one frame each; drawn evenly from both classes.
        cropper: What cut the crops from photographs, in which boxes are then changed; None for crops that came as
            such. Their boxes are changed in the room stored around them, if that is enough, or else within them.
    """
    names, labels = table.coded("presentation").codes, table.column("label")
    _, first = np.unique(names[rows], return_index=True)
    chosen = _drawn(rows[first], labels[rows[first]], limit)
    margin = predictor.bundle.crop.margin
    if cropper is not None:
        where, faces = PHOTOGRAPHS, _of_photographs(table, chosen, cropper)
    elif table.room + _ROUNDING >= room_needed(margin):
        where, faces = SURROUNDINGS, _of_surroundings(table, chosen, predictor.bundle.image_size, margin)
    else:
        where, faces = CROPS, _of_crops(table, chosen, predictor.bundle.image_size, margin)
    found: list[FaceStability] = []
    usual, kept = [], []
    for label, crop, changed, own in faces:
        score, stability = predictor.stability_of(crop, changed, own)
        found.append(stability)
        usual.append(score)
        kept.append(label)
    if not found:
        return None
    scores, truth = np.array(usual), np.array(kept, dtype=np.int64)
    threshold = predictor.bundle.choose(predictor.policy)
    errors = tuple(error_by_side(found, scores, truth, threshold.value))
    return Stable(
        faces=tuple(found), usual=scores, labels=truth, where=where, errors=errors, threshold=threshold.value,
        policy=threshold.policy,
    )  # fmt: skip


def room_needed(margin: float) -> float:
    """Return the room around crops, as a share of their side, in which every change of the box can be made.

    Args:
        margin: Share of the box's side that was added on each side.
    """
    return max(SCALE / 2, SHIFT / (1 + 2 * margin))


def _drawn(rows: NDArray[np.int64], labels: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return at most `limit` rows, half of each class where there are enough, drawn by a fixed seed."""
    if len(rows) <= limit:
        return rows
    generator = np.random.default_rng(0)
    classes = sorted((rows[labels == label] for label in (0, 1)), key=len)
    few = generator.permutation(classes[0])[: limit // 2]
    return np.sort(np.concatenate([few, generator.permutation(classes[1])[: limit - len(few)]]))


# Label, crop, changed crops by name, and the face's side in pixels where it was largest.
_Face = tuple[int, Frame, dict[str, Frame], float]


def _of_crops(table: FrameTable, rows: NDArray[np.int64], size: int, margin: float) -> Iterator[_Face]:
    labels = table.column("label")
    for row in rows:
        crop = np.ascontiguousarray(table.image(int(row)).transpose(1, 2, 0))
        yield (
            int(labels[row]), crop, varied(Image.fromarray(crop), None, size, margin), len(crop) / (1 + 2 * margin),
        )  # fmt: skip


def _of_surroundings(table: FrameTable, rows: NDArray[np.int64], size: int, margin: float) -> Iterator[_Face]:
    labels = table.column("label")
    for row in rows:
        crop = np.ascontiguousarray(table.image(int(row)).transpose(1, 2, 0))
        whole = table.surroundings(int(row))
        middle = Square(len(whole) / 2, len(whole) / 2, len(crop))
        changed = varied(Image.fromarray(whole), middle, size, margin)
        yield int(labels[row]), crop, changed, len(crop) / (1 + 2 * margin)


def _of_photographs(table: FrameTable, rows: NDArray[np.int64], cropper: PolicyCropper) -> Iterator[_Face]:
    options = replace(cropper.options, frames="uniform:1")
    cutter = VariedCropper(cropper.reader, options, cropper.drop)
    wanted = {*table.column("presentation")[rows].tolist()}
    for record in cutter.records():
        if record.id not in wanted:
            continue
        try:
            (_, crops), *_ = cutter.crops(record, Tally())
        except DataError:  # counted when the table was prepared; a presentation may have further files
            continue
        wanted.discard(record.id)
        names = (change.name for change in OF_BOX)
        yield record.label, crops[0], dict(zip(names, crops[1:], strict=True)), cutter.sides[-1]
