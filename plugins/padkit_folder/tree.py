"""A folder of images or videos whose folder names say domain, split, label and attack type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from padkit.data.media.pictures import VIDEO_SUFFIXES
from padkit.data.presentation import LABEL_NAMES, Presentation
from padkit.data.reader import SIMULATED_NOTE
from padkit.errors import DataError, SettingsError, closest
from padkit.settings.ranges import CropSide
from padkit_folder.files import FilesReader
from padkit_folder.names import SPLIT_NAMES, attack_names, existing_folder, media_below


class FolderReader(FilesReader):
    """Reads `<root>/<domain>/<split>/<live or spoof>[/<attack type>]/...`; domain and split may be missing.

    Without a domain level the whole folder is one domain, named after it. Labels are live, bonafide, real, ... and
    spoof, attack, fake, ... in any case. Every image or video is a presentation of its own unless
    `presentation_pattern` groups the stills of a clip. Whole images are taken, two frames of every video; where they
    are no face crops, `padkit prepare folder` makes some. A file `SIMULATED.txt` in the root marks the data, and every
    report on them, as simulated.

    Args:
        root: The folder.
        image_size: Side in pixels of the prepared square crops.
        subject_pattern: Regular expression searched in the file name; its first group (or the whole match) is the
            subject, for example `^(.+)_` for `<subject>_<n>.png`. None leaves subjects unknown.
        subject_scope: `root`: one subject name is one person in all domains; `domain`: each domain counts its own.
        presentation_pattern: Regular expression searched in the file name; its first group (or the whole match) names
            the presentation within its folder. None makes each file one.
    """

    def __init__(
        self,
        *,
        root: str,
        image_size: CropSide = 256,
        subject_pattern: str | None = None,
        subject_scope: Literal["root", "domain"] = "root",
        presentation_pattern: str | None = None,
    ) -> None:
        self.root = root
        self.simulated = (Path(root).expanduser() / SIMULATED_NOTE).exists()
        self.image_size = image_size
        self.subject_scope = subject_scope
        self._subject = _compiled(subject_pattern, "subject_pattern")
        self._presentation = _compiled(presentation_pattern, "presentation_pattern")

    def records(self) -> Iterable[Presentation]:
        """Yield one record per file.

        Raises:
            DataError: The root is missing or empty, a folder name is not a label or split, or a pattern does not match.
        """
        root = existing_folder(self.root, "the setting `root`")
        counts: dict[str, int] = {}
        for path in media_below(root):
            record = self._record(root, path, counts)
            yield record
        if not counts:
            raise DataError(
                f"Folder {self.root!r} holds no images or videos; expected <domain>/<split>/live/... and "
                "<domain>/<split>/spoof/... below it."
            )

    def _record(self, root: Path, path: Path, counts: dict[str, int]) -> Presentation:
        folders = path.relative_to(root).parts[:-1]
        place, below = _label_level(root, folders, path)
        label = LABEL_NAMES[folders[place].lower()]
        domain, split = _domain_and_split(root, folders[:place])
        attack_type, species = attack_names(label, below[0] if below else "")
        name = path.relative_to(root).as_posix()
        if self._presentation is not None:
            name = "/".join((*folders, _first_group(self._presentation, path, "presentation_pattern")))
        number = counts.get(name, 0)
        counts[name] = number + 1
        subject = _first_group(self._subject, path, "subject_pattern") if self._subject is not None else ""
        return Presentation(
            dataset=_name_of(root),
            domain=domain,
            id=name,
            label=label,
            split=split,
            subject=f"{domain}/{subject}" if subject and self.subject_scope == "domain" else subject,
            attack_type=attack_type,
            species=species,
            path=str(path),
            frames=() if path.suffix.lower() in VIDEO_SUFFIXES else (number,),
        )


def _label_level(root: Path, folders: tuple[str, ...], path: Path) -> tuple[int, tuple[str, ...]]:
    """Return the position of the first folder that is a label, and the folders below it."""
    for place, folder in enumerate(folders[:3]):
        if folder.lower() in LABEL_NAMES:
            below = folders[place + 1 :]
            for name in below:
                if name.lower() in SPLIT_NAMES:
                    raise DataError(
                        f"Split folder {name!r} lies below label folder {folder!r} ({path}); expected "
                        "<domain>/<split>/<label>/..."
                    )
            return place, below
    if not folders:
        raise DataError(f"{path} lies directly in {root}, in no live or spoof folder; sort the files into those two.")
    # The label was expected below the domain and the split, if there are such folders.
    due = next((place + 1 for place, folder in enumerate(folders) if folder.lower() in SPLIT_NAMES), len(folders) - 1)
    name = folders[min(due, len(folders) - 1)]
    raise DataError(f"Folder {name!r} in the path of {path} names no label.{closest(name.lower(), LABEL_NAMES)}")


def _domain_and_split(root: Path, above: tuple[str, ...]) -> tuple[str, str]:
    if not above:
        return _name_of(root), ""
    if len(above) == 1:
        split = SPLIT_NAMES.get(above[0].lower(), "")
        return (_name_of(root), split) if split else (above[0], "")
    domain, split = above
    if split.lower() not in SPLIT_NAMES:
        raise DataError(
            f"Folder {split!r} in {root / domain} is neither a split nor a label.{closest(split.lower(), SPLIT_NAMES)}"
        )
    return domain, SPLIT_NAMES[split.lower()]


def _name_of(root: Path) -> str:
    return root.resolve().name or "folder"


def _compiled(pattern: str | None, setting: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"{setting} {pattern!r} is not a regular expression: {error}.") from error


def _first_group(pattern: re.Pattern[str], path: Path, setting: str) -> str:
    match = pattern.search(path.name)
    text = (match.group(1) if pattern.groups else match.group(0)) if match else None
    if not text:
        raise DataError(f"{setting} {pattern.pattern!r} does not match file name {path.name!r} ({path.parent}).")
    return text
