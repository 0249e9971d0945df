"""Reads a CSV, TSV or Parquet list of images or videos with their labels and other columns."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from padkit.data.labels import LabelCount, stated_values
from padkit.data.lists import open_list
from padkit.data.media.formats import VIDEO, kind_of
from padkit.data.media.pictures import Box
from padkit.data.presentation import Presentation
from padkit.data.reader import SIMULATED_NOTE
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import CropSide, Room
from padkit_folder.files import FilesReader
from padkit_folder.layout import Layout
from padkit_folder.names import OPTION, attack_names, split_of


class ManifestReader(FilesReader):
    """Reads a list with columns path and label, and optionally domain, split, subject, presentation, attack_type,
    species, device, session, frame and box (`x y width height` in pixels), or common synonyms of them. Other columns
    are ignored.

    Rows that share a presentation are its frames; without that column every row is one. Of a video, `frame` names the
    one to take; without it two are taken. Where the media are no face crops, `padkit prepare manifest` makes some. A
    file `SIMULATED.txt` beside the list marks the data, and every report on them, as simulated.

    Args:
        file: `.csv`, `.tsv` or `.parquet`; relative paths in it start at its folder.
        image_size: Side in pixels of the prepared square crops.
        room: Share of the crop's side stored beyond it on each side, in which training moves crops; the rows
            need boxes.
        bona_fide: Labels that mean bona fide (0, or client); other numbers or words then mean attack. None knows live,
            bonafide, real, genuine, 1 and spoof, attack, fake, 0.
        layout: What the levels of the listed paths mean, for parts that no column names:
            `{domain}/{label}/{subject}/*`, as in dataset `folder`.
    """  # noqa: D205 -- the list of columns is the summary

    path_settings = ("file",)

    def __init__(
        self,
        *,
        file: str,
        image_size: CropSide = 256,
        room: Room = 0.0,
        bona_fide: list[str | int] | None = None,
        layout: str | None = None,
    ) -> None:
        self.file = file
        self.simulated = (Path(file).expanduser().parent / SIMULATED_NOTE).exists()
        self.image_size = image_size
        self.room = room
        self._values = stated_values(bona_fide, OPTION)
        self._layout = None if layout is None else Layout(layout)
        self._notes: tuple[str, ...] = ()

    def records(self) -> Iterable[Presentation]:
        """Yield one record per row.

        Raises:
            DataError: The file is missing, empty or malformed, or a value is unknown; the error names the line.
        """
        path = Path(self.file).expanduser()
        if not self.file or not path.is_file():
            raise DataError(f"Manifest {self.file!r} does not exist; check the setting `file`.")
        told = self._layout.parts if self._layout else ()
        chosen, rows, about = open_list(path, [name for name in ("path", "label") if name not in told], told)
        if self._layout is not None:
            _check_layout(self._layout, chosen)
        labels = chosen.get("label", "")
        count = LabelCount(self._values.said_by(labels))
        numbers: dict[str, int] = {}
        for line, values in rows:
            where = f"{path}, line {line}"
            yield _record(path, where, self._row(where, values), count, numbers)
        if not numbers:
            raise DataError(f"Manifest {self.file!r} lists no files.")
        by = f"column {labels!r}" if labels else f"layout {self._layout.text}" if self._layout else ""
        self._notes = (*count.lines(by, labels), *about)

    def notes(self) -> Sequence[str]:
        """Return how labels and columns were read."""
        return self._notes

    def _row(self, where: str, row: dict[str, str]) -> dict[str, str]:
        """Return a row with the parts that the layout finds in its path."""
        if self._layout is not None:
            name = posixpath.normpath(row["path"].replace("\\", "/")).lstrip("/")
            parts = self._layout.read(name, f"{where}: {row['path']}")
            if "presentation" in parts:
                parts["presentation"] = self._layout.presentation(name, {"label": row.get("label", ""), **parts})
            row |= parts
        return row


def _check_layout(layout: Layout, chosen: Mapping[str, str]) -> None:
    """Refuse a layout that names what a column of the list names as well."""
    if both := sorted({*layout.parts} & {*chosen}):
        raise SettingsError(
            f"{layout.setting} names {{{both[0]}}}, and the list has a column for it ({chosen[both[0]]!r}); write * in "
            "its place in the layout."
        )


def _record(
    manifest: Path, where: str, row: Mapping[str, str], count: LabelCount, numbers: dict[str, int]
) -> Presentation:
    label = count.read(row["label"], where)
    count.compare(row["path"], label)
    attack_type, species = attack_names(label, row.get("attack_type", ""), row.get("species", ""))
    box = _box(row.get("box", ""), where)
    # The same image may be listed with several face boxes: those are different presentations.
    name = row.get("presentation") or (row["path"] if box is None else f"{row['path']} {row['box']}")
    number = numbers.get(name, 0)
    numbers[name] = number + 1
    path = manifest.parent / Path(row["path"]).expanduser()
    whole = kind_of(path) == VIDEO and not row.get("frame")
    return Presentation(
        dataset=manifest.stem,
        domain=row.get("domain") or manifest.stem,
        id=name,
        label=label,
        split=split_of(row.get("split", ""), where),
        subject=row.get("subject", ""),
        attack_type=attack_type,
        species=species,
        device=row.get("device", ""),
        session=row.get("session", ""),
        path=str(path),
        frames=() if whole else (_number(row.get("frame", ""), number, where),),
        box=box,
    )


def _number(text: str, default: int, where: str) -> int:
    if not text:
        return default
    if not text.isdigit():
        raise DataError(f"{where}: frame {text!r} is not a whole number from 0 up.")
    return int(text)


def _box(text: str, where: str) -> Box | None:
    if not text:
        return None
    try:
        x, y, width, height = (float(value) for value in text.replace(",", " ").strip("[]() ").split())
    except ValueError as error:
        raise DataError(f"{where}: box {text!r} is not 'x y width height' in pixels.") from error
    return x, y, width, height
