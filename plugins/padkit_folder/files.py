"""Base of the readers whose records are media files of the user: stills and videos."""

from __future__ import annotations

from padkit.data.media.opening import open_media
from padkit.data.media.sources import FrameSource
from padkit.data.preparation.finders import RECORDED
from padkit.data.preparation.options import CropOptions
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader


class FilesReader(DatasetReader):
    """Opens the files that its records name; `padkit prepare` finds faces in them."""

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the still or the video.

        Raises:
            DataError: The file is missing, empty, damaged or not a still or video.
        """
        return open_media(presentation.path, presentation.rotation)

    def crop_options(self) -> CropOptions:
        """Return the default: frames as SSDG takes them, cut exactly to the record's box, or whole without one."""
        return CropOptions(frames="ssdg", face=RECORDED, size=self.image_size)
