"""Still images as the frames of a presentation: one file, or a folder of them in natural order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from padkit.data.media.formats import STILL, kind_of
from padkit.data.media.pictures import Frame, read_picture
from padkit.data.media.sources import FrameSource
from padkit.errors import DataError

# Pillow rotates counter-clockwise.
CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


class Stills(FrameSource):
    """Still images, each one frame.

    Args:
        paths: The files, in order.
        rotation: Degrees (0, 90, 180, 270) to rotate them clockwise, after their own EXIF orientation.
    """

    def __init__(self, paths: Sequence[Path], rotation: int = 0) -> None:
        self._paths = tuple(paths)
        self._rotation = rotation

    def __len__(self) -> int:
        return len(self._paths)

    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Decode the requested frames."""
        for number, picture in self.pictures(numbers):
            yield number, np.array(picture, dtype=np.uint8)

    def pictures(
        self,
        numbers: Sequence[int],
        name: str = "",  # noqa: ARG002 -- errors name the file
    ) -> Iterator[tuple[int, Image.Image]]:
        """Decode the requested frames to Pillow images."""
        for number in numbers:
            picture = read_picture(self._paths[number])
            yield number, picture.transpose(CLOCKWISE[self._rotation]) if self._rotation else picture


class StillFolder(Stills):
    """The image files directly in a folder, without hidden ones, `frame_2` before `frame_10`.

    Raises:
        DataError: The folder cannot be read, or holds no image.
    """

    def __init__(self, folder: Path, rotation: int = 0) -> None:
        try:
            found = [path for path in folder.iterdir() if kind_of(path) == STILL]
        except OSError as error:
            raise DataError(f"{folder}: cannot be read ({error.strerror or error}).") from error
        paths = sorted((path for path in found if not path.name.startswith(".")), key=lambda path: natural(path.name))
        if not paths:
            raise DataError(f"{folder}: the folder holds no images.")
        super().__init__(paths, rotation)


def natural(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """Return a sort key that compares numbers within names by value, and ignores the case of letters."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name.lower())
    return tuple(("", int(digits)) if digits else (text, -1) for digits, text in parts), name
