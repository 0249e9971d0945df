"""CASIA-FASD: `{train_release,test_release}/<subject>/{1..8,HR_1..HR_4}.avi`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, Presentation, division_by_split
from padkit_ocim.layout import checked_root, complete, match_videos, subfolder

SHAPE = "{train,test}_release/<subject>/{1..8,HR_1..HR_4}.avi"
PATTERN = re.compile(
    r"(?P<split>train|test)(?:_release)?/0*(?P<subject>[1-9]\d?)/(?P<code>[1-8]|HR_[1-4])", re.IGNORECASE
)
SUBJECTS = {"train": 20, "test": 30}
# Attack type and species, by pairs of codes and the high-resolution code.
PRESENTED = (
    (("1", "2", "HR_1"), "", ""),
    (("3", "4", "HR_2"), "print", "warped_print"),
    (("5", "6", "HR_3"), "print", "cut_print"),
    (("7", "8", "HR_4"), "replay", "video_replay"),
)
ATTACKS = {code: (attack_type, species) for codes, attack_type, species in PRESENTED for code in codes}
# Odd, even and HR_ codes are three cameras. Which of the first two is called "low" quality and which "normal"
# differs between sources, so the names use neither word.
CAMERAS = {code: camera for codes, *_ in PRESENTED for code, camera in zip(codes, ("usb1", "usb2", "hr"), strict=True)}


class CasiaFasdReader(NativeReader):
    """Reads CASIA-FASD (Zhang et al., ICB 2012), domain C: 50 subjects, 600 videos, no dev split.

    A subject's folder of one number is another person in the other split. There are no face boxes.

    Args:
        root: Folder that holds train_release and test_release.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    expected: ClassVar = {
        ("train", BONA_FIDE): 60,
        ("train", ATTACK): 180,
        ("test", BONA_FIDE): 90,
        ("test", ATTACK): 270,
    }
    layout = "train_release/<1..20>/ and test_release/<1..30>/ with 1..8.avi and HR_1..HR_4.avi"

    def records(self) -> Iterable[Presentation]:
        """Return one record per video.

        Raises:
            DataError: The root lacks a split, a video has an unknown name, or one presentation has two videos.
        """
        return complete(self, self._found(checked_root(self, _missing)), _missing)

    def protocols(self) -> Mapping[str, Division]:
        """Return the owners' division; its dev part is empty."""
        return {"official": division_by_split(self.records())}

    def _found(self, root: Path) -> Iterator[Presentation]:
        for key, (path, _) in match_videos(root, PATTERN, SHAPE, _name).items():
            split, subject, code = key.split("/")
            attack_type, species = ATTACKS[code]
            yield Presentation(
                dataset="casia-fasd",
                domain="C",
                id=key,
                label=ATTACK if species else BONA_FIDE,
                split=split,
                subject=f"casia-fasd/{split}/{subject}",
                attack_type=attack_type,
                species=species,
                device=CAMERAS[code],
                path=str(path),
            )


def _missing(folder: Path) -> list[str]:
    splits = {f"{split}_release": rf"{split}(_release)?" for split in SUBJECTS}
    return [name for name, names in splits.items() if not subfolder(folder, re.compile(names, re.IGNORECASE))]


def _name(match: re.Match[str]) -> str:
    split, subject = match["split"].lower(), int(match["subject"])
    if subject > SUBJECTS[split]:
        raise ValueError(f"{split} has subjects 1 to {SUBJECTS[split]}, not {subject}")
    return f"{split}/{subject:02d}/{match['code'].upper()}"
