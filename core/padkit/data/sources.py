"""What a presentation's frames are read from: the one interface of videos, stills, folders of stills and other media."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

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
