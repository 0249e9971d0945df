"""The role of a dataset plugin: list presentations and give their frames. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.sources import FrameSource, HeldFrames
from padkit.data.presentation import Division, Presentation

# A file of this name in the root of a folder tree says that its captures are simulated.
SIMULATED_NOTE = "SIMULATED.txt"


@dataclass(slots=True)
class Tally:
    """What befell the frames of a presentation while they were read; preparation adds the tallies up.

    Attributes:
        counts: How often something happened, by its name, for example `several_faces`.
        dropped: Number and reason of each frame left out.
    """

    counts: Counter[str] = field(default_factory=Counter)
    dropped: list[tuple[int, str]] = field(default_factory=list)

    def drop(self, number: int, event: str, reason: str) -> None:
        """Count the event, and note that this frame is left out."""
        self.counts[event] += 1
        self.dropped.append((number, reason))


class DatasetReader(ABC):
    """Reads one dataset. Keyword-only constructor parameters are its settings; instances must be picklable.

    Attributes:
        image_size: Side in pixels of the square face crops that preparation stores.
        cropped: Whether its frames are face crops already; preparation then looks for no face unless told to.
        compress: Whether preparation deflates the crops, or stores their pixels as they are.
        default_target: Domain held out when the user names none, or "" to make the user choose.
        simulated: True where no real capture stands behind all the frames; every report then says so.
        attribute_names: Facial attributes that the records may carry, in a fixed order.
    """

    image_size: int = 128
    cropped: bool = False
    compress: bool = False
    default_target: str = ""
    simulated: bool = False
    attribute_names: tuple[str, ...] = ()

    @abstractmethod
    def records(self) -> Iterable[Presentation]:
        """Yield every presentation once, in a stable order; of several still files, one record each, with one id.

        Raises:
            DataError: The root is missing, empty or not laid out as this reader expects.
        """

    @abstractmethod
    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the presentation's frames, each uint8 RGB [H, W, 3], cropped to the face; any size.

        Raises:
            DataError: The media cannot be decoded; preparation skips and counts it unless it is strict.
        """

    def numbered_frames(self, presentation: Presentation, tally: Tally) -> Iterator[tuple[int, NDArray[np.uint8]]]:  # noqa: ARG002
        """Yield what `frames` does, each with its number; what befalls other frames goes into `tally`.

        Raises:
            DataError: See `frames`.
        """
        frames = list(self.frames(presentation))
        fits = len(presentation.frames) == len(frames)
        yield from zip(presentation.frames if fits else range(len(frames)), frames, strict=True)

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open what the presentation's frames are read from, so that preparation may choose frames and crop them anew.

        By default these are `frames`, decoded by the reader; a reader whose records have a `box` or a `rotation` that
        `frames` applies must override this; `padkit.data.media.sources.open_media` opens videos, stills and folders of
        stills.

        Raises:
            DataError: The medium is missing, empty or damaged.
        """
        return HeldFrames(self.frames(presentation))

    def tables(self) -> Sequence[Path]:
        """Return the folders of prepared tables that are this dataset; none where its frames are yet to be prepared.

        Where there are any, preparation opens these tables and asks for neither records nor frames.
        """
        return ()

    def protocols(self) -> Mapping[str, Division]:
        """Return the dataset's official protocols by name ("1", "3.2" for fold 2 of protocol 3); none by default.

        Raises:
            DataError: A list is missing or names unknown presentations.
        """
        return {}

    def fingerprint(self) -> str:
        """Return a text that changes when the frames would; with the records it keys the prepared table's cache.

        Media files are watched by preparation itself (size and modification time).
        """
        return ""
