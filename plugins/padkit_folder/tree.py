"""A folder of images or videos whose folder names say domain, split, label and attack type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from padkit.data.labels import LabelCount, stated_values
from padkit.data.media.formats import VIDEO, kind_of
from padkit.data.presentation import Presentation
from padkit.data.reader import SIMULATED_NOTE
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import CropSide
from padkit_folder.files import FilesReader
from padkit_folder.layout import Layout
from padkit_folder.levels import Place, guess, name_of
from padkit_folder.names import OPTION, attack_names, existing_folder, split_of


class FolderReader(FilesReader):
    """Reads `<root>/<domain>/<split>/<live or spoof>[/<attack type>]/...`; domain and split may be missing.

    Without a domain level the whole folder is one domain, named after it. Labels are live, bonafide, real, ... and
    spoof, attack, fake, ... in any case; 1 and 0 where no folder is called so. Other trees are read by `layout`. Every
    image or video is a presentation of its own unless `presentation_pattern` or the layout groups the stills of a clip.
    Whole images are taken, two frames of every video; where they are no face crops, `padkit prepare folder` makes some.
    A file `SIMULATED.txt` in the root marks the data, and every report on them, as simulated.

    Args:
        root: The folder.
        image_size: Side in pixels of the prepared square crops.
        bona_fide: Label names that mean bona fide (0, or client); other numbers or names then mean attack. None knows
            live, bonafide, real, genuine, 1 and spoof, attack, fake, 0.
        layout: What the levels of a path mean, in place of the above: `{label}/{subject}/{domain}/*`. Parts are label,
            domain, split, subject, presentation, attack_type, species, device and session; `*` is any text within a
            level, `**` any number of levels.
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
        bona_fide: list[str | int] | None = None,
        layout: str | None = None,
        subject_pattern: str | None = None,
        subject_scope: Literal["root", "domain"] = "root",
        presentation_pattern: str | None = None,
    ) -> None:
        self.root = root
        self.simulated = (Path(root).expanduser() / SIMULATED_NOTE).exists()
        self.image_size = image_size
        self.subject_scope = subject_scope
        self._values = stated_values(bona_fide, OPTION)
        self._layout = None if layout is None else Layout(layout)
        self._subject = _compiled(subject_pattern, "subject_pattern")
        self._presentation = _compiled(presentation_pattern, "presentation_pattern")
        self._notes: tuple[str, ...] = ()
        if self._layout is not None:
            _check_layout(self._layout, {"subject": self._subject, "presentation": self._presentation})

    def records(self) -> Iterable[Presentation]:
        """Yield one record per file.

        Raises:
            DataError: The root is missing or empty, a folder name is not a label or split, several folders may be the
                label, or a layout or a pattern does not match.
        """
        root = existing_folder(self.root, "the setting `root`")
        paths = list(self.media_below(root))
        if not paths:
            raise DataError(
                f"Folder {self.root!r} holds no images or videos; expected <domain>/<split>/live/... and "
                f"<domain>/<split>/spoof/... below it.{self.nothing_read()}"
            )
        count, by, warnings = LabelCount(self._values), "folder name", list[str]()
        if self._layout is None:
            places, warnings = guess(root, paths, self._values)
            parts = [_parts(place) for place in places]
            for place in places:
                count.add(place.value, place.label)
        else:
            by = f"layout {self._layout.text}"
            parts = [self._layout.read(path.relative_to(root).as_posix(), f"{path}:") for path in paths]
            for path, found in zip(paths, parts, strict=True):
                count.read(found["label"], str(path))
        self._notes = (*count.lines(by), *warnings)
        numbers: dict[str, int] = {}
        for path, found in zip(paths, parts, strict=True):
            yield self._record(root, path, found, numbers)

    def notes(self) -> Sequence[str]:
        """Return how labels were read, and warnings about the tree."""
        return self._notes

    def _record(self, root: Path, path: Path, parts: dict[str, str], numbers: dict[str, int]) -> Presentation:
        label = self._values.read(parts["label"], str(path))
        attack_type, species = attack_names(label, parts.get("attack_type", ""), parts.get("species", ""))
        name = path.relative_to(root).as_posix()
        if self._presentation is not None:
            name = "/".join((*name.split("/")[:-1], _first_group(self._presentation, path, "presentation_pattern")))
        elif self._layout is not None:
            name = self._layout.presentation(name, parts)
        number = numbers.get(name, 0)
        numbers[name] = number + 1
        subject = parts.get("subject", "")
        if self._subject is not None:
            subject = _first_group(self._subject, path, "subject_pattern")
        domain = parts.get("domain") or name_of(root)
        return Presentation(
            dataset=name_of(root),
            domain=domain,
            id=name,
            label=label,
            split=split_of(parts.get("split", ""), str(path)),
            subject=f"{domain}/{subject}" if subject and self.subject_scope == "domain" else subject,
            attack_type=attack_type,
            species=species,
            device=parts.get("device", ""),
            session=parts.get("session", ""),
            path=str(path),
            frames=() if kind_of(path) == VIDEO else (number,),
        )


def _parts(place: Place) -> dict[str, str]:
    return {"label": place.value, "domain": place.domain, "split": place.split, "attack_type": place.attack_type}


def _check_layout(layout: Layout, patterns: dict[str, re.Pattern[str] | None]) -> None:
    """Refuse a layout without a label, and one that names what a pattern names as well."""
    if "label" not in layout.parts:
        raise SettingsError(f"{layout.setting} {layout.text!r} has no {{label}}; say which level or text is the label.")
    for part, pattern in patterns.items():
        if pattern is not None and part in layout.parts:
            raise SettingsError(
                f"{layout.setting} names {{{part}}}, and so does {part}_pattern; remove one of the two."
            )


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
