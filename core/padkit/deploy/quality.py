"""Figures of a face in a picture, and the limits beyond which it is not judged. Imports no torch.

The limits are our choice: mild, so that they refuse only what a person would not judge either (see the docs).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import Box, to_square
from padkit.data.preparation.finders import LBP_GROWTH
from padkit.data.preparation.squares import Square, cut, face_box
from padkit.data.presentation import FaceHint
from padkit.deploy.verdict import Reason

SHAPE = 10  # largest ratio of a picture's sides: finding faces in a strip takes long, and no camera takes one
SIDE = 112  # pixels of the crop that light and sharpness are measured on, so that they do not depend on the model
FACE = 1 / LBP_GROWTH  # share of a box's sides from brows to mouth; photographs that end at the chin leave the rest out
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is still judged.

    Args:
        smallest: Shorter side of the face box, pixels.
        outside: Largest share of the face, the middle of its box, that may lie outside the picture, in [0, 1].
        sharpness: Least variance of the Laplacian of the grey crop at 112 x 112 pixels, grey in [0, 255].
        darkest: Least mean grey of the middle of the crop, in [0, 255].
        brightest: Largest mean grey of the middle of the crop, in [0, 255].
        tilt: Largest angle of the line of the eyes, degrees.
        turn: Least distance of the eyes as a share of the box's width; frontal faces have 0.35 to 0.5.
        confidence: Least confidence of the face finder, in [0, 1].
    """

    smallest: float = 40.0
    outside: float = 0.35
    sharpness: float = 8.0
    darkest: float = 20.0
    brightest: float = 240.0
    tilt: float = 40.0
    turn: float = 0.2
    confidence: float = 0.5


def strip(width: int, height: int) -> str:
    """Return what is wrong with a picture whose sides differ too much, in words; "" if they do not."""
    if max(width, height) <= SHAPE * min(width, height):
        return ""
    return f"{width} x {height} pixels, a strip and no photograph"


def quality_of(picture: Image.Image, face: FaceHint, square: Square | None) -> dict[str, float]:
    """Return the figures that can be measured.

    `size` (pixels), `outside` (share), `sharpness`, `brightness`, and where the finder tells eyes or its confidence,
    `tilt` (degrees), `turn` (share) and `confidence`.

    Args:
        picture: The upright picture, mode RGB.
        face: The face.
        square: What was cut; None for the whole picture.
    """
    box = face_box(face)
    found = {"size": float(min(box[2:]) if box else min(picture.size))}
    if box is not None:
        found["outside"] = _outside(box, *picture.size)
    crop = to_square(picture, SIDE) if square is None else cut(picture, square, SIDE)
    grey = crop.astype(np.float32) @ LUMA
    third = len(grey) // 6
    middle = grey[third : len(grey) - third, third : len(grey) - third]
    found |= {"sharpness": _sharpness(grey), "brightness": float(middle.mean())}
    if face.eyes is not None:
        left_x, left_y, right_x, right_y = face.eyes
        across, down = right_x - left_x, right_y - left_y
        found["tilt"] = abs(math.degrees(math.atan2(down, across)))
        if box is not None and face.box is not None:
            found["turn"] = math.hypot(across, down) / max(box[2], 1.0)
    if face.confidence is not None:
        found["confidence"] = face.confidence
    return found


def refusal(quality: Mapping[str, float], limits: Limits) -> tuple[Reason, str] | None:
    """Return the first reason not to judge a face, with the figure that decided; None if it can be judged."""
    checks = (
        (Reason.TOO_SMALL, "size", quality.get("size", math.inf) < limits.smallest, limits.smallest),
        (Reason.NEAR_BORDER, "outside", quality.get("outside", 0.0) > limits.outside, limits.outside),
        (Reason.LOW_CONFIDENCE, "confidence", quality.get("confidence", 1.0) < limits.confidence, limits.confidence),
        (Reason.TURNED_AWAY, "tilt", quality.get("tilt", 0.0) > limits.tilt, limits.tilt),
        (Reason.TURNED_AWAY, "turn", quality.get("turn", 1.0) < limits.turn, limits.turn),
        (Reason.TOO_DARK, "brightness", quality.get("brightness", 128.0) < limits.darkest, limits.darkest),
        (Reason.TOO_BRIGHT, "brightness", quality.get("brightness", 128.0) > limits.brightest, limits.brightest),
        (Reason.BLURRED, "sharpness", quality.get("sharpness", math.inf) < limits.sharpness, limits.sharpness),
    )
    for reason, name, broken, limit in checks:
        if broken:
            return reason, f"{name} {quality[name]:.3g}, limit {limit:g}"
    return None


def _outside(box: Box, width: int, height: int) -> float:
    """Return the share of a face outside the picture; what a model crops around the face does not count."""
    x, y, across, down = box
    rim_across, rim_down = (1 - FACE) / 2 * across, (1 - FACE) / 2 * down
    seen_across = max(min(x + across - rim_across, width) - max(x + rim_across, 0), 0.0)
    seen_down = max(min(y + down - rim_down, height) - max(y + rim_down, 0), 0.0)
    return 1 - seen_across * seen_down / (FACE**2 * across * down)


def _sharpness(grey: NDArray[np.float32]) -> float:
    """Return the variance of the 4-neighbour Laplacian (Pech-Pacheco et al., 2000)."""
    middle = grey[1:-1, 1:-1]
    return float((grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle).var())
