"""Turns a medium into face crops: chooses frames, finds the face in each and cuts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL.Image import Image

from padkit.data.media.formats import VIDEO, kind_of
from padkit.data.media.pictures import Frame, to_square
from padkit.data.media.sources import FrameSource, ShorterError
from padkit.data.preparation.finders import HINTED, RECORDED, finder, largest, nearest_hint
from padkit.data.preparation.identity import taken_once, with_printable_texts
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.sampling import chosen_frames, sampling_rule
from padkit.data.preparation.squares import Square, cut, cut_exactly, exact_square, face_square
from padkit.data.presentation import FaceHint, Presentation
from padkit.data.reader import DatasetReader
from padkit.data.unread import Unread
from padkit.errors import DataError, SettingsError

# Counted events, and their names in messages.
EVENTS = {
    "no_face": "frames without a face, left out",
    "box_refused": "frames with a face box outside the image or empty, left out",
    "several_faces": "frames with several faces, of which the largest was taken",
    "hint_of_another_frame": "frames cropped by the dataset's box or eyes of the nearest frame that has them",
    "not_aligned": "frames without known eyes, cropped by the box alone",
}
# Keys of tables contain these two former names of a class and of its options; tables that earlier versions
# prepared stay valid only as long as these texts do not change, whatever is renamed.
KEY_OWNER, KEY_OPTIONS = "padkit.data.prepared:PreparedReader", "Choices"


@dataclass(slots=True)
class Tally:
    """What happened to the frames of a presentation while they were cropped; preparation sums the tallies.

    Attributes:
        counts: How often something happened, by its name in `EVENTS`.
        dropped: Number and reason of each frame left out.
    """

    counts: Counter[str] = field(default_factory=Counter)
    dropped: list[tuple[int, str]] = field(default_factory=list)

    def drop(self, number: int, event: str, reason: str) -> None:
        """Count the event, and note that this frame is left out."""
        self.counts[event] += 1
        self.dropped.append((number, reason))


class Cropper:
    """Makes face crops of a dataset's media.

    Args:
        reader: The dataset.
        options: How to crop; None takes the reader's own options. `face_model` is a file here, if the finder needs one.
        size: Side of the crops in pixels, in place of that of the options.
        compress: Whether a table of these crops deflates them, or stores their pixels as they are.

    Attributes:
        reader: The dataset.
        options: The options in force; `auto` becomes `none` if the dataset's media are face crops already.
        compress: See above.
        unread: What was there and is not read, once `records` has been called (`padkit.data.unread.Unread.entries`).
    """

    def __init__(
        self, reader: DatasetReader, options: CropOptions | None = None, *, size: int | None = None,
        compress: bool = False,
    ) -> None:  # fmt: skip
        self.reader = reader
        settled = _settled(options or reader.crop_options(), reader)
        self.options = settled if size is None else replace(settled, size=size)
        self.compress = compress
        self._asked = options is not None
        whole = self.options.face == "none"
        if whole and reader.draws_room and self.options.room != reader.room:
            raise SettingsError(
                f"room {self.options.room:g}: the reader draws its crops with room {reader.room:g}; ask for the same."
            )
        if self.options.room and whole and not reader.draws_room:
            raise SettingsError(
                f"room {self.options.room:g}: the media are taken whole as face crops, with nothing around them; leave "
                "room out, or have faces found in photographs."
            )
        self._records: Sequence[Presentation] | None = None
        self.unread: Sequence[Mapping[str, Any]] = ()

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes get their own records.
        return {**self.__dict__, "_records": None}

    def records(self) -> Sequence[Presentation]:
        """Return the reader's records, each medium once; `unread` then tells what else there was.

        If options were given and several still files form one presentation (records that share an id), the sampling
        rule also chooses among these files; by default all are kept.
        """
        if self._records is None:
            unread = Unread()
            found = taken_once([with_printable_texts(record) for record in self.reader.records()], unread)
            self.unread = [*self.reader.unread(), *unread.entries()]
            self._records = _sampled(found, self.options.frames) if self._asked else found
        return self._records

    def crops(self, presentation: Presentation, tally: Tally) -> list[tuple[int, Frame]]:
        """Return frame number and crop, uint8 RGB [S, S, 3], of each chosen frame that has a face.

        S is the crops' size and, with room, the pixels beyond it on both sides; what lies within is the crop that
        would be cut without room, to the byte, except where a reader draws its crops.

        Args:
            presentation: One of `records()`.
            tally: Gets what happens to its frames, even if no frame gives a crop.

        Raises:
            DataError: The medium cannot be decoded, a hint file is malformed, or no chosen frame has a usable face.
        """
        with self.reader.open_media(presentation) as source:
            try:
                crops, found = self._crops(presentation, source)
            except ShorterError:
                # Sample again by the true length.
                crops, found = self._crops(presentation, source)
        tally.counts += found.counts
        tally.dropped += found.dropped
        name = presentation.path or presentation.id
        if found.dropped and not crops:
            raise DataError(f"{name}: none of its {len(found.dropped)} frames gave a crop ({found.dropped[0][1]}).")
        if not crops:
            raise DataError(f"{name}: no frames.")
        return crops

    @property
    def owner(self) -> str:
        """Name for a table's key of what makes the crops: the reader, or the former class that cropped by options."""
        return KEY_OWNER if self._asked else class_name(self.reader)

    def fingerprint(self) -> str:
        """Return a text that changes when the crops of the same records and media would; it is part of a table's key.

        Without options it is the reader's own fingerprint; otherwise its class, its fingerprint and the options.
        """
        told = self.reader.fingerprint()
        if self._asked:
            options = ", ".join(f"{name}={value!r}" for name, value in self.options.facts().items())
            told = f"{class_name(self.reader)}|{told}|{KEY_OPTIONS}({options})"
        elif self.options.room:
            told += f"|room={self.options.room!r}"
        return told + "|compress" * self.compress

    def _crops(self, presentation: Presentation, source: FrameSource) -> tuple[list[tuple[int, Frame]], Tally]:
        tally, name = Tally(), presentation.path or presentation.id
        shown = chosen_frames(presentation, source, self.options.frames)
        find = finder(self.options.face, self.options.face_model)
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
                square = self._square(picture, face)
            except DataError as error:
                tally.drop(shown[stored], "box_refused", str(error))
                continue
            tally.counts["hint_of_another_frame"] += face is hint and bool(hints) and stored not in hints
            tally.counts["not_aligned"] += self.options.align and face.eyes is None and face.box is not None
            crops.append((shown[stored], self._stored(picture, face, square, name)))
        return crops, tally

    def _hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:
        return self.reader.hints(presentation, width, height) if self.options.face in HINTED else {}

    def _square(self, picture: Image, face: FaceHint) -> Square | None:
        if self.options.face == RECORDED:
            return None
        width, height = picture.size
        return face_square(face, margin=self.options.margin, align=self.options.align, width=width, height=height)

    def _stored(self, picture: Image, face: FaceHint, square: Square | None, name: str) -> Frame:
        """Return the crop, in the middle of its surroundings if room is asked for."""
        beyond, size = self.options.beyond, self.options.size
        if not beyond:
            return self._cut(picture, face, square, name)
        if self.reader.draws_room and self.options.face == "none":
            return to_square(picture, size + 2 * beyond)
        if square is None:
            if face.box is None:
                raise DataError(f"{name}: is a face crop already, with no room around it; leave room out.")
            square = exact_square(picture, face.box, name)
        wide = cut(picture, replace(square, side=square.side * (1 + 2 * beyond / size)), size + 2 * beyond).copy()
        # Its middle may differ by a rounding from the crop, which must not depend on the room.
        wide[beyond:-beyond, beyond:-beyond] = self._cut(picture, face, square, name)
        return wide

    def _cut(self, picture: Image, face: FaceHint, square: Square | None, name: str) -> Frame:
        if square is not None:
            return cut(picture, square, self.options.size)
        if self.options.face == RECORDED and face.box is not None:
            picture = cut_exactly(picture, face.box, name)
        return to_square(picture, self.options.size)


def class_name(reader: DatasetReader) -> str:
    """Return the address of the reader's class, `module:name`."""
    return f"{type(reader).__module__}:{type(reader).__qualname__}"


def _sampled(records: Sequence[Presentation], rule: str) -> list[Presentation]:
    groups: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        groups.setdefault(record.id, []).append(place)
    kept: set[int] = set()
    for places in groups.values():
        stills = all(kind_of(records[place].path) != VIDEO for place in places)
        chosen = sampling_rule(rule)(len(places)) if stills and len(places) > 1 else range(len(places))
        kept.update(places[number] for number in chosen)
    return [record for place, record in enumerate(records) if place in kept]


def _settled(options: CropOptions, reader: DatasetReader) -> CropOptions:
    """Return the options with `auto` replaced: by `none` if the dataset's media are face crops already."""
    return replace(options, face="none") if options.face == "auto" and reader.cropped else options
