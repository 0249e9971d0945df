"""Summarises a prepared table: counts by domain, split, label and species, subjects across splits, skipped files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from padkit.data.table.columns import Columns

BY = ("domain", "split", "label", "species")
EVERY = "all"  # in place of a species: the sum over all species


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Frames with the same domain, split, label and PAI species.

    Attributes:
        domain: Capture domain.
        split: `train`, `dev`, `test` or "".
        label: 1 = bona fide, 0 = attack.
        species: PAI species; "" for bona fide, `all` for the sum over species.
        presentations: Number of presentations.
        frames: Number of frames.
        subjects: Number of known subjects.
    """

    domain: str
    split: str
    label: int
    species: str
    presentations: int
    frames: int
    subjects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why presentations were skipped: the cause, how many have it, and one example."""

    text: str
    count: int
    example: str


def groups(table: Columns) -> list[Group]:
    """Return the table's groups, sorted by domain, split (train, dev, test), label (bona fide first) and species.

    If a domain's split has several species, their sum, which publications report, follows.
    """
    single, sums = _groups(table, BY), _groups(table, BY[:-1])
    several = Counter((group.domain, group.split, group.label) for group in single)
    sums = [group for group in sums if several[group.domain, group.split, group.label] > 1]
    order = {split: place for place, split in enumerate(("train", "dev", "test", ""))}
    found = [*((group, False) for group in single), *((group, True) for group in sums)]
    found.sort(key=lambda item: (item[0].domain, order[item[0].split], -item[0].label, item[1], item[0].species))
    return [group for group, _ in found]


def _groups(table: Columns, by: Sequence[str]) -> list[Group]:
    values = [table.column("label") if name == "label" else table.coded(name).codes for name in by]
    keys, first, number = _numbered(values)
    presentations, subjects = table.coded("presentation"), table.coded("subject")
    frames = np.bincount(number, minlength=len(keys))
    shown = _distinct(number, presentations.codes, len(keys))
    people = _distinct(number, subjects.codes, len(keys), but=subjects.code(""))
    texts = {name: table.coded(name) for name in by if name != "label"}
    labels = table.column("label")
    return [
        Group(
            **{"species": EVERY} | {name: str(coded.names[coded.codes[row]]) for name, coded in texts.items()},
            label=int(labels[row]),
            presentations=int(shown[position]),
            frames=int(frames[position]),
            subjects=int(people[position]),
        )
        for position, row in enumerate(first)
    ]


def subjects_in_several_splits(table: Columns) -> dict[str, tuple[str, ...]]:
    """Return each known subject in more than one split, with these splits; sorted by name.

    Frames without a split are ignored.
    """
    subjects, splits = table.coded("subject"), table.coded("split")
    counts = (subjects.codes != subjects.code("")) & (splits.codes != splits.code(""))
    width = len(splits.dictionary)
    pairs = np.unique(subjects.codes[counts].astype(np.int64) * width + splits.codes[counts])
    people, first, number = np.unique(pairs // width, return_index=True, return_counts=True)
    several = np.flatnonzero(number > 1)
    names = subjects.dictionary.take(people[several]).to_pylist()
    places = [pairs[first[at] : first[at] + number[at]] % width for at in several]
    found = {name: tuple(str(splits.names[code]) for code in codes) for name, codes in zip(names, places, strict=True)}
    return dict(sorted(found.items()))


def reasons(skipped: Sequence[Mapping[str, str]]) -> list[Reason]:
    """Return why presentations were skipped, the most frequent cause first; file names are removed from the causes."""
    found: dict[str, list[str]] = {}
    for entry in skipped:
        name = entry["source"] or entry["presentation"]
        text = entry["reason"]
        for known in (entry["source"], entry["presentation"]):
            text = text.removeprefix(f"{known}: ") if known else text
        found.setdefault(text, []).append(name)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return [Reason(text=text, count=len(names), example=names[0]) for text, names in ordered]


def _numbered(values: Sequence[NDArray[np.integer]]) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct combinations of columns [N] as numbers, the first row of each, and each row's position."""
    keys = np.zeros(len(values[0]), np.int64)
    for column in values:
        keys = keys * (int(column.max(initial=0)) + 1) + column
    found, first, number = np.unique(keys, return_index=True, return_inverse=True)
    return found, first, number.reshape(-1)


def _distinct(number: NDArray[np.intp], codes: NDArray[np.int32], count: int, *, but: int = -1) -> NDArray[np.integer]:
    """Return how many codes each group has, not counting the code `but`."""
    kept = codes != but
    width = int(codes.max(initial=0)) + 1
    pairs = np.unique(number[kept].astype(np.int64) * width + codes[kept])
    return np.bincount(pairs // width, minlength=count)
