"""Sources of a presentation's frames: one interface for videos, stills, folders of stills and other media."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from PIL import Image

from padkit.data.media.pictures import Frame, check_frame
from padkit.errors import DataError


class FrameSource(ABC):
    """The stored frames of one presentation, numbered from 0; a context manager, closed by whoever opened it.

    Attributes:
        numbers: If the source holds only the presentation's frames of a longer medium: their numbers in that medium,
            one per frame. Empty if the source is the whole medium.
    """

    numbers: Sequence[int] = ()

    @abstractmethod
    def __len__(self) -> int:
        """Return the exact number of frames; they are counted if the medium's header cannot be trusted.

        Raises:
            DataError: The medium is damaged.
        """

    @abstractmethod
    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield (number, frame) of the requested frames, in one pass.

        Args:
            numbers: Ascending, each once, each below `len(self)`.

        Yields:
            The number and the frame, uint8 RGB [H, W, 3], upright: the medium's own orientation and the presentation's
            `rotation` are applied.

        Raises:
            DataError: A frame cannot be decoded.
        """

    def pictures(self, numbers: Sequence[int], name: str) -> Iterator[tuple[int, Image.Image]]:
        """Yield (number, picture) of the requested frames, as Pillow images of mode RGB.

        Media that Pillow decodes override it, so that pixels outside the crop are never converted to an array.

        Args:
            numbers: As for `take`.
            name: Name of the frames in errors.

        Raises:
            DataError: A frame cannot be decoded, or is not uint8 RGB.
        """
        for number, frame in self.take(numbers):
            check_frame(frame, name)
            yield number, Image.fromarray(frame)

    def close(self) -> None:  # noqa: B027 -- most sources keep nothing open
        """Release open files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HeldFrames(FrameSource):
    """All frames of one presentation, already in memory.

    Args:
        frames: Each uint8 RGB [H, W, 3], upright.
        named: The presentation's numbers of the frames; if their count differs, frames are numbered from 0.
    """

    def __init__(self, frames: Iterable[Frame], named: Sequence[int] = ()) -> None:
        self._frames = list(frames)
        self.numbers = named if len(named) == len(self._frames) else range(len(self._frames))

    def __len__(self) -> int:
        return len(self._frames)

    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield the requested frames."""
        for number in numbers:
            yield number, self._frames[number]


class ShorterError(DataError):
    """The medium ended before a frame that its count promised; the count is right from now on."""
