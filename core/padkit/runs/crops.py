"""Crops of a finished run: of its training, to calibrate int8 on, and held-out ones, to compare exported forms on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.data.preparation.prepare import FrameTable
from padkit.data.protocols.protocol import protocol_for
from padkit.deploy.checking import CheckCrops
from padkit.errors import DataError
from padkit.runs.finished import FinishedRun
from padkit.runs.opened import Opener, frames_of

COLUMNS = ("presentation", "label", "dataset", "domain", "split", "subject", "attack_type", "species", "device")
MOST_HELD = 500  # held-out source crops to compare on
NAMING = ("protocol", "target", "sources", "convention")  # settings that divide the data


def training_crops(run: FinishedRun, opener: Opener, count: int) -> NDArray[np.uint8]:
    """Return crops that the run was trained on, uint8 RGB [n, S, S, 3], at most `count`, drawn by its seed.

    Each class of each domain has as many, as far as it has that many.

    Raises:
        DataError: The data are gone or were divided otherwise, or the run does not say how they were divided.
    """
    table = opener.table(run)
    rows = training_rows(run, opener, table)
    drawn = np.random.default_rng(run.seed).permutation(rows)
    groups = np.char.add(table.column("domain")[drawn].astype(str), table.column("label")[drawn].astype(str))
    return crops_of(table, np.sort(drawn[in_turn(groups)[:count]]))


def in_turn(groups: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return an order of entries [n] in which their groups take turns; within a group they keep their order."""
    _, codes = np.unique(groups, return_inverse=True)
    by_group = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[by_group], codes[by_group])
    turn = np.empty(len(codes), dtype=np.int64)
    turn[by_group] = np.arange(len(codes)) - starts
    return np.lexsort((codes, turn))


def training_rows(run: FinishedRun, opener: Opener, table: FrameTable) -> NDArray[np.int64]:
    """Return the rows of the frames that the run was trained on, divided again as the run did; for errors see above."""
    naming: dict[str, Any] = {name: run.settings.get(name) for name in NAMING}
    rows = protocol_for(table, opener.reader(run), seed=run.seed, **naming).train
    noted = run.data.get("division", {}).get("parts", {}).get("train", {}).get("frames", len(rows))
    tested = frames_of(table, run.target, run)
    if noted != len(rows) or len(np.intersect1d(rows, tested)):
        cause = f"{noted} training frames are noted and {len(rows)} found"
        raise DataError(f"{run.path}: its data are not divided as it noted ({cause}); restore them, or give --crops.")
    return rows


def check_crops(run: FinishedRun, opener: Opener, most: int) -> CheckCrops:
    """Return crops that the run was tested on, whole presentations of both classes, about `most` crops if it has more.

    Raises:
        DataError: The data are gone, or are not those that the run was tested on.
    """
    table = opener.table(run)
    rows = frames_of(table, run.target, run)
    keys = table.coded("presentation").codes[rows]
    labels = table.column("label")[rows]
    rows = rows[_whole(keys, labels, most / len(rows), run.seed)] if len(rows) > most else rows
    columns = {name: table.column(name)[rows] for name in COLUMNS}
    presentations = len(np.unique(table.coded("presentation").codes[rows]))
    told = f"{len(rows)} test crops of {presentations} presentations ({run.results.protocol.target})"
    return CheckCrops(
        crops=crops_of(table, rows), columns=columns, told=told, held=_held_crops(run, table, min(most, MOST_HELD))
    )


def _held_crops(run: FinishedRun, table: FrameTable, most: int) -> NDArray[np.uint8] | None:
    """Return held-out source crops, drawn by the run's seed; None if the run held out none."""
    if run.source_dev is None:
        return None
    rows = np.random.default_rng(run.seed).permutation(frames_of(table, run.source_dev, run))[:most]
    return crops_of(table, np.sort(rows))


def crops_of(table: FrameTable, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return frames uint8 RGB [n, S, S, 3]."""
    return np.stack([table.image(int(row)).transpose(1, 2, 0) for row in rows])


def _whole(keys: NDArray[Any], labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which frames belong to a drawn share of the presentations of each class."""
    generator = np.random.default_rng(seed)
    kept: list[Any] = []
    for label in np.unique(labels):
        own = np.unique(keys[labels == label])
        kept += generator.permutation(own)[: max(1, round(share * len(own)))].tolist()
    return np.isin(keys, kept)
