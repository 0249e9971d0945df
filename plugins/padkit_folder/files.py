"""Readers whose records are media files: stills are taken as they are, videos by the frames that SSDG would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.pictures import crop
from padkit.data.media.sources import FrameSource, ShorterError, open_media
from padkit.data.preparation.sampling import chosen_frames
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader, Tally

RULE = "ssdg"


class FilesReader(DatasetReader):
    """Gives whole frames, cut to the record's box where it has one; `padkit prepare` finds faces in them instead."""

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the still, or the frames of the video.

        Raises:
            DataError: The file is missing, empty, damaged or no media, or the box lies outside.
        """
        return (frame for _, frame in self.numbered_frames(presentation, Tally()))

    def numbered_frames(
        self,
        presentation: Presentation,
        tally: Tally,  # noqa: ARG002
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the same with their numbers."""
        with self.open_media(presentation) as source:
            try:
                yield from _cut(source, presentation)
            except ShorterError:
                # By the true length now.
                yield from _cut(source, presentation)

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the still or the video."""
        return open_media(presentation)


def _cut(source: FrameSource, presentation: Presentation) -> list[tuple[int, NDArray[np.uint8]]]:
    shown = chosen_frames(presentation, len(source), RULE)
    box, name = presentation.box, presentation.path
    taken = source.take(list(shown))
    return [(shown[number], frame if box is None else crop(frame, box, name)) for number, frame in taken]
