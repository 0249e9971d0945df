"""WMCA (George et al., TIFS 2020), the preprocessed colour channel: HDF5 files of cropped faces."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from padkit.data.media.pictures import Frame
from padkit.data.media.sources import FrameSource
from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, Presentation
from padkit.errors import DataError, extra_needed
from padkit_public.files import fitting_root, media_below, some, subfolders, unique, unknown_name

SUFFIXES = frozenset({".hdf5", ".h5"})
NAME = re.compile(r"(?P<client>\d{3})_(?P<session>\d\d)_(?P<presenter>\d{3})_(?P<type>\d)_(?P<pai>\d{2,3})")
FRAME = re.compile(r"Frame_(\d+)")
PATTERN = "<client>_<session>_<presenter>_<type>_<pai>.hdf5"
LIST_FOLDERS = ("", "wmca-protocols-csv/", "protocols/", "documentation/")
GRANDTEST = "grandtest"
PARTS = {
    "train": "train",
    "dev": "dev",
    "validation": "dev",
    "eval": "test",
    "test": "test",
}
# Attack type and species by type, for instruments whose number is not in SPECIES.
TYPES = {
    1: ("partial", "glasses"),
    2: ("mask", "fake_face"),
    3: ("print", "print"),
    4: ("replay", "video"),
    5: ("makeup", "makeup"),
}
# (type, instruments): from the list of instruments in Idiap's interface (bob.db.batl), grouped as in the paper.
SPECIES = (
    (1, range(8, 13), ("partial", "wig")),
    (1, (2, 13, 14), ("mask", "rigid_mask")),
    (1, (15, 16), ("partial", "paper_glasses")),
    (2, range(1, 8), ("mask", "mannequin")),
    (2, range(8, 12), ("mask", "paper_mask")),
    (2, range(12, 18), ("mask", "rigid_mask")),
    (2, (18, *range(75, 100)), ("mask", "flexible_mask")),
    (3, (5, 10, 15), ("replay", "electronic_photo")),
)


class WmcaReader(NativeReader):
    """Reads `<root>/preprocessed-face-station_RGB/<date>/*.hdf5`, or a root that holds the dates themselves.

    A file is a presentation: groups `Frame_<n>` with an array uint8 [3, 128, 128], RGB, cropped to the face already.
    The subject is the client, the identity that is shown to the camera, as Idiap counts it; who wears a mask or
    glasses is not kept. Splits come from `PROTOCOL-grandtest.csv` in the root or its folder wmca-protocols-csv,
    protocols or documentation, else they are unknown; every `PROTOCOL-<name>.csv` there is a protocol.

    Args:
        root: The folder that holds `preprocessed-face-station_RGB`, or the dates.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    expected: ClassVar[Mapping[tuple[str, int], int]] = {("", BONA_FIDE): 347, ("", ATTACK): 1332}
    cropped = True
    layout: ClassVar[str] = f"<root>/preprocessed-face-station_RGB/<date>/{PATTERN}"

    def records(self) -> Iterable[Presentation]:
        """Yield one record per file.

        Raises:
            DataError: The root has another layout, a name is unknown, or a protocol's list is malformed.
        """
        root = fitting_root(self.folder(), _fits, self.layout)
        grandtest = _lists(root).get(GRANDTEST)
        splits = dict(_rows(grandtest)) if grandtest else {}
        colour = _colour_folder(root)
        paths = some(media_below(colour, SUFFIXES), colour, self.layout)
        return unique(_record(path, splits) for path in paths)

    def open_media(self, presentation: Presentation) -> FrameSource:
        """Open the HDF5 file.

        Raises:
            DataError: It is missing, damaged or holds no frames.
            PluginError: The extra `hdf5` is not installed.
        """
        return WmcaFrames(presentation.path)

    def protocols(self) -> Mapping[str, Division]:
        """Return those of `grandtest`, `LOO_glasses`, ... whose lists exist.

        Raises:
            DataError: A list is malformed or names an unknown file.
        """
        known = {record.id for record in self.records()}
        protocols = {}
        for name, path in _lists(self.folder()).items():
            parts: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
            for video, part in _rows(path):
                if video not in known:
                    raise DataError(f"{path} names {video!r}, which is not below {self.root}.")
                parts[part].append(video)
            protocols[name] = Division(**{part: tuple(videos) for part, videos in parts.items()})
        return protocols


