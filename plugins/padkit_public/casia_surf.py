"""CASIA-SURF (Zhang et al., CVPR 2019), its colour images: printed faces, cut and curved in six ways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, Presentation, division_by_split
from padkit.errors import DataError
from padkit_public.files import (
    SPLIT_FOLDERS,
    fitting_root,
    list_rows,
    some,
    stem_and_suffix,
    subfolders,
    unique,
    unknown_name,
)

PHASES = ("", "phase1", "phase2", "phase2/test")
PARTS = {"real_part": BONA_FIDE, "fake_part": ATTACK}
LISTS = {
    "train": ("train_list.txt",),
    "dev": ("val_private_list.txt", "val_label.txt"),
    "test": ("test_private_list.txt",),
}
RECORDING = re.compile(r"(?P<kind>real|(?P<species>\d\d_(?:e|en|enm)_[sb]))\.rssdk")
PATTERN = "real.rssdk or <n>_{e,en,enm}_{s,b}.rssdk"
COLOUR = re.compile(r"(?:.*/)?(?:color/[^/]+|[^/]*color[^/]*)\.\w+", re.IGNORECASE)


class CasiaSurfReader(NativeReader):
    """Reads the folders `Training`, `Val` and `Testing`, in the root or in its challenge folders phase1 and phase2.

    Where a folder is divided into `real_part` and `fake_part`, a recording's `color` folder is a presentation, and
    its subject is known. The challenge stripped `Val` and `Testing` of both: there every image that the labelled list
    (`color ir depth label` on a line, in any order of the three; 1 is bona fide) names is a presentation of an unknown
    subject, and so frames of one recording are scored one by one. Images are faces cut out on black.

    Args:
        root: The folder that holds `Training`, or `phase1`.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    # Recordings of the training folder; images of the challenge's other two (Liu et al., CVPR workshops 2019).
    expected: ClassVar[Mapping[tuple[str, int], int]] = {
        ("train", BONA_FIDE): 300,
        ("train", ATTACK): 900,
        ("dev", BONA_FIDE): 2994,
        ("dev", ATTACK): 6614,
        ("test", BONA_FIDE): 17_458,
        ("test", ATTACK): 40_252,
    }
    cropped = True
    layout: ClassVar[str] = (
        f"<root>/Training/{{real_part,fake_part}}/<subject>/<{PATTERN}>/color/<n>.jpg, and Val and Testing likewise or "
        "with a labelled list"
    )

    def records(self) -> Iterable[Presentation]:
        """Yield one record per recording, or per listed image if the recordings are unknown.

        Raises:
            DataError: The root has another layout, a name is unknown, or images have no labelled list.
        """
        return unique(self._found(fitting_root(self.folder(), _fits, self.layout)))

    def _found(self, root: Path) -> Iterator[Presentation]:
        for base, split, folder in _parts(root):
            parts = subfolders(folder)
            if parts.keys() & PARTS.keys():
                for part, label in PARTS.items():
                    if part not in parts:
                        raise DataError(f"{folder} holds no {part}; expected {self.layout}.")
                    yield from some(_recordings(base, split, label, parts[part]), parts[part], self.layout)
            else:
                yield from _images(base, split, folder)

    def protocols(self) -> Mapping[str, Division]:
        """Return the challenge's division."""
        return {"official": division_by_split(self.records())}


def _parts(root: Path) -> Iterator[tuple[Path, str, Path]]:
    """Yield (folder of the lists, split, folder of the split)."""
    for phase in PHASES:
        base = root / phase
        if base.is_dir():
            for name, folder in subfolders(base).items():
                if name in {"training", "val", "testing"}:
                    yield base, SPLIT_FOLDERS[name], folder


def _fits(root: Path) -> bool:
    return root.is_dir() and any(split == "train" for _, split, _ in _parts(root))


def _recordings(base: Path, split: str, label: int, part: Path) -> Iterator[Presentation]:
    for subject, place in subfolders(part).items():
        for recording in subfolders(place).values():
            match = RECORDING.fullmatch(recording.name)
            if match is None or (match["kind"] == "real") != (label == BONA_FIDE):
                raise unknown_name(recording, PATTERN.split(" or ")[0 if label == BONA_FIDE else 1])
            colour = subfolders(recording).get("color")
            if colour is None:
                raise DataError(f"{recording} holds no folder 'color'.")
            yield Presentation(
                dataset="casia-surf",
                domain="casia-surf",
                id=recording.relative_to(base).as_posix(),
                label=label,
                split=split,
                subject=f"casia-surf/{subject.upper()}",
                attack_type="" if label == BONA_FIDE else "print",
                species=match["species"] or "",
                path=str(colour),
            )


def _images(base: Path, split: str, folder: Path) -> Iterator[Presentation]:
    labelled = next((base / name for name in LISTS[split] if (base / name).is_file()), None)
    if labelled is None:
        raise DataError(
            f"{folder} holds images without labels; put {' or '.join(LISTS[split])} into {base}, or move it away."
        )
    for line, words in list_rows(labelled):
        colour = [word for word in words[:-1] if COLOUR.fullmatch(word)]
        if words[-1] not in {"0", "1"} or len(colour) != 1:
            raise DataError(f"{labelled}, line {line}: expected a colour, an infrared and a depth image and 0 or 1.")
        label = BONA_FIDE if words[-1] == "1" else ATTACK
        yield Presentation(
            dataset="casia-surf",
            domain="casia-surf",
            id=stem_and_suffix(colour[0])[0],
            label=label,
            split=split,
            attack_type="" if label == BONA_FIDE else "print",
            species="" if label == BONA_FIDE else "print",
            path=str(base / colour[0]),
        )
