"""OULU-NPU: `{Train,Dev,Test}_files/P_S_UU_F.avi` with eye positions beside, and `Protocols/Protocol_<n>/*.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from padkit.data.native import NativeReader
from padkit.data.presentation import ATTACK, BONA_FIDE, SPLITS, Division, FaceHint, Presentation
from padkit.errors import DataError
from padkit.settings.ranges import CropSide, Room
from padkit_ocim.annotations import eyes_of, number_rows
from padkit_ocim.layout import complete, elsewhere, folders_below, match_videos, subfolder
from padkit_ocim.oulu_protocols import Divisions, OuluName, read_name

SHAPE = "{Train,Dev,Test}_files/P_S_UU_F.avi with phone 1-6, session 1-3, user 01-55 and content 1-5"
PATTERN = re.compile(r"(?P<folders>(?:.*/)?)(?P<stem>[^/]+)", re.DOTALL)
SPLIT_FOLDER = re.compile(r"(train|dev|test)(?:_?files)?", re.IGNORECASE)
PROTOCOL_FOLDER = re.compile(r"protocol_([1-4])", re.IGNORECASE)
CONTENTS = {
    1: ("", ""),
    2: ("print", "printer1"),
    3: ("print", "printer2"),
    4: ("replay", "display1"),
    5: ("replay", "display2"),
}


class OuluNpuReader(NativeReader):
    """Reads OULU-NPU (Boulkenafet et al., FG 2017), domain O: 55 subjects, 4950 videos.

    Videos are found by their names wherever they lie; the user's number decides the split (train 01-20, dev 21-35, test
    36-55), and a folder that says otherwise is an error. Devices phone1 to phone6 are Samsung Galaxy S6 edge, HTC
    Desire EYE, MEIZU X5, ASUS Zenfone Selfie, Sony XPERIA C5 Ultra Dual and OPPO N3.

    Args:
        root: Folder that holds Train_files, Dev_files, Test_files and, if at hand, Protocols.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops.
        lists: What the protocols are read from: `files` wants the lists in Protocols, `names` divides by the names of
            the videos, `auto` takes a protocol's lists where there are any and the names otherwise.
    """

    expected: ClassVar = {
        ("train", BONA_FIDE): 360,
        ("train", ATTACK): 1440,
        ("dev", BONA_FIDE): 270,
        ("dev", ATTACK): 1080,
        ("test", BONA_FIDE): 360,
        ("test", ATTACK): 1440,
    }
    layout = "Train_files/, Dev_files/ and Test_files/ with videos P_S_UU_F.avi, and Protocols/"

    def __init__(
        self,
        *,
        root: str,
        image_size: CropSide = 256,
        room: Room = 0.0,
        lists: Literal["auto", "files", "names"] = "auto",
    ) -> None:
        super().__init__(root=root, image_size=image_size, room=room)
        self.lists = lists

    def records(self) -> Iterable[Presentation]:
        """Return one record per video.

        Raises:
            DataError: A split has no video, a video has an unknown name or lies in the folder of another split, or one
                presentation has two videos.
        """
        return complete(self, self._found(self.folder()), _missing)

    def hints(self, presentation: Presentation, width: int, height: int) -> Mapping[int, FaceHint]:  # noqa: ARG002
        """Return the eyes of the `.txt` file beside the video: `frame, x, y, x, y`.

        Raises:
            DataError: The file is malformed.
        """
        rows = number_rows(Path(presentation.path).with_suffix(".txt"), (4,))
        eyes = {frame: eyes_of(row) for frame, row in rows}
        return {frame: FaceHint(eyes=pair) for frame, pair in eyes.items() if pair}

    def protocols(self) -> Mapping[str, Division]:
        """Return protocols 1, 2, 3.1 to 3.6 and 4.1 to 4.6; each is read on first use.

        Raises:
            DataError: See `records`; and, when a protocol is looked up, a list is missing, malformed or names a video
                that does not exist.
        """
        names = [read_name(record.id) for record in self.records()]
        folders = {} if self.lists == "names" else _protocol_folders(self.folder())
        return Divisions(names, folders, self.lists)

    def _found(self, root: Path) -> Iterator[Presentation]:
        try:
            videos = match_videos(root, PATTERN, SHAPE, lambda match: _name(match).id)
        except DataError as error:
            raise DataError(f"{error}{elsewhere(root, _missing)}") from error
        for path, match in videos.values():
            name = _name(match)
            attack_type, species = CONTENTS[name.content]
            yield Presentation(
                dataset="oulu-npu",
                domain="O",
                id=name.id,
                label=ATTACK if species else BONA_FIDE,
                split=name.split,
                subject=f"oulu-npu/user{name.user:02d}",
                attack_type=attack_type,
                species=species,
                device=f"phone{name.phone}",
                session=f"session{name.session}",
                path=str(path),
            )


def _missing(folder: Path) -> list[str]:
    names = [f"{split.capitalize()}_files" for split in SPLITS]
    return [name for name in names if not subfolder(folder, name)]


def _name(match: re.Match[str]) -> OuluName:
    name = read_name(match["stem"])
    said = [split[1].lower() for split in map(SPLIT_FOLDER.fullmatch, match["folders"].split("/")) if split]
    if said and said[-1] != name.split:
        raise ValueError(f"user {name.user:02d} belongs to {name.split}, not to {said[-1]}")
    return name


def _protocol_folders(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path, _ in folders_below(root):
        if match := PROTOCOL_FOLDER.fullmatch(path.name):
            if match[1] in found:
                raise DataError(f"{path.name} is there twice: {found[match[1]]} and {path}; remove one of them.")
            found[match[1]] = path
    return found
