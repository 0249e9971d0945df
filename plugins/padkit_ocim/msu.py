"""MSU-MFSD: `scene01/{real,attack}/*.{mp4,mov}`, `.face` files beside them, and two lists of subjects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, Division, FaceHint, Presentation, division_by_split
from padkit.errors import DataError, closest
from padkit.settings.ranges import CropSide, Room
from padkit_ocim.annotations import Four, box_of, eyes_of, number_rows, stem, text_lines
from padkit_ocim.layout import checked_root, complete, match_videos, subfolder, text_file

SHAPE = (
    "scene01/real/real_client<nnn>_{android,laptop}_SD_scene01.{mp4,mov} or scene01/attack/attack_client<nnn>_"
    "{android,laptop}_SD_{ipad_video,iphone_video,printed_photo}_scene01.{mp4,mov}"
)
PATTERN = re.compile(
    r"(?i:scene01/)?(?:(?i:real)/(?P<live>real_client(?P<person>\d{3})_(?P<camera>android|laptop)_SD_scene01)"
    r"|(?i:attack)/(?P<attack>attack_client(?P<client>\d{3})_(?P<device>android|laptop)_SD_"
    r"(?P<species>ipad_video|iphone_video|printed_photo)_scene01))"
)
LISTS = {"train": "train_sub_list.txt", "test": "test_sub_list.txt"}


class MsuMfsdReader(NativeReader):
    """Reads MSU-MFSD (Wen et al., TIFS 2015), domain M: 35 subjects, 280 videos, no dev split.

    Some live videos are stored upside down, which no name tells: look at the crops, then name those videos in a file.
    The reader of Bob (bob.db.msu_mfsd_mod) lists six, `real_client<nnn>_android_SD_scene01` of clients 003 and 005 to
    009; a copy whose files say so themselves, or that was converted, may need none.

    Args:
        root: Folder that holds scene01, train_sub_list.txt and test_sub_list.txt.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
        upside_down: Text file with the name of one upside-down video a line, or None; folders and suffixes in it are
            ignored. Name only those that stay upside down after the rotation their own file asks for.
    """

    expected: ClassVar = {
        ("train", BONA_FIDE): 30,
        ("train", ATTACK): 90,
        ("test", BONA_FIDE): 40,
        ("test", ATTACK): 120,
    }
    layout = "scene01/real/, scene01/attack/, train_sub_list.txt and test_sub_list.txt"

    path_settings = ("root", "upside_down")

    def __init__(
        self, *, root: str, image_size: CropSide = 256, room: Room = 0.0, upside_down: str | None = None
    ) -> None:
        super().__init__(root=root, image_size=image_size, room=room)
        self.upside_down = upside_down

    def records(self) -> Iterable[Presentation]:
        """Return one record per video.

        Raises:
            DataError: The root lacks a folder or a list, a video has an unknown name or a subject of neither list, one
                presentation has two videos, or a list is malformed.
        """
        return complete(self, self._found(checked_root(self, _missing)), _missing)

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:
        """Return boxes and eyes of the `.face` file beside the video: `frame, left, top, right, bottom, two eyes`.

        Not every frame has a row. In a video that is turned, rows whose eyes lie in the lower half of the box were
        made on the stored frames and are turned as well; the others were made on upright ones.

        Raises:
            DataError: The file is malformed.
        """
        found: dict[int, FaceHint] = {}
        for frame, row in number_rows(Path(presentation.path).with_suffix(".face"), (4, 8)):
            left, top, right, bottom = row[:4]
            box = box_of(left, top, right - left, bottom - top)
            eyes = eyes_of(row[4:]) if len(row) > 4 else None
            if box and eyes and presentation.rotation == 180 and eyes[1] + eyes[3] > top + bottom:
                box, eyes = _turn(box, eyes, width, height)
            if box:
                found[frame] = FaceHint(box=box, eyes=eyes)
        return found

    def protocols(self) -> Mapping[str, Division]:
        """Return the owners' division; its dev part is empty."""
        return {"official": division_by_split(self.records())}

    def _found(self, root: Path) -> Iterator[Presentation]:
        splits = _splits(root)
        videos = match_videos(root, PATTERN, SHAPE, lambda match: str(match["live"] or match["attack"]))
        turned = self._turned(videos)
        for key, (path, match) in videos.items():
            client = int(match["person"] or match["client"])
            if client not in splits:
                raise DataError(f"{path}: client {client} is in neither {' nor '.join(LISTS.values())}.")
            species = match["species"] or ""
            yield Presentation(
                dataset="msu-mfsd",
                domain="M",
                id=key,
                label=ATTACK if species else BONA_FIDE,
                split=splits[client],
                subject=f"msu-mfsd/client{client:03d}",
                attack_type=("print" if species == "printed_photo" else "replay") if species else "",
                species=species,
                device=match["camera"] or match["device"],
                session="scene01",
                path=str(path),
                rotation=180 if key in turned else 0,
            )

    def _turned(self, known: Iterable[str]) -> set[str]:
        if not self.upside_down:
            return set()
        path = Path(self.upside_down).expanduser()
        turned: set[str] = set()
        for line, text in text_lines(path):
            name = stem(text)
            if name not in known:
                raise DataError(f"{path}, line {line}: {name!r} is no video below the root.{closest(name, known)}")
            turned.add(name)
        return turned


def _missing(folder: Path) -> list[str]:
    scene = subfolder(folder, "scene01") or folder
    folders = [f"scene01/{name}" for name in ("real", "attack") if not subfolder(scene, name)]
    return folders + [name for name in LISTS.values() if not text_file(folder, name)]


def _splits(root: Path) -> dict[int, str]:
    splits: dict[int, str] = {}
    for split, name in LISTS.items():
        path = text_file(root, name) or root / name
        for line, text in text_lines(path):
            # Clients have two digits in the lists, three in the files' names.
            match = re.fullmatch(r"(?:client)?(\d{1,3})", text, re.IGNORECASE)
            if match is None:
                raise DataError(f"{path}, line {line}: {text!r} is no client's number.")
            client = int(match[1])
            if splits.setdefault(client, split) != split:
                raise DataError(f"{path}, line {line}: client {client} is also in {LISTS['train']}.")
    return splits


def _turn(box: Four, eyes: Four, width: int, height: int) -> tuple[Four, Four]:
    x, y, w, h = box
    ax, ay, bx, by = eyes
    return (width - x - w, height - y - h, w, h), (width - bx, height - by, width - ax, height - ay)
