"""Finders, which locate the face in a frame, by name. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from padkit.data.media.pictures import Box
from padkit.data.preparation.cascade import face_squares
from padkit.data.preparation.squares import face_box
from padkit.data.presentation import FaceHint
from padkit.errors import SettingsError, closest

# Returns all faces in a frame of mode RGB, given the dataset's own hint for it or None. A face that has neither box nor
# eyes is the whole frame.
Finder = Callable[[Image.Image, FaceHint | None], Sequence[FaceHint]]

LBP_SHORT_SIDE = 240  # pixels to which frames are shrunk for the cascade
# Its boxes reach from the brows to the mouth; enlarged by this factor they match datasets and other detectors (one
# portrait measured, scikit-image's astronaut).
LBP_GROWTH = 1.2
# Share of a photograph's shorter side that `lbp-tight` adds around it, because the cascade misses faces that reach the
# border and takes them for smaller than they are: on ORL's tight photographs it finds 77 of 100 without, 100 with.
TIGHT_ROOM = 0.25
STRIP = 10  # ratio of the sides beyond which a picture is none: enlarged to find faces in, it would fill the memory


def nearest_hint(hints: Mapping[int, FaceHint], number: int) -> FaceHint | None:
    """Return the hint of this frame, or of the nearest frame that has one (the earlier if two are equally near)."""
    if number in hints or not hints:
        return hints.get(number)
    return hints[min(hints, key=lambda other: (abs(other - number), other))]


def largest(faces: Sequence[FaceHint]) -> FaceHint:
    """Return the face with the largest box; the first if several are equal."""
    return max(faces, key=lambda face: (box := face_box(face) or (0, 0, 0, 0))[2] * box[3])


def whole_frame(_picture: Image.Image, _hint: FaceHint | None) -> list[FaceHint]:
    """Take the whole frame as the face: for media that are crops already."""
    return [FaceHint()]


def recorded(_picture: Image.Image, hint: FaceHint | None) -> list[FaceHint]:
    """Take the record's box unchanged, or the whole frame if the record has no box."""
    return [hint or FaceHint()]


def hinted(_picture: Image.Image, hint: FaceHint | None) -> list[FaceHint]:
    """Take the face where the dataset says it is."""
    return [hint] if hint is not None and (hint.box is not None or hint.eyes is not None) else []


def lbp(picture: Image.Image, _hint: FaceHint | None) -> list[FaceHint]:
    """Find frontal faces by scikit-image's cascade of local binary patterns, which it ships with.

    It finds upright frontal faces whose box is at least about a sixth of the frame's shorter side, but not their eyes.

    Raises:
        PluginError: The extra `lbp` is not installed.
    """
    width, height = picture.size
    scale = min(LBP_SHORT_SIDE / min(height, width), 1.0)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    boxes = [_grown(*square, scale) for square in face_squares(np.asarray(picture))]
    return [FaceHint(box=box) for box in _apart(boxes)]


def lbp_tight(picture: Image.Image, hint: FaceHint | None) -> list[FaceHint]:
    """Find frontal faces as `lbp` does, also in photographs that end close to the face; takes twice as long.

    Raises:
        PluginError: The extra `lbp` is not installed.
    """
    found = boxes_with_room(picture)
    for face in lbp(picture, hint):  # smaller ones
        if (box := face_box(face)) is not None and not _within(box, found):
            found.append(box)
    return [FaceHint(box=box) for box in found]


def boxes_with_room(picture: Image.Image) -> list[Box]:
    """Return the boxes that `lbp` finds in a photograph whose edge pixels go on beyond its border by `TIGHT_ROOM`.

    Raises:
        PluginError: The extra `lbp` is not installed.
    """
    if max(picture.size) > STRIP * min(picture.size):
        return []
    inner = round(LBP_SHORT_SIDE / (1 + 2 * TIGHT_ROOM))
    scale, room = inner / min(picture.size), round(TIGHT_ROOM * inner)
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    small = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
    roomy = Image.fromarray(np.pad(small, ((room, room), (room, room), (0, 0)), mode="edge"))
    boxes = [box for face in lbp(roomy, None) if (box := face_box(face))]
    return [((x - room) / scale, (y - room) / scale, across / scale, down / scale) for x, y, across, down in boxes]


def _apart(boxes: Sequence[Box]) -> list[Box]:
    """Remove boxes whose centre is inside a larger box: the cascade finds some faces twice."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box[2]):
        if not _within(box, kept):
            kept.append(box)
    return kept


def _within(box: Box, others: Sequence[Box]) -> bool:
    """Return whether a box's centre is inside another box."""
    middle, level = box[0] + box[2] / 2, box[1] + box[3] / 2
    return any(left < middle < left + side and top < level < top + side for left, top, side, _ in others)


def _grown(left: float, top: float, side: float, scale: float) -> Box:
    more = (LBP_GROWTH - 1) / 2 * side
    return (left - more) / scale, (top - more) / scale, LBP_GROWTH * side / scale, LBP_GROWTH * side / scale


def hinted_or_lbp(picture: Image.Image, hint: FaceHint | None) -> list[FaceHint]:
    """Use the dataset's hint if there is one; otherwise find the face with `lbp`."""
    return hinted(picture, hint) or lbp(picture, hint)


def _scrfd(model: str) -> Finder:
    from padkit.data.preparation.scrfd import Scrfd

    return Scrfd(Path(model))


FINDERS: dict[str, tuple[str, Callable[[str], Finder]]] = {
    "auto": ("the dataset's own boxes or eyes, where it has none `lbp`", lambda _model: hinted_or_lbp),
    "hints": ("the dataset's own boxes or eyes only", lambda _model: hinted),
    "lbp": ("scikit-image's cascade: quick, offline, upright frontal faces only", lambda _model: lbp),
    "lbp-tight": ("as `lbp`, also in photographs that end close to the face", lambda _model: lbp_tight),
    "scrfd": ("insightface's SCRFD; weights for non-commercial research only", _scrfd),
    "none": ("the whole frame, for media that are face crops already", lambda _model: whole_frame),
}

# Default of the readers for a user's own files; users do not choose it by name.
RECORDED = "recorded"
# Finders that use the dataset's hints; for the others its hint files need not be valid.
HINTED = frozenset({"auto", "hints"})


def check_finder(name: str) -> None:
    """Refuse a name that no finder has.

    Raises:
        SettingsError: There is no finder of that name; the error lists the known ones.
    """
    if name not in FINDERS and name != RECORDED:
        raise SettingsError(f"face finder {name!r} is unknown.{closest(name, FINDERS)}")


@functools.cache
def finder(name: str, model: str = "") -> Finder:
    """Return a finder; it is built once per process.

    Args:
        name: One of `FINDERS`, or `RECORDED`.
        model: Weights file, for those that need one.

    Raises:
        SettingsError: There is no such finder.
        WeightsError: Its weights cannot be read.
    """
    check_finder(name)
    if name == RECORDED:
        return recorded
    return FINDERS[name][1](model)
