"""SiW, Spoof in the Wild (Liu et al., CVPR 2018): bona fide, print and replay videos of 165 subjects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, FaceHint, Presentation
from padkit.errors import DataError
from padkit_public.files import fitting_root, list_rows, media_below, numbers, some, subfolders, unique, unknown_name

NAME = re.compile(r"(?P<subject>\d+)-(?P<sensor>\d)-(?P<type>[123])-(?P<medium>\d)-(?P<session>\d)")
PATTERN = "<subject>-<sensor>-<type 1, 2 or 3>-<medium>-<session>.mov"
TYPES = {"1": "", "2": "print", "3": "replay"}
REPLAY_MEDIA = 4


class SiwReader(NativeReader):
    """Reads `<root>/{Train,Test}/{live,spoof}/<subject>/*.mov` with a `.face` file of boxes beside each video.

    The protocols are the paper's: 1, all of it (its first 60 frames only, in training, are left to the frame
    policy); 2.1 to 2.4, replay by an unseen medium; 3.1, trained on print, tested on replay, and 3.2 the reverse.

    Args:
        root: The folder that holds `Train` and `Test`.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    # Files of the release as Idiap's interface to it counts them (bob.db.siw 0.0.2); its train and dev are our train.
    expected: ClassVar[Mapping[tuple[str, int], int]] = {
        ("train", BONA_FIDE): 714,
        ("train", ATTACK): 1702,
        ("test", BONA_FIDE): 599,
        ("test", ATTACK): 1454,
    }
    layout: ClassVar[str] = f"<root>/{{Train,Test}}/{{live,spoof}}/<subject>/{PATTERN}"

    def records(self) -> Iterable[Presentation]:
        """Yield one record per video.

        Raises:
            DataError: The root has another layout, or a video's name is unknown or contradicts its folder.
        """
        return unique(self._found(fitting_root(self.folder(), _fits, self.layout)))

    def _found(self, root: Path) -> Iterator[Presentation]:
        for split in ("train", "test"):
            kinds = subfolders(subfolders(root)[split])
            for kind, label in (("live", BONA_FIDE), ("spoof", ATTACK)):
                if kind not in kinds:
                    raise DataError(f"{subfolders(root)[split]} holds no folder {kind!r}; expected {self.layout}.")
                for path in some(media_below(kinds[kind]), kinds[kind], self.layout):
                    yield _record(root, split, label, path)

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:  # noqa: ARG002
        """Return the boxes of the `.face` file: line n belongs to frame n; a line of zeros gives no box.

        Raises:
            DataError: A line is not `x1 y1 x2 y2`.
        """
        path = Path(presentation.path).with_suffix(".face")
        hints: dict[int, FaceHint] = {}
        if not path.is_file():
            return hints
        for line, words in list_rows(path):
            row = numbers(" ".join(words), f"{path}, line {line}")
            if len(row) != 4:
                raise DataError(f"{path}, line {line}: {len(row)} numbers; expected x1 y1 x2 y2.")
            left, top, right, bottom = row
            if right > left and bottom > top:
                hints[line - 1] = FaceHint(box=(left, top, right - left, bottom - top))
        return hints

    def protocols(self) -> Mapping[str, Division]:
        """Return the protocols 1, 2.1 to 2.4, 3.1 and 3.2; the dataset has no dev split."""
        records = list(self.records())
        replay = {f"replay{medium}" for medium in range(1, REPLAY_MEDIA + 1)}
        printed = {record.species for record in records if record.attack_type == "print"}
        protocols = {"1": _division(records, printed | replay, printed | replay)}
        for medium in range(1, REPLAY_MEDIA + 1):
            unseen = {f"replay{medium}"}
            protocols[f"2.{medium}"] = _division(records, replay - unseen, unseen)
        return protocols | {"3.1": _division(records, printed, replay), "3.2": _division(records, replay, printed)}


def _fits(root: Path) -> bool:
    return root.is_dir() and {"train", "test"} <= subfolders(root).keys()


def _record(root: Path, split: str, label: int, path: Path) -> Presentation:
    match = NAME.fullmatch(path.stem)
    if match is None:
        raise unknown_name(path, PATTERN)
    attack_type = TYPES[match["type"]]
    if bool(attack_type) != (label == ATTACK):
        raise DataError(f"{path}: type {match['type']} contradicts the folder {'live' if label else 'spoof'!r}.")
    # For a bona fide video the medium is its illumination, for an attack it is the instrument.
    session = match["session"] if attack_type else f"{match['session']}-light{match['medium']}"
    return Presentation(
        dataset="siw",
        domain="siw",
        id=path.relative_to(root).with_suffix("").as_posix(),
        label=label,
        split=split,
        subject=f"siw/{match['subject']}",
        attack_type=attack_type,
        species=f"{attack_type}{match['medium']}" if attack_type else "",
        device=f"sensor{match['sensor']}",
        session=session,
        path=str(path),
    )


def _division(records: Iterable[Presentation], trained: set[str], tested: set[str]) -> Division:
    return Division(
        train=tuple(r.id for r in records if r.split == "train" and (r.label == BONA_FIDE or r.species in trained)),
        dev=(),
        test=tuple(r.id for r in records if r.split == "test" and (r.label == BONA_FIDE or r.species in tested)),
    )
