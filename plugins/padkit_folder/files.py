"""Base of the readers whose records are media files of the user: stills and videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from padkit.data.media.opening import open_media
from padkit.data.media.sources import FrameSource
from padkit.data.media.walk import media_below
from padkit.data.preparation.finders import RECORDED
from padkit.data.preparation.options import CropOptions
from padkit.data.presentation import Presentation
from padkit.data.reader import SIMULATED_NOTE, DatasetReader
from padkit.data.unread import Unread, unread_line


class FilesReader(DatasetReader):
    """Opens the files that its records name; `padkit prepare` finds faces in them."""

    _unread: Unread | None = None

    def unread(self) -> Sequence[Mapping[str, Any]]:
        """Return what the last listing of a folder passed over."""
        return self._unread.entries() if self._unread is not None else ()

    def media_below(self, root: Path) -> Iterator[Path]:
        """Yield the stills and videos below `root` in a stable order; `unread` tells of all other files."""
        self._unread = Unread()
        yield from media_below(root, self._unread, frozenset({SIMULATED_NOTE}))

    def nothing_read(self) -> str:
        """Return " Not read: ..." about what a folder without media holds instead, or "" if it is empty."""
        entries = self.unread()
        return f" Not read: {unread_line(entries)}." if entries else ""

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the still or the video.

        Raises:
            DataError: The file is missing, empty, damaged or not a still or video.
        """
        return open_media(presentation.path, presentation.rotation)

    def crop_options(self) -> CropOptions:
        """Return the default: frames as SSDG takes them, cut exactly to the record's box, or whole without one."""
        return CropOptions(frames="ssdg", face=RECORDED, size=self.image_size, room=self.room)
