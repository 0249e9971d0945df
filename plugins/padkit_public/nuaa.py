"""NUAA Photograph Imposter Database (Tan et al., ECCV 2010): stills of people and of their printed photographs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.media.formats import image_suffixes
from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, Presentation, division_by_split
from padkit.errors import DataError
from padkit.settings.ranges import CropSide, Room
from padkit_public.files import (
    file_names,
    fitting_root,
    list_rows,
    stem_and_suffix,
    subfolders,
    unique,
    unknown_name,
)

NAME = re.compile(r"(?P<subject>\d{4})_(?P<glasses>\d\d)_(?P<light>\d\d)_(?P<session>\d\d)_(?P<number>\d+)")
PATTERN = "<subject>_<glasses>_<light>_<session>_<n>"
KINDS = {"client": BONA_FIDE, "imposter": ATTACK}
SPLITS = ("train", "test")


class NuaaReader(NativeReader):
    r"""Reads one of the forms of NUAA: raw images, detected faces, or 64x64 grey faces, with its four lists.

    The form is a folder of the lists `client_train*.txt`, `client_test*.txt`, `imposter_train*.txt` and
    `imposter_test*.txt` (lines such as `0001\0001_00_00_01_0.jpg`), and the folders `Client*` and `Imposter*`, such as
    `raw` or `NormalizedFace`. Stills are presentations of their own. All forms but the raw one (a folder with `raw` in
    its name, `ClientRaw`) are face crops.

    The official splits are disjoint by session (1 and 2 train, 3 tests), not by subject: every training subject is
    tested too. Subjects are told as they are, so padkit refuses to train on NUAA's train split and test on its test
    split, which would flatter the figures; other targets and sources are free to use it.

    Args:
        root: The folder of the lists.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
        official_splits: False names no splits, so that padkit divides NUAA by subject where it is the only domain.
    """

    expected: ClassVar[Mapping[tuple[str, int], int]] = {
        ("train", BONA_FIDE): 1743,
        ("train", ATTACK): 1748,
        ("test", BONA_FIDE): 3362,
        ("test", ATTACK): 5761,
    }
    layout: ClassVar[str] = (
        f"<root>/client_train*.txt and three like it, <root>/Client*/<subject>/{PATTERN}.jpg, <root>/Imposter*/..."
    )

    def __init__(
        self, *, root: str, image_size: CropSide = 256, room: Room = 0.0, official_splits: bool = True
    ) -> None:
        super().__init__(root=root, image_size=image_size, room=room)
        self.official_splits = official_splits
        self.cropped = not _raw(Path(root).expanduser())

    def records(self) -> Iterable[Presentation]:
        """Yield one record per listed image.

        Raises:
            DataError: The root has another layout, an image is missing, or a name in a list or on disk is unknown.
        """
        return unique(self._found(fitting_root(self.folder(), _fits, self.layout)))

    def _found(self, root: Path) -> Iterator[Presentation]:
        folders = subfolders(root)
        for kind, label in KINDS.items():
            place = next((path for name, path in folders.items() if name.startswith(kind)), None)
            if place is None:
                raise DataError(f"{root} holds no folder {kind.title()}*; expected {self.layout}.")
            images = _images(place)
            for split in SPLITS:
                path = _list(root, kind, split)
                for line, words in list_rows(path):
                    where = f"{path}, line {line}"
                    yield self._record(root, images, label, split, words[0], where)

    def protocols(self) -> Mapping[str, Division]:
        """Return the owners' division, in which every training subject is also tested; there is no dev part."""
        return {"official": division_by_split(self.records())}

    def _record(
        self, root: Path, images: Mapping[str, Path], label: int, split: str, listed: str, where: str
    ) -> Presentation:
        stem = stem_and_suffix(listed.rpartition("/")[2])[0]
        match = NAME.fullmatch(stem)
        if match is None:
            raise unknown_name(f"{where}: {listed}", PATTERN)
        if stem not in images:
            raise DataError(f"{where}: {listed} is not on disk; the copy is incomplete.")
        return Presentation(
            dataset="nuaa",
            domain="nuaa",
            id=images[stem].relative_to(root).with_suffix("").as_posix(),
            label=label,
            split=split if self.official_splits else "",
            subject=f"nuaa/{match['subject']}",
            attack_type="" if label == BONA_FIDE else "print",
            species="" if label == BONA_FIDE else "print",
            session=f"{match['session']}-light{match['light']}",
            path=str(images[stem]),
        )


def _fits(root: Path) -> bool:
    return root.is_dir() and any(root.glob("client_train*.txt"))


def _list(root: Path, kind: str, split: str) -> Path:
    found = sorted(root.glob(f"{kind}_{split}*.txt"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{root} must hold one list {kind}_{split}*.txt, found {names}; keep each form in its folder.")
    return found[0]


def _images(place: Path) -> dict[str, Path]:
    """Return the images of all subjects by their stem, because copies may have other suffixes than the lists."""
    images = {}
    for folder in subfolders(place).values():
        for name in file_names(folder):
            stem, suffix = stem_and_suffix(name)
            if suffix.lower() in image_suffixes():
                if not NAME.fullmatch(stem):
                    raise unknown_name(folder / name, PATTERN + suffix)
                images[stem] = folder / name
    return images


def _raw(root: Path) -> bool:
    """Return whether the images below `root` are whole photographs, judging by the folders' names."""
    names = [root.name, *(path.name for path in root.iterdir() if path.is_dir())] if root.is_dir() else []
    return any("raw" in name.lower() for name in names)
