"""Options of cropping: those that `padkit prepare` offers, and the defaults of each reader."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from padkit.data.preparation.finders import check_finder
from padkit.data.preparation.sampling import sampling_rule
from padkit.errors import SettingsError
from padkit.settings.ranges import CropSide, Margin, Room


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOptions:
    """How media become face crops.

    By default faces are not aligned by the eyes: only some datasets say where the eyes are, and rotation resamples the
    traces that attacks leave.

    Args:
        frames: Frames kept of each presentation: `ssdg`, `uniform:N`, `every:N`, `first:N` or `all`.
        face: How the face is found: `auto`, `hints`, `lbp`, `lbp-tight`, `scrfd` or `none`.
        face_model: For `scrfd`: its weights, an .onnx file or the name of a pack of insightface's model zoo.
        margin: Share of the face's side added on each side; 0.15 makes 1.3 times the box.
        align: Make the line of the eyes horizontal and scale by their distance, if they are known.
        size: Side of the square crops in pixels.
        room: Share of the crop's side stored beyond it on each side. Training cuts moved crops from it; whatever else
            reads the table gets the crop alone.
    """

    frames: str = "ssdg"
    face: str = "auto"
    face_model: str = "buffalo_l"
    margin: Margin = 0.15
    align: bool = False
    size: CropSide = 256
    room: Room = 0.0

    def __post_init__(self) -> None:
        sampling_rule(self.frames)
        check_finder(self.face)
        if not 0 <= self.margin <= 2:
            raise SettingsError(f"margin {self.margin} must lie between 0 and 2.")
        if not 8 <= self.size <= 2048:
            raise SettingsError(f"size {self.size} must lie between 8 and 2048 pixels.")
        if not 0 <= self.room <= 0.5:
            raise SettingsError(f"room {self.room} must lie between 0 and 0.5.")

    @property
    def beyond(self) -> int:
        """Pixels stored beyond the crop on each side."""
        return pixels_beyond(self.size, self.room)

    def facts(self) -> dict[str, Any]:
        """Return the options by name as a table records them.

        `face_model` is the SHA-256 of the weights, because files may be moved; "" if no weights are used. No room is
        left out: so tables of earlier versions keep their keys.
        """
        weights = hashlib.sha256(Path(self.face_model).read_bytes()).hexdigest() if self.face == "scrfd" else ""
        found = {**asdict(self), "face_model": weights}
        return found if self.room else {name: value for name, value in found.items() if name != "room"}


def pixels_beyond(size: int, room: float) -> int:
    """Return the pixels that `room`, a share of a crop's side of `size` pixels, takes on each side, rounded up."""
    return math.ceil(round(room * size, 6))
