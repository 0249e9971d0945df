"""The data of an adaptation: own captures, and old domains to mix in and to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from padkit.data.preparation.prepare import FrameTable
from padkit.data.presentation import ATTACK, BONA_FIDE, shows_no_face
from padkit.data.protocols.holdout import Indices, hold_out
from padkit.data.table.columns import Coded, Columns
from padkit.data.table.frames import frame_digest
from padkit.errors import DataError
from padkit.runs.crops import training_rows
from padkit.runs.finished import FinishedRun
from padkit.runs.opened import Opener, frames_of

OWN = "own data"
WORDS = {BONA_FIDE: "bona fide", ATTACK: "attack"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationPart:
    """Presentations of one kind, own ones or an old domain's, divided.

    Attributes:
        name: What they are.
        own: Whether they are the captures that the model is adapted to.
        table: Their crops.
        train: Rows to learn from; may be empty for an old domain.
        check: Rows to measure on.
        threshold: Whether the new threshold may be chosen on the latter.
        told: What is said of them, in words.
    """

    name: str
    own: bool
    table: FrameTable
    train: Indices
    check: Indices
    threshold: bool = True
    told: str = ""

    @property
    def presentations(self) -> tuple[int, int]:
        """How many presentations are learned from, and how many measured on."""
        codes = self.table.coded("presentation").codes
        return len(np.unique(codes[self.train])), len(np.unique(codes[self.check]))


def own_part(table: FrameTable, rows: Indices, share: float, seed: int) -> tuple[AdaptationPart, list[str]]:
    """Divide own captures by person and return what to know of it.

    They are divided by presentation where the person is unknown, and where there are too few people.

    Args:
        table: The crops.
        rows: The rows that count.
        share: Share of the people of each domain that is held out.
        seed: Draws them.

    Raises:
        DataError: A class is missing in a part.
    """
    train, check, notes, warnings = _by_person(table, rows, share, seed)
    if not (_both(table, train) and _both(table, check)):  # one person, say, before their own camera
        train, check, notes, warnings = _by_person(_Nameless(table), rows, share, seed)
        told = (
            "The own data have too few people to hold some of them out; presentations are held out, so that the same "
        )
        warnings = [told + "person is on both sides, which flatters the figures."]
    for name, part in (("to learn from", train), ("held out", check)):
        for label, word in WORDS.items():
            if not np.any(table.column("label")[part] == label):
                raise DataError(
                    f"own data: no {word} presentation {name}; give at least two bona fide presentations and two "
                    "attacks, better twenty of each."
                )
    return AdaptationPart(
        name=OWN, own=True, table=table, train=train, check=check, told=f"held out: {notes}"
    ), warnings


def old_parts(table: FrameTable, name: str, share: float, seed: int) -> list[AdaptationPart]:
    """Return the domains of old data that a user names.

    A domain's `train` split, and what has no split, is learned from; its other splits are measured on, without people
    of the former. A domain without other splits is divided by person.

    Args:
        table: The crops.
        name: What the user calls them.
        share: Share of the people that is measured on, where there are no splits.
        seed: Draws them.
    """
    domains, splits = table.column("domain"), table.column("split")
    found = []
    for domain in np.unique(domains).tolist():
        rows = np.flatnonzero(domains == domain)
        train, check = rows[splits[rows] == "train"], rows[~np.isin(splits[rows], ("train", ""))]
        told = "its train split, and its other splits"
        if not len(check):
            train, check, note, _ = _by_person(table, rows, share, seed)
            told = f"measured on {note}"
        elif len(blank := rows[splits[rows] == ""]):
            train = np.sort(np.concatenate([train, blank]))
            told = "its train split and what has none, and its other splits"
        check = check[~np.isin(table.column("subject")[check], _people(table, train))]
        check = check[~table.coded("session").where(shows_no_face)[check]]
        part = AdaptationPart(
            name=f"{name}: {domain}" if domain else name, own=False, table=table, train=train, check=check, told=told
        )
        found.append(part)
    return found


def run_parts(run: FinishedRun, opener: Opener) -> list[AdaptationPart]:
    """Return the domains of a finished run: its sources as it divided them, and its target, which is measured on only.

    Raises:
        DataError: The data are gone, or are not those of the run.
    """
    table = opener.table(run)
    domains, train = table.column("domain"), training_rows(run, opener, table)
    dev = np.empty(0, dtype=np.int64) if run.source_dev is None else frames_of(table, run.source_dev, run)
    test = frames_of(table, run.target, run)
    found = [
        AdaptationPart(
            name=domain, own=False, table=table, train=train[domains[train] == domain],
            check=dev[domains[dev] == domain], told="the run's source: its training and its held-out part",
        )
        for domain in run.results.protocol.sources
    ]  # fmt: skip
    none = np.empty(0, dtype=np.int64)
    told = "the run's test set: neither learned from nor used for the threshold"
    name = f"{run.results.protocol.target} (the run's test set)"
    return [
        *found,
        AdaptationPart(name=name, own=False, table=table, train=none, check=test, threshold=False, told=told),
    ]


def without_own(parts: Sequence[AdaptationPart], own: AdaptationPart) -> tuple[list[AdaptationPart], list[str]]:
    """Return old domains without presentations that are own ones too, by the bytes of their crops, and notes on them.

    Domains with nothing left to measure on are kept for training, without a check.
    """
    taken = {frame_digest(own.table, row) for row in np.concatenate([own.train, own.check]).tolist()}
    found, notes = [], []
    for part in parts:
        codes = part.table.coded("presentation").codes
        rows = np.concatenate([part.train, part.check])
        same = np.unique([codes[row] for row in rows.tolist() if frame_digest(part.table, row) in taken])
        if len(same):
            notes.append(f"{part.name}: {len(same)} presentations are among the own data and are left out.")
        kept = replace(
            part,
            train=part.train[~np.isin(codes[part.train], same)],
            check=part.check[~np.isin(codes[part.check], same)],
        )
        if not len(kept.check):
            notes.append(f"{part.name}: nothing is left to measure on; what it lost is not known.")
        if len(kept.check) or len(kept.train):
            found.append(kept)
    return found, notes


class _Nameless:
    """A table whose people are unknown."""

    def __init__(self, table: FrameTable) -> None:
        self.table = table

    def column(self, name: str) -> NDArray[Any]:
        return self.table.column(name)

    def coded(self, name: str) -> Coded:
        if name != "subject":
            return self.table.coded(name)
        return Coded(np.zeros(len(self.table), dtype=np.int32), pa.array([""]))


def _both(table: Columns, rows: Indices) -> bool:
    return len(np.unique(table.column("label")[rows])) == len(WORDS)


def _by_person(table: Columns, rows: Indices, share: float, seed: int) -> tuple[Indices, Indices, str, list[str]]:
    """Return kept rows, held-out rows, a note and warnings."""
    domains = table.column("domain")
    pools = {name: rows[domains[rows] == name] for name in np.unique(domains[rows]).tolist()}
    divided = hold_out(table, pools, "dev", share, seed)
    kept, held = (
        np.sort(np.concatenate([getattr(one, side) for one in divided.values()])) for side in ("kept", "held")
    )
    notes = [f"{name}: {one.note}" if name else one.note for name, one in divided.items()]
    return kept, held, "; ".join(notes), [line for one in divided.values() for line in one.warnings]


def _people(table: FrameTable, rows: Indices) -> list[str]:
    return [name for name in np.unique(table.column("subject")[rows]).tolist() if name]
