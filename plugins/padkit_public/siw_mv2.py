"""SiW-Mv2 (Guo et al., ECCV 2022): bona fide videos and fourteen types of spoof."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, Presentation
from padkit.errors import DataError, closest
from padkit_public.files import fitting_root, list_rows, media_below, some, subfolders, unique, unknown_name

# Folders in which copies keep the owner's lists.
LIST_FOLDERS = ("", "PROTOCOL", "pro_3_text", "protocol_files")
LISTS = ("trainlist_live.txt", "trainlist_all.txt", "testlist_live.txt", "testlist_all.txt")
STEM = re.compile(r"(?P<prefix>[A-Za-z_]+)_(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class SpoofType:
    """One of the fourteen types: the folder names and file name prefixes that copies use for it."""

    name: str
    attack_type: str
    prefixes: tuple[str, ...]
    folders: tuple[str, ...] = ()


TYPES = (
    SpoofType("Makeup_Cosmetic", "makeup", ("Makeup_Co",)),
    SpoofType("Makeup_Impersonation", "makeup", ("Makeup_Im",)),
    SpoofType("Makeup_Obfuscation", "makeup", ("Makeup_Ob",)),
    SpoofType("Mask_HalfMask", "mask", ("Mask_Half",)),
    SpoofType("Mask_MannequinHead", "mask", ("Mask_Mann",), ("Mannequin",)),
    SpoofType("Mask_PaperMask", "mask", ("Mask_Paper",)),
    SpoofType("Mask_SiliconeMask", "mask", ("Mask_Silicone",), ("Silicone",)),
    SpoofType("Mask_TransparentMask", "mask", ("Mask_Trans", "Mask_Transparent")),
    SpoofType("Paper", "print", ()),
    SpoofType("Partial_Eye", "partial", ()),
    SpoofType("Partial_FunnyeyeGlasses", "partial", ("Partial_Funnyeye",)),
    SpoofType("Partial_Mouth", "partial", ()),
    SpoofType("Partial_PaperGlasses", "partial", ("Partial_Paperglass",)),
    SpoofType("Replay", "replay", ()),
)
BY_FOLDER = {folder.lower(): kind for kind in TYPES for folder in (kind.name, *kind.folders)}


class SiwMv2Reader(NativeReader):
    """Reads `<root>/Live/*.mov` and `<root>/Spoof/<type>/*.mov`.

    The release names no subjects (a number in a file name is a video), so people cannot be kept apart. Splits come
    from the owner's lists trainlist_live.txt, trainlist_all.txt, testlist_live.txt and testlist_all.txt, in the root
    or its folder PROTOCOL, pro_3_text or protocol_files; without them no split is known and there are no protocols.
    Protocol 1 is the lists'; 2.<type> trains on the other thirteen types and tests on all videos of the one.

    Args:
        root: The folder that holds `Live` and `Spoof`.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    expected: ClassVar[Mapping[tuple[str, int], int]] = {("", BONA_FIDE): 785, ("", ATTACK): 915}
    layout: ClassVar[str] = "<root>/Live/Live_<n>.mov and <root>/Spoof/<one of 14 types>/<type>_<n>.mov"

    def records(self) -> Iterable[Presentation]:
        """Yield one record per video.

        Raises:
            DataError: The root has another layout, some lists are missing, or a folder or video is unknown.
        """
        root = fitting_root(self.folder(), _fits, self.layout)
        return unique(self._found(root, _splits(root)))

    def _found(self, root: Path, splits: Mapping[str, str]) -> Iterator[Presentation]:
        folders = subfolders(root)
        for path in some(media_below(folders["live"]), folders["live"], self.layout):
            yield _record(root, path, None, splits)
        for kind, path in some(_spoofs(folders["spoof"]), folders["spoof"], self.layout):
            yield _record(root, path, kind, splits)

    def protocols(self) -> Mapping[str, Division]:
        """Return the protocols 1 and 2.<type>, or none without the owner's lists.

        Listed videos that are absent are skipped: the lists name 64 videos that the release does not hold.
        """
        records = list(self.records())
        if not any(record.split for record in records):
            return {}
        protocols = {"1": Division(train=_ids(records, "train"), dev=(), test=_ids(records, "test"))}
        for kind in TYPES:
            protocols[f"2.{kind.name}"] = Division(
                train=_ids((record for record in records if record.species != kind.name), "train"),
                dev=(),
                test=_ids((record for record in records if record.label == BONA_FIDE), "test")
                + tuple(record.id for record in records if record.species == kind.name),
            )
        return protocols


def _fits(root: Path) -> bool:
    return root.is_dir() and {"live", "spoof"} <= subfolders(root).keys()


def _spoofs(folder: Path) -> Iterator[tuple[SpoofType, Path]]:
    for name, place in subfolders(folder).items():
        if name not in BY_FOLDER:
            raise DataError(f"{place}: unknown spoof type.{closest(name, [kind.name for kind in TYPES])}")
        for path in media_below(place):
            yield BY_FOLDER[name], path


def _ids(records: Iterable[Presentation], split: str) -> tuple[str, ...]:
    return tuple(record.id for record in records if record.split == split)


def _record(root: Path, path: Path, kind: SpoofType | None, splits: Mapping[str, str]) -> Presentation:
    match = STEM.fullmatch(path.stem)
    prefixes = ("Live",) if kind is None else (kind.name, *kind.folders, *kind.prefixes)
    if match is None or match["prefix"].lower() not in {prefix.lower() for prefix in prefixes}:
        raise unknown_name(path, " or ".join(f"{prefix}_<n>{path.suffix}" for prefix in prefixes))
    return Presentation(
        dataset="siw-mv2",
        domain="siw-mv2",
        id=path.relative_to(root).with_suffix("").as_posix(),
        label=BONA_FIDE if kind is None else ATTACK,
        split=splits.get(path.stem.lower(), ""),
        attack_type=kind.attack_type if kind else "",
        species=kind.name if kind else "",
        path=str(path),
    )


def _splits(root: Path) -> dict[str, str]:
    """Return the split of every listed video by its lower-case stem; {} if the copy has no lists."""
    places = [root / folder for folder in LIST_FOLDERS]
    place = next((place for place in places if any((place / name).is_file() for name in LISTS)), None)
    if place is None:
        return {}
    splits: dict[str, str] = {}
    for name in LISTS:
        split = "train" if name.startswith("train") else "test"
        # The lists repeat stems to balance live and spoof.
        for line, words in list_rows(place / name):
            if splits.setdefault(words[0].lower(), split) != split:
                raise DataError(f"{place / name}, line {line}: {words[0]} is in a train list as well.")
    return splits
