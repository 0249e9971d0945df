"""The other way to make a square of a face: its box is stretched instead of cut to a square. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PIL import Image

from padkit.data.media.pictures import Frame
from padkit.data.preparation.finders import RECORDED
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.squares import FILTER_REACH, Square, cut_exactly, face_box
from padkit.data.presentation import FaceHint
from padkit.data.reader import DatasetReader
from padkit.deploy.cutting import PolicyCropper


class StretchedCropper(PolicyCropper):
    """Stretches the box of a face with its margin, or the whole picture of a face crop, to a square.

    Nothing is turned: faces that are otherwise aligned by their eyes stay as they are.

    Args:
        reader: The dataset.
        options: Those of the cropper whose crops it is compared with; None for the reader's own.
        drop: See `padkit.deploy.bundle.CropPolicy`.
        size: Side of the crops in pixels, in place of that of the options.
    """

    def __init__(
        self, reader: DatasetReader, options: CropOptions | None = None, drop: float = 0.0, *, size: int | None = None
    ) -> None:
        own = options or reader.crop_options()
        super().__init__(reader, own if size is None else replace(own, size=size), drop)
        self._asked = options is not None  # otherwise it would sample among the files of a presentation

    def fingerprint(self) -> str:
        """Return a text that changes when the crops would."""
        return f"{super().fingerprint()}|stretched"

    def _cut(self, picture: Image.Image, face: FaceHint, square: Square | None, name: str) -> Frame:
        box, size = face_box(face), self.options.size
        if square is None or box is None:
            whole = cut_exactly(picture, box, name) if box and self.options.face == RECORDED else picture
            return np.asarray(whole.resize((size, size), Image.Resampling.BICUBIC))
        wider = 1 + 2 * self.options.margin
        across, down = box[2] * wider, box[3] * wider
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2 - self.drop * max(across, down)
        return stretched(picture, (x - across / 2, y - down / 2, x + across / 2, y + down / 2), size)


def stretched(picture: Image.Image, box: tuple[float, float, float, float], size: int) -> Frame:
    """Return a part of a picture as a square, uint8 RGB [size, size, 3]; beyond the border, edge pixels are repeated.

    Args:
        picture: The picture, of mode RGB.
        box: Left, top, right and bottom in pixels.
        size: Side of the result.
    """
    left, top, right, bottom = box
    pixels = np.asarray(picture)
    columns = np.arange(math.floor(left - FILTER_REACH), math.ceil(right + FILTER_REACH))
    rows = np.arange(math.floor(top - FILTER_REACH), math.ceil(bottom + FILTER_REACH))
    part = pixels[rows.clip(0, picture.height - 1)[:, None], columns.clip(0, picture.width - 1)]
    inner = (left - columns[0], top - rows[0], right - columns[0], bottom - rows[0])
    return np.asarray(Image.fromarray(part).resize((size, size), Image.Resampling.BICUBIC, box=inner))
