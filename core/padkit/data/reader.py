"""The role of a dataset plugin: it lists presentations and says how each is opened. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from padkit.data.media.sources import FrameSource, HeldFrames
from padkit.data.preparation.options import CropOptions
from padkit.data.presentation import Division, FaceHint, Presentation
from padkit.errors import PluginError

# A file of this name in the root of a folder tree marks its captures as simulated.
SIMULATED_NOTE = "SIMULATED.txt"


class DatasetReader(ABC):
    """Reads one dataset. Keyword-only constructor parameters are its settings; instances must be picklable.

    A reader lists presentations and opens them; only preparation chooses frames, finds faces and cuts crops. A reader
    that makes its frames itself implements `records` and `frames`. A reader whose presentations are files implements
    `records` and `open_media`, not `frames`.

    Attributes:
        image_size: Side in pixels of the square face crops that preparation stores.
        room: Share of the crop's side that preparation stores beyond it on each side, for training to move crops in.
        draws_room: Whether its frames are drawn with this room around the crop. Otherwise it is cut from the media,
            which crops do not have.
        cropped: Whether its frames are face crops already; preparation then finds no faces unless the user asks for it.
        default_target: Domain held out when the user names none, or "" if the user must choose.
        simulated: True if not all frames are real captures; every report then says so.
        real_faces: With `simulated`: whether the bona fide presentations show real people, so that only cameras and
            attacks are simulated; reports then say that.
        attribute_names: Facial attributes that the records may carry, in a fixed order.
        framing: For face crops, how they frame the face: the margin around its box, as a share of the box on each side,
            and by how much of the crop's side the face's middle is below the crop's; None if that is not known.
        framed_by: With `framing`: the finder whose boxes are framed so; `none` if it was none.
        path_settings: Names of the settings that are paths; a run records them as absolute ones.
        expected: Published number of presentations by (split, label), split "" if the dataset has no splits; compared
            with the number found. Empty if nothing is published.
    """

    image_size: int = 128
    room: float = 0.0
    draws_room: ClassVar[bool] = False
    cropped: bool = False
    default_target: str = ""
    simulated: bool = False
    real_faces: bool = False
    attribute_names: tuple[str, ...] = ()
    framing: tuple[float, float] | None = None
    framed_by: str = "none"
    path_settings: ClassVar[tuple[str, ...]] = ("root",)
    expected: ClassVar[Mapping[tuple[str, int], int]] = {}

    @abstractmethod
    def records(self) -> Iterable[Presentation]:
        """Yield every presentation once, in a stable order; several stills get one record per file, all with one id.

        Raises:
            DataError: The root is missing, empty or has another layout than this reader expects.
        """

    def unread(self) -> Sequence[Mapping[str, Any]]:
        """Return what the last call of `records` saw and did not list: `padkit.data.unread.Unread.entries`."""
        return ()

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield all frames of a presentation, each uint8 RGB [H, W, 3], upright; any size.

        Raises:
            DataError: The frames cannot be made; preparation skips and counts the presentation unless it is strict.
        """
        name = type(self).__name__
        raise PluginError(f"{name} opens no presentation such as {presentation.id!r}; write `frames` or `open_media`.")

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the presentation; by default this holds its `frames` in memory.

        `padkit.data.media.opening.open_media` opens videos, stills and folders of stills.

        Args:
            presentation: One of `records()`.

        Returns:
            Its frames, upright: `rotation` is applied, `box` is not.

        Raises:
            DataError: The medium is missing, empty or damaged.
        """
        return HeldFrames(self.frames(presentation), presentation.frames)

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:  # noqa: ARG002
        """Return the dataset's hints about the face, by frame number; frames without a hint are left out.

        Args:
            presentation: One of `records()`.
            width: Width of its upright frames in pixels, for boxes that are relative to it.
            height: Their height in pixels.

        Raises:
            DataError: The hint file is malformed.
        """
        return {}

    def crop_options(self) -> CropOptions:
        """Return the default options of cropping; without an override, all frames are taken whole."""
        return CropOptions(frames="all", face="none", size=self.image_size, room=self.room)

    def tables(self) -> Sequence[Path]:
        """Return the folders of prepared tables that form this dataset; none if its frames must still be prepared.

        If there are any, a run opens these tables and calls neither `records` nor `frames`.
        """
        return ()

    def protocols(self) -> Mapping[str, Division]:
        """Return the dataset's official protocols by name ("1", "3.2" for fold 2 of protocol 3); none by default.

        Raises:
            DataError: A list is missing or names unknown presentations.
        """
        return {}

    def notes(self) -> Sequence[str]:
        """Return lines on how the data were read, such as what label values mean, known once `records` has ended.

        Preparation prints them and keeps them with the table; a line that begins with `warning:` doubts something.
        """
        return ()

    def fingerprint(self) -> str:
        """Return a text that changes whenever the frames change; it is part of the prepared table's cache key.

        Changes of media files are detected by preparation itself (size and modification time).
        """
        return ""

    def made_with(self) -> Mapping[str, str]:
        """Return versions of other programs that frames depend on, such as a video encoder, by name; none by default.

        They are recorded with the table and are no part of its key: a finished table stays valid. Where a preparation
        was interrupted, parts that were made with others are made again, so that a table has frames of one kind.

        Raises:
            PluginError: Such a program is missing.
        """
        return {}
