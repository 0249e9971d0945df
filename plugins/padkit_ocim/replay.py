"""Idiap Replay-Attack: `{train,devel,test}/{real,attack/{fixed,hand}}/*.mov` and `face-locations/`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, FaceHint, Presentation, division_by_split
from padkit_ocim.annotations import box_of, number_rows
from padkit_ocim.layout import checked_root, complete, match_videos, subfolder

SHAPE = (
    "{train,devel,test}/real/client<nnn>_session<nn>_webcam_authenticate_{adverse,controlled}_<n>.mov or "
    "{train,devel,test}/attack/{fixed,hand}/attack_{print,mobile,highdef}_client<nnn>_session<nn>_{highdef,mobile}_"
    "{photo,video}_{adverse,controlled}.mov"
)
SPLITS = {"train": "train", "devel": "dev", "test": "test"}
# Unpacking gives `train`, or `replayattack-train` with or without `train` in it.
WRAPPED = r"replay-?attack-{}(?:\.tar\.gz)?"
PATTERN = re.compile(
    rf"(?i:{WRAPPED.format('(?P<outer>train|devel|test)')}/)?(?i:(?P<inner>train|devel|test)/)?(?P<rest>"
    r"real/client(?P<person>\d{3})_session\d\d_webcam_authenticate_(?P<lit>adverse|controlled)_\d"
    r"|attack/(?:fixed|hand)/attack_(?P<shown>print|mobile|highdef)_client(?P<client>\d{3})_session\d\d"
    r"_(?:highdef|mobile)_(?P<medium>photo|video)_(?P<light>adverse|controlled))"
)
# Enrolment videos belong to face recognition; the competition's copies repeat test videos under numbers.
IGNORED = re.compile(r"^(replay-?attack-)?(enroll|competition)", re.IGNORECASE)
FACES = re.compile(r"(replay-?attack-)?face[-_]?locations.*", re.IGNORECASE)


class ReplayAttackReader(NativeReader):
    """Reads Idiap Replay-Attack (Chingovska et al., BIOSIG 2012), domain I: 50 subjects, 1200 videos.

    A species is what shows the face and what it shows: `print_photo`, `mobile_photo`, `mobile_video`, `highdef_photo`,
    `highdef_video`. The session is the illumination. Face boxes are read from `face-locations`, in the root or beside
    it; without that folder there are no hints.

    Args:
        root: Folder that holds train, devel and test.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    expected: ClassVar = {
        ("train", BONA_FIDE): 60,
        ("train", ATTACK): 300,
        ("dev", BONA_FIDE): 60,
        ("dev", ATTACK): 300,
        ("test", BONA_FIDE): 80,
        ("test", ATTACK): 400,
    }
    layout = "train/, devel/ and test/ (or replayattack-train/, ...), each with real/ and attack/{fixed,hand}/"

    def records(self) -> Iterable[Presentation]:
        """Return one record per video, without those for enrolment and competition.

        Raises:
            DataError: The root lacks a split, a video has an unknown name, or one presentation has two videos.
        """
        return complete(self, self._found(checked_root(self, _missing)), _missing)

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:  # noqa: ARG002
        """Return the boxes of `face-locations/<id>.face`, rows `frame x y width height`; empty boxes are left out.

        Raises:
            DataError: The file is malformed.
        """
        split, _, rest = presentation.id.partition("/")
        root = self.folder().resolve()
        for base in (root, root.parent):
            faces = subfolder(base, FACES)
            # As with the videos, the folder of a split may be inside another folder.
            outer = subfolder(faces, _folder_of(split))
            for folder in filter(None, (outer, subfolder(outer, split))):
                file = folder / f"{rest}.face"
                if file.is_file():
                    boxes = {frame: box_of(*row) for frame, row in number_rows(file, (4,))}
                    return {frame: FaceHint(box=box) for frame, box in boxes.items() if box}
        return {}

    def protocols(self) -> Mapping[str, Division]:
        """Return the owners' division, which they call grandtest."""
        return {"official": division_by_split(self.records())}

    def _found(self, root: Path) -> Iterator[Presentation]:
        for key, (path, match) in match_videos(root, PATTERN, SHAPE, _name, ignored=IGNORED).items():
            shown, medium = match["shown"], match["medium"]
            yield Presentation(
                dataset="replay-attack",
                domain="I",
                id=key,
                label=ATTACK if shown else BONA_FIDE,
                split=SPLITS[key.partition("/")[0]],
                subject=f"replay-attack/client{match['person'] or match['client']}",
                attack_type=("print" if shown == "print" else "replay") if shown else "",
                species=f"{shown}_{medium}" if shown else "",
                device="webcam",
                session=match["lit"] or match["light"],
                path=str(path),
            )


def _folder_of(split: str) -> re.Pattern[str]:
    return re.compile(rf"{split}|{WRAPPED.format(split)}", re.IGNORECASE)


def _missing(folder: Path) -> list[str]:
    return [split for split in SPLITS if not subfolder(folder, _folder_of(split))]


def _name(match: re.Match[str]) -> str:
    named = {match[group].lower() for group in ("outer", "inner") if match[group]}
    if len(named) != 1:
        raise ValueError("in no split's folder" if not named else f"in the folders of {' and '.join(sorted(named))}")
    return f"{named.pop()}/{match['rest']}"
