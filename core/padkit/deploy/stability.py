"""Whether verdicts hold when the face's box moves a little, and how errors grow as faces get smaller. Imports no torch.

In a photograph the box is scaled by 0.9 and 1.1 and shifted by 5 % of its side to each side, and the crop is cut again
from the photograph. A stored crop has nothing around it: there only boxes smaller by up to 10 % can be cut, and shifts
of such a smaller box within the crop, whose verdict is compared with that of the smaller box in place. Both are
reported under their own names, because the second says less.

Smaller faces are simulated: the crop is shrunk until the face has so many pixels. The noise, the optics and the
perspective of a face that is further away are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Frame
from padkit.data.preparation.squares import Square, cut
from padkit.data.presentation import BONA_FIDE

SCALE, SHIFT = 0.1, 0.05  # of the box's side
FACE_SIDES = (24, 32, 48, 64, 96, 128, 192)  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the face's box.

    Attributes:
        name: What is changed.
        scale: The box's side is multiplied by it.
        right, down: The box is shifted by these shares of its side.
        base: Name of the change whose verdict it is compared with; "" for the crop as it is.
    """

    name: str
    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0
    base: str = ""


SHIFTS = tuple(
    Change(name=f"shift 5 % {side}", right=SHIFT * x, down=SHIFT * y)
    for side, x, y in (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1))
)
OF_BOX = (
    Change(name="box 10 % smaller", scale=1 - SCALE),
    Change(name="box 10 % larger", scale=1 + SCALE),
    *SHIFTS,
)
_SMALLER = "box 10 % smaller"
WITHIN = (
    Change(name="box 5 % smaller", scale=1 - SCALE / 2),
    Change(name=_SMALLER, scale=1 - SCALE),
    *(replace(shift, name=f"{shift.name} of a box 10 % smaller", scale=1 - SCALE, base=_SMALLER) for shift in SHIFTS),
)
BASES = {change.name: change.base for change in WITHIN if change.base}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceStability:
    """What changes of the box and of the size do to one face.

    Attributes:
        scores: P(bona fide) after each change of the box, by its name.
        flipped: Names of those changes after which the verdict is another one.
        by_side: P(bona fide) of the face shrunk to a side in pixels, for sides below its own.
        flipped_sides: Those sides at which the verdict is another one.
    """

    scores: Mapping[str, float]
    flipped: tuple[str, ...]
    by_side: Mapping[int, float]
    flipped_sides: tuple[int, ...]

    def to_dict(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return {
            "scores": dict(self.scores),
            "flipped": list(self.flipped),
            "by_face_side": {str(side): score for side, score in self.by_side.items()},
            "flipped_at_face_side": list(self.flipped_sides),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Shares in [0, 1] of flipped verdicts over several faces.

    Attributes:
        faces: Faces looked at.
        by_change: Share of faces whose verdict flips, for each change of the box.
        share: Share of verdicts that flip over all faces and changes: the mean of `by_change`.
        any: Share of faces whose verdict flips under at least one change.
        by_side: Share of faces whose verdict flips when shrunk to a side in pixels, and how many were larger before.
    """

    faces: int
    by_change: Mapping[str, float]
    share: float
    any: float
    by_side: Mapping[int, tuple[float, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeErrors:
    """Errors of faces shrunk to one size: a point of the curve of error over face size.

    Attributes:
        side: Side of the face in pixels; None for the faces as they are.
        bona_fide, attack: Faces that were larger before.
        apcer_pooled, bpcer: Their error rates in [0, 1].
    """

    side: int | None
    bona_fide: int
    attack: int
    apcer_pooled: float
    bpcer: float


def moved(square: Square, change: Change, margin: float) -> Square:
    """Return what is cut after a change of the box.

    Args:
        square: What is cut without it; its side is that of the box, enlarged by the margin on both sides.
        change: The change.
        margin: Share of the box's side that was added on each side.
    """
    box = square.side / (1 + 2 * margin)
    return replace(
        square,
        x=square.x + change.right * box,
        y=square.y + change.down * box,
        side=square.side * change.scale,
    )


def varied(picture: Image.Image, square: Square | None, size: int, margin: float) -> dict[str, Frame]:
    """Return the crops of a face after each change of its box, uint8 RGB [size, size, 3] each, by the change's name.

    Args:
        picture: The photograph, or the stored crop, mode RGB.
        square: What is cut from the photograph; None for a stored crop, which is the whole picture.
        size: Side of the crops in pixels.
        margin: Share of the box's side that was added on each side.
    """
    if square is not None:
        return {change.name: cut(picture, moved(square, change, margin), size) for change in OF_BOX}
    middle = Square(picture.width / 2, picture.height / 2, min(picture.size))
    return {change.name: cut(picture, moved(middle, change, margin), size) for change in WITHIN}


def shrunk(crop: Frame, margin: float, own: float) -> dict[int, Frame]:
    """Return a crop with its face shrunk to each of `FACE_SIDES` that is smaller, by the face's side in pixels.

    Args:
        crop: uint8 RGB [S, S, 3].
        margin: Share of the face's side that was added on each side.
        own: Side of the face in the photograph, or in the stored crop, in pixels.
    """
    share = 1 + 2 * margin
    most = min(len(crop) / share, own)
    picture = Image.fromarray(crop)
    found = {}
    for side in FACE_SIDES:
        if side < most:
            small = picture.resize((round(side * share),) * 2, Image.Resampling.BICUBIC)
            found[side] = np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC))
    return found


def face_stability(
    usual: float, scores: Mapping[str, float], by_side: Mapping[int, float], accepts: Callable[[float], bool]
) -> FaceStability:
    """Return what the scores of a face's changed crops say.

    Args:
        usual: P(bona fide) of the crop as it is.
        scores: P(bona fide) after each change of the box.
        by_side: P(bona fide) at each smaller side.
        accepts: Whether a score means bona fide.
    """
    before = {name: scores[base] if (base := BASES.get(name)) else usual for name in scores}
    return FaceStability(
        scores=scores,
        flipped=tuple(name for name, score in scores.items() if accepts(score) != accepts(before[name])),
        by_side=by_side,
        flipped_sides=tuple(side for side, score in by_side.items() if accepts(score) != accepts(usual)),
    )


def flips(found: Iterable[FaceStability]) -> Flips | None:
    """Return the shares over faces that were all cut alike; None if there is none."""
    faces = list(found)
    if not faces:
        return None
    names = list(dict.fromkeys(name for face in faces for name in face.scores))
    by_change = {
        name: float(np.mean([name in face.flipped for face in faces if name in face.scores])) for name in names
    }
    sides = {}
    for side in FACE_SIDES:
        larger = [side in face.flipped_sides for face in faces if side in face.by_side]
        if larger:
            sides[side] = (float(np.mean(larger)), len(larger))
    return Flips(
        faces=len(faces),
        by_change=by_change,
        share=sum(len(face.flipped) for face in faces) / sum(len(face.scores) for face in faces),
        any=float(np.mean([bool(face.flipped) for face in faces])),
        by_side=sides,
    )


def error_by_side(
    faces: Sequence[FaceStability], usual: NDArray[np.float64], labels: NDArray[np.int64], threshold: float
) -> list[SizeErrors]:
    """Return the curve of error over face size; a size at which one class is missing is left out.

    Args:
        faces: The faces.
        usual: [n], P(bona fide) of their crops as they are.
        labels: [n], 1 = bona fide, 0 = attack.
        threshold: Bona fide iff score >= threshold.
    """
    rows = []
    for side in (*FACE_SIDES, None):
        kept = [number for number, face in enumerate(faces) if side is None or side in face.by_side]
        scores = np.array([usual[number] if side is None else faces[number].by_side[side] for number in kept])
        alive = labels[kept] == BONA_FIDE
        if alive.any() and not alive.all():
            accepted = scores >= threshold
            rows.append(
                SizeErrors(
                    side=side, bona_fide=int(alive.sum()), attack=int((~alive).sum()),
                    apcer_pooled=float(accepted[~alive].mean()), bpcer=float((~accepted[alive]).mean()),
                )
            )  # fmt: skip
    return rows
