"""CASIA-SURF CeFA (Liu et al., WACV 2021), its colour images: three ethnicities, prints, replays and masks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, SPLITS, Division, Presentation
from padkit.errors import DataError
from padkit_public.files import SPLIT_FOLDERS, fitting_root, list_rows, some, subfolders, unique, unknown_name

COLOUR_FOLDERS = frozenset({"profile", "color"})
DEPTH_OF_TREE = 5
VIDEO = re.compile(r"(?P<race>[123])_(?P<subject>\d{3})_(?P<device>[1-4])_(?P<place>[123])_(?P<type>[1-4])")
# The last number of a mask's name is its light: read as a type, 1 would make a mask bona fide.
MASK = re.compile(r"(?P<mask>[12])_(?P<subject>\d{3})_[01]_[01]_(?P<device>[12])_(?P<place>[12])_(?P<light>[1-4])")
ANONYMOUS = re.compile(r"\d{6}")
PATTERN = "<race>_<subject>_<device>_<place>_<type>, a mask's seven numbers, or a challenge's six digits"
TYPES = {"1": ("", ""), "2": ("print", "cloth"), "3": ("print", "paper"), "4": ("replay", "screen")}
MASKS = {"1": "3d_mask", "2": "silicone_mask"}
DEVICES = {"1": "rssdk", "2": "mp4", "3": "bag", "4": "mov"}
PLACES = {"1": "indoor", "2": "outdoor", "3": "random"}
LIST = re.compile(r"4@(?P<fold>\d)_(?P<split>train|dev|test)(?:_(?P<kind>ref|res))?\.txt")
FIRST_DEV, FIRST_TEST = 200, 300  # subjects, of each ethnicity


class CefaReader(NativeReader):
    """Reads the folders `<race>_<subject>_<device>_<place>_<type>/profile` (or `/color`), wherever they lie below root.

    Both releases are read: `<race>/<race>-<subject>/<video>` with the masks beside, and the challenge's phase1 and
    phase2. Subjects 000-199 train, 200-299 are dev, 300-499 test; masks, of other people, are for testing only. The
    challenge's dev/003000 and test/000001 have no name of their own: subject and species are unknown, and the label
    comes from a list `4@<fold>_dev_ref.txt` or `4@<fold>_test_ref.txt` (1 is bona fide). Folds of protocol 4 are named
    4.1, 4.2 and 4.3.

    Args:
        root: The folder that holds the ethnicities, or `phase1`, or the lists `4@1_train.txt`.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    # Counts of the full release; each protocol's lists hold the same 1,123 masks.
    expected: ClassVar[Mapping[tuple[str, int], int]] = {
        ("train", BONA_FIDE): 600,
        ("train", ATTACK): 1800,
        ("dev", BONA_FIDE): 300,
        ("dev", ATTACK): 900,
        ("test", BONA_FIDE): 600,
        ("test", ATTACK): 1800 + 1123,
    }
    layout: ClassVar[str] = "<root>/.../<race>_<subject>_<device>_<place>_<type>/profile/<n>.jpg"

    def records(self) -> Iterable[Presentation]:
        """Yield one record per folder of colour images.

        Raises:
            DataError: The root holds none, or a folder's name is unknown, taken twice or without a label.
        """
        root = fitting_root(self.folder(), _fits, self.layout)
        labels = {name: label for _, _, rows in _lists(root) for name, label in rows if label}
        videos = some(_videos(root, DEPTH_OF_TREE), root, self.layout)
        return unique(_record(place, colour, labels) for place, colour in videos)

    def protocols(self) -> Mapping[str, Division]:
        """Return the folds of protocol 4 whose lists `4@<fold>_{train,dev,test}*.txt` exist.

        Raises:
            DataError: A fold lacks one of the three lists, or a list names an unknown video.
        """
        known = {record.id for record in self.records()}
        folds: dict[str, dict[str, dict[str, None]]] = {}
        for path, match, rows in _lists(self.folder()):
            part = folds.setdefault(f"4.{match['fold']}", {}).setdefault(match["split"], {})
            for name, _ in rows:
                if name not in known:
                    raise DataError(f"{path} names {name!r}, which is not below {self.root}.")
                part[name] = None
        for fold, parts in folds.items():
            for split in SPLITS:
                if split not in parts:
                    raise DataError(f"Protocol {fold} has no list 4@{fold[2:]}_{split}*.txt below {self.root}.")
        return {
            fold: Division(train=tuple(parts["train"]), dev=tuple(parts["dev"]), test=tuple(parts["test"]))
            for fold, parts in sorted(folds.items())
        }


