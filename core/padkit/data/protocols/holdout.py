"""Held-out rows: where domains have no dev (or test) split, a share of their people is held out instead.

A person who is in several domains is held out of all of them or of none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.data.table.columns import Columns

HELD_OUT = 0.2  # share of the groups (subjects or presentations) that replace a missing dev or test split
UNDECIDED = -1
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


def hold_out(
    table: Columns,
    pools: Mapping[str, Indices],
    part: str,
    share: float,
    seed: int,
    *,
    kept: Iterable[Indices] = (),
    held: Iterable[Indices] = (),
) -> dict[str, HoldOut]:
    """Divide the rows of domains by whole subjects, or by presentations if subjects are unknown.

    In each domain, each kind of group (live only, attack only, both) is held out in proportion. The domain with the
    fewest groups is drawn first: what it decides about a person holds in the others, where the rest of the share is
    drawn from people about whom nothing is decided.

    Args:
        table: The frames.
        pools: Domain -> its rows to divide.
        part: `dev` or `test`: the split that the held-out rows replace.
        share: Share of the groups to hold out.
        seed: Draws them.
        kept: Rows that are trained on in any case; their subjects are not held out.
        held: Rows that are in `part` in any case; their subjects are held out.
    """
    subjects = table.coded("subject")
    known = {code: False for rows in kept for code in np.unique(subjects.codes[rows]).tolist()}
    known |= {code: True for rows in held for code in np.unique(subjects.codes[rows]).tolist()}
    known.pop(subjects.code(""), None)
    coded = {domain: _groups(table, rows) for domain, rows in pools.items()}
    order = sorted(pools, key=lambda domain: (len(np.unique(coded[domain])), domain))
    found = {}
    for domain in order:
        found[domain] = _divide(table, pools[domain], coded[domain], domain, part, share, seed, known)
    return {domain: found[domain] for domain in pools}


def _groups(table: Columns, rows: Indices) -> Indices:
    """Return a number for the subject of each row, or for its presentation where the subject is unknown."""
    subjects, presentations = table.coded("subject"), table.coded("presentation")
    known = subjects.codes[rows] != subjects.code("")
    # A subject "7" and a presentation "7" are different groups, so presentations are counted after all subjects.
    others = presentations.codes[rows].astype(np.int64) + len(subjects.dictionary)
    return np.where(known, subjects.codes[rows], others)


def _divide(
    table: Columns,
    rows: Indices,
    codes: Indices,
    domain: str,
    part: str,
    share: float,
    seed: int,
    decided: dict[int, bool],
) -> HoldOut:
    """Divide one domain's rows, and add to `decided` (group -> held out) what was drawn."""
    labels = table.column("label")[rows]
    known = codes < len(table.coded("subject").dictionary)
    groups, group = np.unique(codes, return_inverse=True)
    group = group.reshape(-1)
    names = _names(table, groups)
    before = np.array([UNDECIDED if (found := decided.get(code)) is None else found for code in groups.tolist()], int)
    chosen = _draw(names, _kinds(group, labels, len(groups)), before, share, f"{seed}/{domain}/{part}")
    decided.update(zip(groups.tolist(), chosen.tolist(), strict=True))
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


def _draw(
    names: list[str], kinds: NDArray[np.int64], decided: NDArray[np.int64], share: float, key: str
) -> NDArray[np.bool_]:
    """Choose a share of the groups of each kind, among them those that are held out elsewhere (`decided` is 1).

    Of two or more groups of a kind, at least one is held out and at least one is kept; a single group is kept. What is
    decided (0 or 1) comes before that.
    """
    chosen: NDArray[np.bool_] = np.asarray(decided == 1)
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        count = min(max(round(share * len(members)), 1), len(members) - 1) - int(chosen[members].sum())
        free = members[decided[members] == UNDECIDED]
        chosen[_shuffled(free.tolist(), names, key)[: max(count, 0)]] = True
    return chosen


def _shuffled(members: Iterable[int], names: list[str], key: str) -> list[int]:
    # Ordering by a digest keeps the draw independent of the table's order and of the other domains.
    return sorted(members, key=lambda member: hashlib.sha256(f"{key}/{names[member]}".encode()).digest())
