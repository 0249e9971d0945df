"""Held-out rows: if a dataset has no dev (or test) split, a share of its people is held out instead."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.data.table.columns import Columns

HELD_OUT = 0.2  # share of the groups (subjects or presentations) that replace a missing dev or test split
CLASSES = {BONA_FIDE: "bona fide", ATTACK: "attack"}

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Rows divided into kept and held-out ones.

    Attributes:
        kept: Row numbers.
        held: Row numbers.
        note: How many of how many groups were held out, and the seed.
        warnings: What a user should know about it.
    """

    kept: Indices
    held: Indices
    note: str
    warnings: tuple[str, ...]


def hold_out(table: Columns, rows: Indices, domain: str, part: str, share: float, seed: int) -> HoldOut:
    """Divide `rows` of `domain` by whole subjects, or by presentations if subjects are unknown.

    Each kind of group (live only, attack only, both) is held out in proportion.

    Args:
        table: The frames.
        rows: Rows to divide.
        domain: Their domain.
        part: `dev` or `test`: the split that the held-out rows replace.
        share: Share of the groups to hold out.
        seed: Draws them.
    """
    labels = table.column("label")[rows]
    subjects, presentations = table.coded("subject"), table.coded("presentation")
    nobody = subjects.code("")
    known = subjects.codes[rows] != nobody
    # A subject "7" and a presentation "7" are different groups, so presentations are counted after all subjects.
    codes = np.where(known, subjects.codes[rows], presentations.codes[rows].astype(np.int64) + len(subjects.dictionary))
    groups, group = np.unique(codes, return_inverse=True)
    group = group.reshape(-1)
    names = _names(table, groups)
    chosen = _draw(names, _kinds(group, labels, len(groups)), share, f"{seed}/{domain}/{part}")
    mask = chosen[group]
    unit = "subjects" if known.all() else "presentations" if not known.any() else "subjects or presentations"
    warnings = []
    if not known.all():
        warnings.append(
            f"Domain {domain!r}: subjects are unknown, so {part} is held out by presentation; one person may be on "
            "both sides, which flatters the figures."
        )
    missing = [text for label, text in CLASSES.items() if not (labels[mask] == label).any()]
    if missing:
        warnings.append(f"Domain {domain!r}: too few {unit} to hold out {' or '.join(missing)} for {part}.")
    note = f"{int(chosen.sum())} of {len(groups)} {unit}, seed {seed}"
    return HoldOut(rows[~mask], rows[mask], note, tuple(warnings))


def _names(table: Columns, groups: NDArray[np.int64]) -> list[str]:
    subjects, presentations = table.coded("subject"), table.coded("presentation")
    first = len(subjects.dictionary)
    people = subjects.dictionary.take(groups[groups < first]).to_pylist()
    shown = presentations.dictionary.take(groups[groups >= first] - first).to_pylist()
    return [*(f"subject {name}" for name in people), *(f"presentation {name}" for name in shown)]


def _kinds(group: NDArray[np.intp], labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return which classes each group holds: 1 = attacks, 2 = bona fide, 3 = both."""
    holds = [np.bincount(group[labels == label], minlength=count) > 0 for label in (ATTACK, BONA_FIDE)]
    return holds[0] + 2 * holds[1]


def _draw(names: list[str], kinds: NDArray[np.int64], share: float, key: str) -> NDArray[np.bool_]:
    """Choose a share of the groups of each kind.

    Of two or more groups of a kind, at least one is held out and at least one is kept; a single group is kept.
    """
    chosen = np.zeros(len(names), bool)
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        chosen[_shuffled(members.tolist(), names, key)[:count]] = True
    return chosen


def _shuffled(members: Iterable[int], names: list[str], key: str) -> list[int]:
    # Ordering by a digest keeps the draw independent of the table's order and of the other domains.
    return sorted(members, key=lambda member: hashlib.sha256(f"{key}/{names[member]}".encode()).digest())