def _fits(root: Path) -> bool:
    # Videos may be at any depth: a root is too low only if it is inside a video's folder.
    return not VIDEO.fullmatch(root.resolve().name) and not COLOUR_FOLDERS & {root.resolve().name.lower()}


def _videos(folder: Path, depth: int) -> Iterator[tuple[Path, Path]]:
    """Yield (a video's folder, the folder of its colour images); folders inside those are not listed."""
    folders = subfolders(folder)
    colour = next((place for name, place in folders.items() if name in COLOUR_FOLDERS), None)
    if colour is not None:
        yield folder, colour
    elif VIDEO.fullmatch(folder.name) or MASK.fullmatch(folder.name):
        raise DataError(f"{folder} holds no folder 'profile' of colour images; the copy is incomplete.")
    elif depth:
        for child in folders.values():
            yield from _videos(child, depth - 1)


def _record(place: Path, colour: Path, labels: Mapping[str, str]) -> Presentation:
    name = place.name
    if (match := VIDEO.fullmatch(name)) is not None:
        attack_type, species = TYPES[match["type"]]
        number = int(match["subject"])
        split = "train" if number < FIRST_DEV else "dev" if number < FIRST_TEST else "test"
        subject, session = f"cefa/{match['race']}_{match['subject']}", PLACES[match["place"]]
    elif (match := MASK.fullmatch(name)) is not None:
        attack_type, species, split = "mask", MASKS[match["mask"]], "test"
        subject = f"cefa/{species}_{match['subject']}"
        session = f"{PLACES[match['place']]}-light{match['light']}"
    elif ANONYMOUS.fullmatch(name) and (split := SPLIT_FOLDERS.get(place.parent.name.lower(), "")):
        return _anonymous(place, colour, split, labels)
    else:
        raise unknown_name(place, PATTERN)
    label = ATTACK if attack_type else BONA_FIDE
    if labels.get(name, str(label)) != str(label):
        raise DataError(f"A list 4@*.txt labels {name} {labels[name]}; expected 1 for bona fide and 0 for attacks.")
    device = DEVICES[match["device"]] if match.re is VIDEO else f"device{match['device']}"
    return Presentation(
        dataset="cefa",
        domain="cefa",
        id=name,
        label=label,
        split=split,
        subject=subject,
        attack_type=attack_type,
        species=species,
        device=device,
        session=session,
        path=str(colour),
    )


def _anonymous(place: Path, colour: Path, split: str, labels: Mapping[str, str]) -> Presentation:
    name = f"{place.parent.name}/{place.name}"
    if labels.get(name) not in {"0", "1"}:
        raise DataError(f"{place} has no label; put the list 4@<fold>_{split}_ref.txt beside {place.parent}.")
    label = BONA_FIDE if labels[name] == "1" else ATTACK
    unnamed = "" if label == BONA_FIDE else "unspecified"
    return Presentation(
        dataset="cefa",
        domain="cefa",
        id=name,
        label=label,
        split=split,
        attack_type=unnamed,
        species=unnamed,
        path=str(colour),
    )


def _lists(root: Path) -> Iterator[tuple[Path, re.Match[str], Iterator[tuple[str, str]]]]:
    """Yield (path, its name's match, (video, label or "") of every row) of the protocol lists.

    They are in the root or one folder below. A template for scores, `_res`, is skipped; `_ref` is read.
    """
    found = {path.relative_to(root): path for place in ("4@*.txt", "*/4@*.txt") for path in sorted(root.glob(place))}
    for path in found.values():
        match = LIST.fullmatch(path.name)
        if match is None or path.with_name(path.name.replace("_res", "_ref")) in set(found.values()) - {path}:
            continue
        yield path, match, _list_videos(path)


def _list_videos(path: Path) -> Iterator[tuple[str, str]]:
    for line, words in list_rows(path):
        parts = words[0].split("/")
        named = next((part for part in parts if VIDEO.fullmatch(part) or MASK.fullmatch(part)), None)
        digits = next((at for at, part in enumerate(parts) if at and ANONYMOUS.fullmatch(part)), None)
        if named is None and digits is None:
            raise unknown_name(f"{path}, line {line}: {words[0]}", PATTERN)
        yield named or "/".join(parts[digits - 1 : digits + 1] if digits else ()), words[1] if len(words) > 1 else ""