class WmcaFrames(FrameSource):
    """The frames of one file, in the order of their numbers: Frame_2 comes before Frame_10.

    Args:
        path: The HDF5 file.

    Raises:
        DataError: It is missing, damaged or holds no frames.
        PluginError: The extra `hdf5` is not installed.
    """

    def __init__(self, path: str) -> None:
        with extra_needed("WMCA's HDF5 files", "padkit[hdf5]"):
            import h5py
        self._path = path
        try:
            self._file: Any = h5py.File(path, "r")
        except OSError as error:
            raise DataError(f"{path}: not a readable HDF5 file ({str(error).splitlines()[0]}).") from error
        numbered = sorted((int(match[1]), name) for name in self._file if (match := FRAME.fullmatch(name)))
        self._names = [name for _, name in numbered]
        if not self._names:
            self.close()
            raise DataError(f"{path}: holds no groups Frame_<n>.")

    def __len__(self) -> int:
        return len(self._names)

    def take(self, numbers: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield the requested frames."""
        for number in numbers:
            name = self._names[number]
            try:
                array = np.asarray(self._file[name]["array"])
            # On damaged files, h5py may raise any of these.
            except (KeyError, OSError, RuntimeError, ValueError, TypeError) as error:
                raise DataError(f"{self._path}: {name} cannot be read ({str(error).splitlines()[0]}).") from error
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] != 3:
                raise DataError(f"{self._path}: {name} is {array.dtype} {list(array.shape)}, not uint8 [3, H, W].")
            yield number, np.ascontiguousarray(array.transpose(1, 2, 0))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _colour_folder(root: Path) -> Path:
    # The other channels are in folders beside it, under the same file names.
    return next((place for name, place in subfolders(root).items() if name.endswith("_rgb")), root)


def _fits(root: Path) -> bool:
    if not root.is_dir():
        return False
    colour = _colour_folder(root)
    dates = subfolders(colour)
    return colour != root or any(re.fullmatch(r"\d\d\.\d\d\.\d\d", name) for name in dates) or "face-station" in dates


def _record(path: Path, splits: Mapping[str, str]) -> Presentation:
    match = NAME.fullmatch(path.stem)
    if match is None or int(match["type"]) not in {0, *TYPES}:
        raise unknown_name(path, PATTERN + ", type 0 to 5")
    kind, instrument = int(match["type"]), int(match["pai"])
    attack_type, species = ("", "") if kind == 0 else _species(kind, instrument)
    name = f"{path.parent.name}/{path.stem}"
    return Presentation(
        dataset="wmca",
        domain="wmca",
        id=name,
        label=ATTACK if kind else BONA_FIDE,
        split=splits.get(name, ""),
        subject=f"wmca/{match['client']}",
        attack_type=attack_type,
        species=species,
        session=match["session"],
        path=str(path),
    )


def _species(kind: int, instrument: int) -> tuple[str, str]:
    return next((names for of, found, names in SPECIES if of == kind and instrument in found), TYPES[kind])


def _lists(root: Path) -> dict[str, Path]:
    return {
        path.stem.removeprefix("PROTOCOL-"): path
        for folder in LIST_FOLDERS
        for path in sorted(root.glob(f"{folder}PROTOCOL-*.csv"))
    }


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (`<date>/<file without suffix>`, split); the columns' order differs between copies, so cells are known by
    what they hold.
    """  # noqa: D205 -- one sentence
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line, row in enumerate(csv.reader(stream), start=1):
                paths = [cell.strip().replace("\\", "/") for cell in row]
                videos = [cell for cell in paths if NAME.fullmatch(Path(cell).name.removesuffix(".hdf5"))]
                parts = [PARTS[cell.lower()] for cell in paths if cell.lower() in PARTS]
                if len(videos) == 1 and len(parts) == 1:
                    yield "/".join(videos[0].removesuffix(".hdf5").split("/")[-2:]), parts[0]
                elif line > 1 and any(paths):
                    raise DataError(f"{path}, line {line}: expected a file and train, dev or eval; found {row}.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"List {path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
