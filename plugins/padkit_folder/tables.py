"""Opens existing prepared tables, made by `padkit prepare` or a run, one or several as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.data.simulation import facts_of
from padkit.data.table.frames import FINISHED, FrameTable, open_tables, read_preparation, summed
from padkit.errors import DataError

TEXTS = ("dataset", "domain", "split", "subject", "attack_type", "species", "device", "session")


class TablesReader(DatasetReader):
    """Opens the folders of prepared tables, memory-mapped; nothing is decoded or copied.

    Official protocols that lie beside the frames (`protocols.json`) are known as `oulu-npu:1`, `oulu-npu:3.2`.

    Args:
        folders: One folder or several (A,B,C), all of the same image size.
    """

    path_settings = ("folders",)

    def __init__(self, *, folders: list[str]) -> None:
        self.folders = folders
        about = summed([read_preparation(folder) for folder in self.tables()])
        self.image_size = int(about["image_size"])
        self.simulated, self.real_faces = facts_of(about)
        self.attribute_names = tuple(about["attribute_names"])
        self._key = str(about["key"])
        self._table: FrameTable | None = None

    def __getstate__(self) -> dict[str, object]:
        # Each process maps the files for itself.
        return {**self.__dict__, "_table": None}

    def tables(self) -> Sequence[Path]:
        """Return the folders.

        Raises:
            DataError: There is no folder, or one holds no prepared table; the error names tables below it.
        """
        found = [Path(folder).expanduser() for folder in self.folders]
        if not found:
            raise DataError("Setting `folders` names no prepared table; write --data.folders DIR or DIR1,DIR2.")
        for folder in found:
            if not (folder / FINISHED).is_file():
                below = sorted(str(path.parent) for path in folder.glob(f"*/{FINISHED}"))
                remedy = f"did you mean {','.join(below)}?" if below else "make it with `padkit prepare`."
                raise DataError(f"Folder {str(folder)!r} holds no prepared table (no {FINISHED}); {remedy}")
        return found

    def records(self) -> Iterable[Presentation]:
        """Yield one record per presentation; `frames` holds its rows. In several tables, ids start with the dataset.

        Raises:
            DataError: The tables cannot be joined.
        """
        table = self._opened()
        texts = {name: table.column(name) for name in ("presentation", *TEXTS)}
        labels, attributes = table.column("label"), table.column("attributes")
        codes = table.coded("presentation").codes
        order = np.argsort(codes, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
        for rows in sorted(groups, key=lambda rows: int(rows[0])):
            first = int(rows[0])
            name = texts["presentation"][first]
            yield Presentation(
                **{key: texts[key][first] for key in TEXTS},
                id=f"{texts['dataset'][first]}/{name}" if len(self.folders) > 1 else name,
                label=int(labels[first]),
                frames=tuple(rows.tolist()),
                attributes=attributes[first],
            )

    def frames(self, presentation: Presentation) -> Iterable[NDArray[np.uint8]]:
        """Yield the presentation's frames."""
        table = self._opened()
        for row in presentation.frames:
            yield table.image(row).transpose(1, 2, 0)

    def fingerprint(self) -> str:
        """Return the key of the tables."""
        return self._key

    def _opened(self) -> FrameTable:
        if self._table is None:
            self._table = open_tables(self.tables())
        return self._table
