"""A dataset seen through the choices of a preparation: which frames, which face in them, how it is cropped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from padkit.data.media.pictures import IMAGE_SUFFIXES, picture_to_square
from padkit.data.media.sources import Frame, FrameSource, ShorterError
from padkit.data.native import NativeReader
from padkit.data.preparation.crops import cut, face_square
from padkit.data.preparation.finders import HINTED, check_finder, finder, largest, nearest_hint
from padkit.data.preparation.sampling import chosen_frames, sampling_rule
from padkit.data.presentation import FaceHint, Presentation
from padkit.data.reader import DatasetReader, Tally
from padkit.errors import DataError, SettingsError

# What is counted, and what it is called when told.
EVENTS = {
    "no_face": "frames without a face, left out",
    "box_refused": "frames with a face box outside the image or empty, left out",
    "several_faces": "frames with several faces, of which the largest was taken",
    "hint_of_another_frame": "frames cropped by the dataset's box or eyes of the nearest frame that has them",
    "not_aligned": "frames without known eyes, cropped by the box alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOptions:
    """How media become face crops.

    Eyes are not levelled by default: only some datasets tell where they are, and turning resamples the traces that
    attacks leave.

    Args:
        frames: Frames kept of each presentation: `ssdg`, `uniform:N`, `every:N`, `first:N` or `all`.
        face: Who finds the face: `auto`, `hints`, `lbp`, `scrfd` or `none`.
        face_model: For `scrfd`: its weights, an .onnx file or the name of a pack of insightface's model zoo.
        margin: Share of the face's side added on each side; 0.15 makes 1.3 times the box.
        align: Level the eyes and scale by their distance, where they are known.
        size: Side of the stored square crops in pixels.
    """

    frames: str = "ssdg"
    face: str = "auto"
    face_model: str = "buffalo_l"
    margin: float = 0.15
    align: bool = False
    size: int = 256

    def __post_init__(self) -> None:
        sampling_rule(self.frames)
        check_finder(self.face)
        if not 0 <= self.margin <= 2:
            raise SettingsError(f"margin {self.margin:g} must lie between 0 and 2.")
        if not 8 <= self.size <= 2048:
            raise SettingsError(f"size {self.size} must lie between 8 and 2048 pixels.")


class PreparedReader(DatasetReader):
    """Gives the face crops that the choices make of another reader's media; its records are that reader's.

    Where several still files are one presentation (records that share an id), the sampling rule chooses among them.

    Args:
        reader: The dataset.
        choices: The choices; `face_model` is a file here, if the finder needs one.
        compress: See `DatasetReader`.
    """

    def __init__(self, reader: DatasetReader, choices: CropOptions, *, compress: bool = False) -> None:
        self.reader = reader
        self.choices = choices = _settled(choices, reader)
        self.image_size = choices.size
        self.compress = compress
        self.default_target = reader.default_target
        self.simulated = reader.simulated
        self.attribute_names = reader.attribute_names
        self._records: Sequence[Presentation] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes are handed their own records.
        return {**self.__dict__, "_records": None}

    def records(self) -> Sequence[Presentation]:
        """Return the reader's records, of several stills of one presentation those that the rule keeps."""
        if self._records is None:
            self._records = _sampled(list(self.reader.records()), self.choices.frames)
        return self._records

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the crops.

        Raises:
            DataError: See `numbered_frames`.
        """
        return (crop for _, crop in self.numbered_frames(presentation, Tally()))

    def numbered_frames(self, presentation: Presentation, tally: Tally) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield frame number and crop, uint8 RGB [size, size, 3], of each frame that the rule chooses and has a face.

        Raises:
            DataError: The medium cannot be decoded, a hint file is malformed, or no chosen frame has a usable face.
        """
        with self.reader.open_media(presentation) as source:
            try:
                crops, found = self._crops(presentation, source)
            except ShorterError:
                # By the true length now.
                crops, found = self._crops(presentation, source)
        tally.counts += found.counts
        tally.dropped += found.dropped
        if not crops:
            name, reason = presentation.path or presentation.id, found.dropped[0][1] if found.dropped else "it has none"
            raise DataError(f"{name}: none of its {len(found.dropped)} frames gave a crop ({reason}).")
        yield from crops

    def fingerprint(self) -> str:
        """Return the reader, its own fingerprint, and the choices; a detector's weights by their checksum."""
        owner = f"{type(self.reader).__module__}:{type(self.reader).__qualname__}"
        choices = replace(self.choices, face_model=model_checksum(self.choices))
        return f"{owner}|{self.reader.fingerprint()}|{choices!r}{'|compress' * self.compress}"

    def _crops(self, presentation: Presentation, source: FrameSource) -> tuple[list[tuple[int, Frame]], Tally]:
        tally, name = Tally(), presentation.path or presentation.id
        shown = chosen_frames(presentation, len(source), self.choices.frames)
        find = finder(self.choices.face, self.choices.face_model)
        hints: Mapping[int, FaceHint] | None = None
        crops = []
        for stored, picture in source.pictures(list(shown), name):
            if hints is None:
                hints = self._hints(presentation, *picture.size)
            hint = nearest_hint(hints, stored)
            if hint is None and presentation.box is not None:
                hint = FaceHint(box=presentation.box)
            faces = find(picture, hint)
            if not faces:
                tally.drop(shown[stored], "no_face", "no face was found")
                continue
            tally.counts["several_faces"] += len(faces) > 1
            face = largest(faces)
            try:
                crop = self._crop(picture, face)
            except DataError as error:
                tally.drop(shown[stored], "box_refused", str(error))
                continue
            tally.counts["hint_of_another_frame"] += face is hint and bool(hints) and stored not in hints
            tally.counts["not_aligned"] += self.choices.align and face.eyes is None and face.box is not None
            crops.append((shown[stored], crop))
        return crops, tally

    def _hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:
        if self.choices.face not in HINTED or not isinstance(self.reader, NativeReader):
            return {}
        return self.reader.hints(presentation, width, height)

    def _crop(self, picture: Image, face: FaceHint) -> Frame:
        choices = self.choices
        width, height = picture.size
        square = face_square(face, margin=choices.margin, align=choices.align, width=width, height=height)
        return picture_to_square(picture, choices.size) if square is None else cut(picture, square, choices.size)


def _sampled(records: Sequence[Presentation], rule: str) -> list[Presentation]:
    groups: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        groups.setdefault(record.id, []).append(place)
    kept: set[int] = set()
    for places in groups.values():
        stills = all(Path(records[place].path).suffix.lower() in {"", *IMAGE_SUFFIXES} for place in places)
        chosen = sampling_rule(rule)(len(places)) if stills and len(places) > 1 else range(len(places))
        kept.update(places[number] for number in chosen)
    return [record for place, record in enumerate(records) if place in kept]


def _settled(choices: CropOptions, reader: DatasetReader) -> CropOptions:
    """Return the choices with `auto` settled: `none` where the dataset's frames are face crops already."""
    whole = choices.face == "auto" and reader.cropped
    return replace(choices, face="none") if whole else choices


def model_checksum(choices: CropOptions) -> str:
    """Return the SHA-256 of the detector's weights, or "" where none are used."""
    if choices.face != "scrfd":
        return ""
    return hashlib.sha256(Path(choices.face_model).read_bytes()).hexdigest()
