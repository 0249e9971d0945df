"""What a presentation's frames are read from: one interface for videos, stills, folders of stills and other media."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import Presentation
from padkit.errors import DataError, extra_needed

if TYPE_CHECKING:
    from PIL.Image import Image

Frame = NDArray[np.uint8]


class FrameSource(ABC):
    """The stored frames of one presentation, numbered from 0; a context manager, closed by whoever opened it."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the exact number of frames, counted where the medium's header cannot be trusted.

        Raises:
            DataError: The medium is damaged.
        """

    @abstractmethod
    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield (number, frame) of the frames asked for, in one pass.

        Args:
            numbers: Ascending, each once, each below `len(self)`.

        Yields:
            The number and the frame, uint8 RGB [H, W, 3], upright: the medium's own orientation and the presentation's
            `rotation` are applied.

        Raises:
            DataError: A frame cannot be decoded.
        """

    def pictures(self, numbers: Sequence[int], name: str) -> Iterator[tuple[int, Image]]:
        """Yield (number, picture) of the frames asked for, as Pillow images of mode RGB.

        A medium that Pillow decodes overrides it, so that what no crop needs never becomes an array.

        Args:
            numbers: As for `take`.
            name: What an error's line calls a frame.

        Raises:
            DataError: A frame cannot be decoded, or is not uint8 RGB.
        """
        from PIL import Image

        from padkit.data.media.pictures import check_frame

        for number, frame in self.take(numbers):
            check_frame(frame, name)
            yield number, Image.fromarray(frame)

    def close(self) -> None:  # noqa: B027 -- most sources hold nothing open
        """Let go of what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HeldFrames(FrameSource):
    """Frames that are in memory already.

    Args:
        frames: Each uint8 RGB [H, W, 3], upright.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = list(frames)

    def __len__(self) -> int:
        return len(self._frames)

    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield the frames asked for."""
        for number in numbers:
            yield number, self._frames[number]


class ShorterError(DataError):
    """The medium ended before a frame that its count promised; the count is right from now on."""


def open_media(presentation: Presentation) -> FrameSource:
    """Open a video, a still, or a folder of stills (its frames in natural order).

    Args:
        presentation: Its `path` and `rotation` count; every video suffix that is known is decoded as video, other files
            are taken for stills.

    Raises:
        DataError: The medium is missing, empty or damaged.
        PluginError: It is a video, and the extra `video` is not installed.
    """
    from padkit.data.media.pictures import VIDEO_SUFFIXES
    from padkit.data.media.stills import StillFolder, Stills

    path = Path(presentation.path)
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
        with extra_needed(f"video {path}", "padkit[video]"):
            from padkit.data.media.video import Video
        return Video(path, presentation.rotation)
    return StillFolder(path, presentation.rotation) if path.is_dir() else Stills([path], presentation.rotation)
