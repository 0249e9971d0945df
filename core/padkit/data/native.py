"""Datasets as their owners unpack them: media files on disk, whose frames and faces preparation has yet to choose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.sources import FrameSource, open_media
from padkit.data.presentation import FaceHint, Presentation
from padkit.data.reader import DatasetReader, Tally
from padkit.errors import DataError


class NativeReader(DatasetReader):
    """Reads the native layout of one dataset: one record per presentation, with every field the layout reveals.

    A record's `path` is a video, a still image, or a folder of stills that are one presentation's frames in natural
    order. `padkit prepare` chooses the frames, finds the faces and crops them; `frames` does so by its defaults.

    Attributes:
        expected: Published number of presentations by (split, label), split "" where the dataset names none; compared
            with what was found. Empty where none is published.
        layout: What a correct root looks like, in one line, for the error about a wrong one.
    """

    expected: ClassVar[Mapping[tuple[str, int], int]] = {}
    layout: ClassVar[str] = ""

    def __init__(self, *, root: str, image_size: int = 256) -> None:
        self.root = root
        self.image_size = image_size

    def folder(self) -> Path:
        """Return the root.

        Raises:
            DataError: It is no folder.
        """
        root = Path(self.root).expanduser()
        if not self.root or not root.is_dir():
            raise DataError(f"Root {self.root!r} is not a folder; expected {self.layout}.")
        return root

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:  # noqa: ARG002
        """Return what the dataset says of the face, by frame number; frames without a hint are left out.

        Args:
            presentation: One of `records()`.
            width: Width of its upright frames in pixels, for boxes that are relative to it.
            height: Their height in pixels.

        Raises:
            DataError: The hint file is malformed.
        """
        return {}

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the presentation's medium; override it where that is no video, still or folder of stills.

        Args:
            presentation: One of `records()`.

        Returns:
            Its frames, upright: `rotation` is applied.

        Raises:
            DataError: The medium is missing, empty or damaged.
        """
        return open_media(presentation)

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the face crops of the frames that preparation's default rules choose.

        Raises:
            DataError: The media cannot be decoded, or no face is found.
        """
        return (crop for _, crop in self.numbered_frames(presentation, Tally()))

    def numbered_frames(self, presentation: Presentation, tally: Tally) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield these crops with their frames' numbers.

        Raises:
            DataError: See `frames`.
        """
        from padkit.data.preparation.cropping import CropOptions, PreparedReader

        return PreparedReader(self, CropOptions(size=self.image_size)).numbered_frames(presentation, tally)
