"""Base of readers for datasets in their original layout: media files on disk, which preparation then crops."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from padkit.data.media.opening import open_media
from padkit.data.media.sources import FrameSource
from padkit.data.preparation.options import CropOptions
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.errors import DataError
from padkit.settings.ranges import CropSide, Room


class NativeReader(DatasetReader):
    """Reads the native layout of one dataset: one record per presentation, with every field that the layout tells.

    A record's `path` is a video, a still image, or a folder of stills that are one presentation's frames in natural
    order. Preparation chooses the frames, finds the faces and crops them, by default as `padkit prepare` does.

    Attributes:
        layout: A correct root described in one line, for the error about a wrong root.
    """

    layout: ClassVar[str] = ""

    def __init__(self, *, root: str, image_size: CropSide = 256, room: Room = 0.0) -> None:
        self.root = root
        self.image_size = image_size
        self.room = room

    def folder(self) -> Path:
        """Return the root.

        Raises:
            DataError: It is not a folder.
        """
        root = Path(self.root).expanduser()
        if not self.root or not root.is_dir():
            raise DataError(f"Root {self.root!r} is not a folder; expected {self.layout}.")
        return root

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the presentation's file or folder; override it if that is not a video, a still or a folder of stills."""
        return open_media(presentation.path, presentation.rotation)

    def crop_options(self) -> CropOptions:
        """Return the defaults of `padkit prepare`, at `image_size` and `room`."""
        return CropOptions(size=self.image_size, room=self.room)
