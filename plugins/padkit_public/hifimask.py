"""CASIA-SURF HiFiMask (Liu et al., TIFS 2022): masks of transparent material, plaster and resin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, SPLITS, Division, Presentation
from padkit.errors import DataError
from padkit_public.files import (
    SPLIT_FOLDERS,
    first_image,
    fitting_root,
    list_rows,
    some,
    subfolders,
    unique,
    unknown_name,
)

DEPTH_OF_TREE = 3
VIDEO = re.compile(
    r"(?P<complexion>[123])_(?P<subject>\d\d)_(?P<type>[0-3])_(?P<scene>[1-6])_(?P<light>[0-6])_(?P<sensor>[0-8])"
)
PATTERN = "<complexion>_<subject>_<type>_<scene>_<light>_<sensor>"
TYPES = ("", "transparent", "plaster", "resin")
SCENES = ("", "white", "green", "tricolor", "sunshine", "shadow", "motion")
LIGHTS = ("no", "normal", "dim", "bright", "back", "side", "top")
SENSORS = ("spo2", "iphone11", "iphonex", "mi10", "p40", "s20", "vivo", "d435", "hjim")
LIST = re.compile(r"CASIA_HiFiMask@p(?P<protocol>[\d.]+)_(?P<unit>video|image)_(?P<split>train|dev|test)\.txt")


class HifimaskReader(NativeReader):
    """Reads the folders `<complexion>_<subject>_<type>_<scene>_<light>_<sensor>` of PNG images, wherever below root.

    A split comes from a folder train, val, dev or test above, else from the owner's lists of protocol 1
    (`CASIA_HiFiMask@p1_video_train.txt` ..., in the root or its folder `protocol`), else it is unknown. The protocols
    1, 2.1, 2.2, 2.3 and 3 are those lists. A mask's subject is the person that it shows. Images are face crops.

    Args:
        root: The folder that holds the videos' folders, or `Data` and `protocol`.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    # The paper's count; the owner's lists name 54,223 of these.
    expected: ClassVar[Mapping[tuple[str, int], int]] = {("", BONA_FIDE): 13_650, ("", ATTACK): 40_950}
    cropped = True
    layout: ClassVar[str] = f"<root>/.../{PATTERN}/<n>.png"

    def records(self) -> Iterable[Presentation]:
        """Yield one record per folder of images.

        Raises:
            DataError: The root holds none, or images lie in a folder of unknown name.
        """
        root = fitting_root(self.folder(), _fits, self.layout)
        listed = {name: split for split, names in _lists(root).get("1", {}).items() for name in names}
        videos = some(_videos(root, "", DEPTH_OF_TREE), root, self.layout)
        return unique(_record(place, split or listed.get(place.name, "")) for place, split in videos)

    def protocols(self) -> Mapping[str, Division]:
        """Return the protocols whose lists exist.

        Raises:
            DataError: A protocol lacks one of its three lists, or a list names an unknown video.
        """
        known = {record.id for record in self.records()}
        protocols = {}
        for protocol, parts in sorted(_lists(self.folder()).items()):
            for split in SPLITS:
                if split not in parts:
                    raise DataError(f"Protocol {protocol} has no list CASIA_HiFiMask@p{protocol}_video_{split}.txt.")
                if missing := parts[split].keys() - known:
                    raise DataError(f"Protocol {protocol}, {split} names {min(missing)!r}, not below {self.root}.")
            protocols[protocol] = Division(
                train=tuple(parts["train"]), dev=tuple(parts["dev"]), test=tuple(parts["test"])
            )
        return protocols


def _fits(root: Path) -> bool:
    # Videos may be at any depth: a root is too low only if it is inside a video's folder.
    return not VIDEO.fullmatch(root.resolve().name)


def _videos(folder: Path, split: str, depth: int) -> Iterator[tuple[Path, str]]:
    """Yield (a video's folder, split of the folders above); the videos' own folders are not listed."""
    if image := first_image(folder):
        raise unknown_name(folder / image, f"a folder {PATTERN} around it")
    for name, child in subfolders(folder).items():
        if VIDEO.fullmatch(name):
            yield child, split
        elif depth:
            yield from _videos(child, SPLIT_FOLDERS.get(name, split), depth - 1)


def _record(place: Path, split: str) -> Presentation:
    match = VIDEO.fullmatch(place.name)
    if match is None:
        raise unknown_name(place, PATTERN)
    species = TYPES[int(match["type"])]
    return Presentation(
        dataset="hifimask",
        domain="hifimask",
        id=place.name,
        label=ATTACK if species else BONA_FIDE,
        split=split,
        subject=f"hifimask/{match['subject']}",
        attack_type="mask" if species else "",
        species=species,
        device=SENSORS[int(match["sensor"])],
        session=f"{SCENES[int(match['scene'])]}-{LIGHTS[int(match['light'])]}",
        path=str(place),
    )


def _lists(root: Path) -> dict[str, dict[str, dict[str, None]]]:
    """Return the listed videos in order, by protocol and split; lists of videos are preferred to lists of images."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    paths = [path for place in ("", "protocol/") for path in sorted(root.glob(f"{place}CASIA_HiFiMask@*.txt"))]
    for unit in ("video", "image"):
        for path in paths:
            match = LIST.fullmatch(path.name)
            if match is None or match["unit"] != unit or match["split"] in found.get(match["protocol"], {}):
                continue
            names: dict[str, None] = {}
            for line, words in list_rows(path):
                name = next((part for part in words[0].split("/") if VIDEO.fullmatch(part)), None)
                if name is None:
                    raise unknown_name(f"{path}, line {line}: {words[0]}", PATTERN)
                names[name] = None
            found.setdefault(match["protocol"], {})[match["split"]] = names
    return found
