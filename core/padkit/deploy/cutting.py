"""Cuts a dataset's photographs as a bundle was trained on, and slightly otherwise to see whether its verdicts hold.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL.Image import Image

from padkit.data.media.pictures import Frame
from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.finders import HINTED, RECORDED
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.squares import Square, face_box
from padkit.data.presentation import FaceHint
from padkit.data.reader import DatasetReader
from padkit.deploy.bundle import WHOLE, Bundle, CropPolicy
from padkit.deploy.predictor import DEFAULT_FINDER, usual_finder
from padkit.deploy.stability import varied
from padkit.errors import DataError


def policy_options(bundle: Bundle, *, frames: str, face: str = "", face_model: str = "") -> CropOptions:
    """Return the options that cut photographs as a bundle was trained on.

    Args:
        bundle: The bundle; where it does not say how its faces were cut, padkit's defaults are taken.
        frames: Frames of each presentation.
        face: Another face finder than the bundle's.
        face_model: Weights file, for `scrfd`.
    """
    crop = bundle.crop
    # Data of one's own seldom have hints; where they have, `auto` takes them.
    usual = {WHOLE: DEFAULT_FINDER, "hints": "auto"}.get(crop.face, crop.face)
    return CropOptions(
        frames=frames, face=face or usual, face_model=face_model, margin=crop.margin, align=crop.align,
        size=bundle.image_size,
    )  # fmt: skip


def judged_as_cut(bundle: Bundle, face: str) -> Bundle:
    """Return a bundle that looks for faces by the finder that cut the data on which its new threshold rests.

    Args:
        bundle: The bundle.
        face: That finder; "" or `none` where none was used.
    """
    if face in ("", WHOLE, *HINTED, usual_finder(bundle)):
        return bundle
    return replace(bundle, crop=replace(bundle.crop, face=face))


class PolicyCropper(Cropper):
    """Cuts as a bundle's crop policy says, its drop included.

    Args:
        reader: The dataset, whose media are photographs or videos.
        options: See `policy_options`.
        drop: See `padkit.deploy.bundle.CropPolicy`.
    """

    def __init__(self, reader: DatasetReader, options: CropOptions, drop: float = 0.0) -> None:
        super().__init__(reader, options)
        self.drop = drop

    def fingerprint(self) -> str:
        """Return a text that changes when the crops would."""
        return super().fingerprint() + (f"|drop={self.drop!r}" if self.drop else "")

    def _square(self, picture: Image, face: FaceHint) -> Square | None:
        square = super()._square(picture, face)
        return square and replace(square, y=square.y - self.drop * square.side)


class VariedCropper(PolicyCropper):
    """Cuts each face once as the policy says and once for each change of `OF_BOX`: crops uint8 [1 + V, S, S, 3].

    Attributes:
        sides: Shorter side in pixels of the box of each face that was cut, in order.
    """

    def __init__(self, reader: DatasetReader, options: CropOptions, drop: float = 0.0) -> None:
        super().__init__(reader, options, drop)
        self.sides: list[float] = []

    def _cut(self, picture: Image, face: FaceHint, square: Square | None, name: str) -> Frame:
        box = face_box(face)
        if square is None or box is None:
            raise DataError(f"{name}: the whole frame is the face, so that no other crop can be cut from it.")
        self.sides.append(min(box[2:]))
        usual = super()._cut(picture, face, square, name)
        return np.stack([usual, *varied(picture, square, self.options.size, self.options.margin).values()])


def are_photographs(reader: DatasetReader) -> bool:
    """Return whether faces must be found in a dataset's media: it has no crops and its tables are not prepared."""
    return not (reader.tables() or reader.cropped or reader.framing is not None)


def unlike(preparation: Mapping[str, Any], bundle: Bundle) -> str:
    """Return how the crops of a table differ from what a bundle takes; "" if they do not, as far as it is known.

    Args:
        preparation: Facts of the table.
        bundle: The bundle.
    """
    pairs: list[tuple[str, Any, Any]] = []
    if (cut := crop_of(preparation)) is not None and cut.known and bundle.crop.known:
        pairs = [(name, getattr(cut, name), getattr(bundle.crop, name)) for name in ("margin", "align", "drop")]
        if not {cut.face, bundle.crop.face} & {WHOLE, *HINTED}:
            pairs.insert(0, ("face finder", cut.face, bundle.crop.face))
    pairs.append(("a side in pixels of", preparation["image_size"], bundle.image_size))
    return ", ".join(f"{name} {given} instead of {trained}" for name, given, trained in pairs if given != trained)


def crop_of(preparation: Mapping[str, Any]) -> CropPolicy | None:
    """Return how the crops of a table were cut, not known where its media were crops that say nothing of it.

    Args:
        preparation: Facts of the table.

    Returns:
        None if the table does not tell whether its media were crops.
    """
    choices, framing = preparation.get("choices"), preparation.get("framing")
    if framing is not None:
        face = preparation.get("framed_by", WHOLE)
        return CropPolicy(face=face, margin=framing[0], drop=framing[1], known=True)
    if choices is None:
        return None
    if choices.get("face") in (WHOLE, RECORDED):
        return CropPolicy()
    return CropPolicy(face=choices["face"], margin=choices["margin"], align=choices["align"], known=True)
