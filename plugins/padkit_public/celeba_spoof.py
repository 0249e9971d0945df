"""CelebA-Spoof (Zhang et al., ECCV 2020): stills of celebrities and of attacks with their portraits."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from padkit.data.media.formats import image_suffixes
from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, FaceHint, Presentation, division_by_split
from padkit.errors import DataError
from padkit_public.files import file_names, fitting_root, numbers, stem_and_suffix, subfolders, unknown_name

LABELS = "metas/intra_test/{split}_label.json"
NAME = re.compile(r"Data/(?P<split>train|test)/(?P<subject>\d+)/(?P<kind>live|spoof)/(?P<stem>[^/]+)\.\w+")
PATTERN = "Data/{train,test}/<subject>/{live,spoof}/<n>.<jpg or png>"
ROW = re.compile(rb'\s*[{,]\s*"([^"\\]+)"\s*:\s*\[([^\[\]"]*)\]')
LENGTH = 44  # forty facial attributes, then the four that follow
SPECIES = (
    ("", ""),
    ("print", "photo"),
    ("print", "poster"),
    ("print", "a4"),
    ("mask", "face_mask"),
    ("mask", "upper_body_mask"),
    ("mask", "region_mask"),
    ("replay", "pc"),
    ("replay", "pad"),
    ("replay", "phone"),
    ("mask", "3d_mask"),
)
ILLUMINATION = ("", "normal", "strong", "back", "dark")
ENVIRONMENT = ("", "indoor", "outdoor")
BOX_FRAME = 224  # the boxes refer to copies of the images scaled to this side
SMALLEST_BOX = 3


class CelebaSpoofReader(NativeReader):
    """Reads `<root>/metas/intra_test/{train,test}_label.json` and the images that it lists below `<root>/Data`.

    The owners list 494,405 training and 67,170 test images; how many of them are bona fide is not published. Their
    lists are stepped through, not loaded, and a folder's images are found by one listing. Images come in the order of
    their folders. A listed image that is not there keeps its listed path, and preparation counts it as unreadable.
    What no list names (a stray `Data/train_2`) is ignored.

    Args:
        root: The folder that holds `Data` and `metas`.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
    """

    layout: ClassVar[str] = f"<root>/{PATTERN} and <root>/metas/intra_test/{{train,test}}_label.json"

    def records(self) -> Iterable[Presentation]:
        """Yield one record per listed image.

        Raises:
            DataError: The root has another layout, a list is missing or malformed, or a label contradicts a folder.
        """
        root = fitting_root(self.folder(), _fits, self.layout)
        data = subfolders(root / "Data")
        for split in ("train", "test"):
            labels = root / LABELS.format(split=split)
            if not labels.is_file():
                raise DataError(f"{labels} is missing; expected {self.layout}.")
            if split not in data:
                raise DataError(f"{root / 'Data' / split} is missing; expected {self.layout}.")
            # Sorting groups the images of a folder: one listing per folder finds their true suffixes.
            for folder, rows in groupby(sorted(_rows(labels)), key=lambda row: row[0].rpartition("/")[0]):
                suffixes = _suffixes(root / folder)
                for listed, codes in rows:
                    yield _record(root, labels, split, listed, codes, suffixes)

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:
        """Return the box of `<n>_BB.txt`, scaled to the frame; none if the file is empty or the box under 3 pixels.

        Raises:
            DataError: The file is not `x y w h score`.
        """
        path = Path(stem_and_suffix(presentation.path)[0] + "_BB.txt")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
        if not text.strip():
            return {}
        row = numbers(text.strip().splitlines()[0], str(path))
        if len(row) not in {4, 5}:
            raise DataError(f"{path}: {len(row)} numbers; expected x y w h score.")
        across, down = width / BOX_FRAME, height / BOX_FRAME
        if min(row[2], row[3], row[2] * across, row[3] * down) < SMALLEST_BOX:
            return {}
        return {0: FaceHint(box=(row[0] * across, row[1] * down, row[2] * across, row[3] * down))}

    def protocols(self) -> Mapping[str, Division]:
        """Return the owners' intra-test division, which has no dev part."""
        return {"official": division_by_split(self.records())}


def _fits(root: Path) -> bool:
    return (root / "Data").is_dir() and (root / "metas" / "intra_test").is_dir()


def _rows(labels: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (listed path, spoof type, illumination, environment and label as four bytes).

    The training list has 84 MB. Parsed with `json`, reading the records took 380 MiB more; in this way it takes 88 MiB
    (measured).
    """
    if not labels.stat().st_size:
        raise DataError(f"{labels} is empty.")
    count = place = 0
    with labels.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        while (match := ROW.match(text, place)) is not None:
            count, place = count + 1, match.end()
            words = match[2].rsplit(b",", 4)
            try:
                codes = bytes(int(word) for word in words[1:])
            except ValueError:
                codes = b""
            if match[2].count(b",") != LENGTH - 1 or len(codes) != 4:
                raise DataError(f"{labels}, image {count} ({match[1].decode()}): expected {LENGTH} whole numbers.")
            yield match[1].decode(), codes
        # At the end of a complete list, only its last bracket is left.
        if not count or text[place : place + 100].strip() != b"}":
            raise DataError(f"{labels} breaks off after {count} images; expected JSON, path: [{LENGTH} numbers].")


def _suffixes(folder: Path) -> dict[str, str]:
    """Return the suffix of every image in `folder` by its stem; {} if there is no such folder."""
    if not folder.is_dir():
        return {}
    named = map(stem_and_suffix, file_names(folder))
    return {stem: suffix for stem, suffix in named if suffix.lower() in image_suffixes()}


def _record(
    root: Path, labels: Path, split: str, listed: str, codes: bytes, suffixes: Mapping[str, str]
) -> Presentation:
    match = NAME.fullmatch(listed)
    if match is None or match["split"] != split:
        raise unknown_name(f"{labels}: {listed}", PATTERN.replace("{train,test}", split))
    kind, light, place, spoof = codes
    label = ATTACK if match["kind"] == "spoof" else BONA_FIDE
    if kind >= len(SPECIES) or light >= len(ILLUMINATION) or place >= len(ENVIRONMENT) or spoof > 1:
        raise DataError(f"{labels}: {listed} ends in {list(codes)}, which is beyond the known codes.")
    if spoof != (label == ATTACK) or (kind > 0) != (label == ATTACK):
        raise DataError(f"{labels}: {listed} has spoof type {kind} and label {spoof}, which contradict its folder.")
    attack_type, species = SPECIES[kind]
    stem, suffix = stem_and_suffix(listed)
    return Presentation(
        dataset="celeba-spoof",
        domain="celeba-spoof",
        id=stem.removeprefix("Data/"),
        label=label,
        split=split,
        subject=f"celeba-spoof/{match['subject']}",
        attack_type=attack_type,
        species=species,
        session="-".join(filter(None, (ILLUMINATION[light], ENVIRONMENT[place]))),
        path=f"{root}/{stem}{suffixes.get(match['stem'], suffix)}",
    )
