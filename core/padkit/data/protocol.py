"""Who is trained on, who is watched, who is tested: leave-one-domain-out and intra-domain protocols over a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError, closest

Indices = NDArray[np.int64]

HELD_OUT = 0.2  # share of the groups (subjects or presentations) that stand in for a missing dev or test split
CLASSES = {BONA_FIDE: "bona fide", ATTACK: "attack"}


class Columns(Interface):
    """What a protocol needs of a table: its columns, without the images."""

    def column(self, name: str) -> NDArray[Any]:
        """Return one value per frame, [N]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A division of a table's frames.

    Attributes:
        name: For example `office&phone&webcam->hall`, or `intra:office`.
        convention: `official` (every domain by its own splits), `all` (no domain has any: they are used whole) or
            `mixed`.
        sources: Source domains; their positions are the domain indices of training.
        target: The domain tested on.
        train: Row numbers in the table, ascending.
        dev: Row numbers of held-out source frames, for thresholds and checkpoints.
        test: Row numbers of the target's frames.
        domain_index: [N] for all frames of the table, position in `sources`, -1 for other domains.
        held_out: How dev (and, within one domain, test) was made for each domain without such a split.
        warnings: Lines a user should read before believing the figures.
    """

    name: str
    convention: str
    sources: tuple[str, ...]
    target: str
    train: Indices
    dev: Indices
    test: Indices
    domain_index: Indices
    held_out: Mapping[str, str]
    warnings: tuple[str, ...]

    def parts(self) -> dict[str, Indices]:
        """Return the three parts by name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}

    def summary(self, table: Columns) -> dict[str, Any]:
        """Return name, convention, domains, hold-out, warnings and the counts of each part, ready for JSON."""
        labels, presentations, subjects = (table.column(name) for name in ("label", "presentation", "subject"))
        counts = {
            part: {
                "frames": len(rows),
                "bona_fide_frames": int((labels[rows] == BONA_FIDE).sum()),
                "attack_frames": int((labels[rows] == ATTACK).sum()),
                "presentations": len(set(presentations[rows])),
                "subjects": len(set(subjects[rows]) - {""}),
            }
            for part, rows in self.parts().items()
        }
        return {
            "name": self.name,
            "convention": self.convention,
            "sources": list(self.sources),
            "target": self.target,
            "held_out": dict(self.held_out),
            "warnings": list(self.warnings),
            "parts": counts,
        }


def leave_one_out(
    table: Columns, target: str | None = None, sources: Sequence[str] | None = None, *, seed: int = 0
) -> Protocol:
    """Train on every domain but one, or within the only domain.

    Sources give their `train` split to training and their `dev` split to source-dev; the target gives its `test` split
    (convention `official`). A domain without any split is used whole (`all`). A source without dev holds out 20 % of
    its training subjects, or presentations where subjects are unknown, drawn by `seed`, each kind of subject (live
    only, attack only, both) in proportion.

    Args:
        table: The prepared frames.
        target: Domain to test on; None (or "") only where there is a single domain, which is then divided itself.
        sources: Domains to train on; None takes all but the target and those that were made for testing only (with
            splits, but no train split). The target alone trains and tests within it.
        seed: Draws the held-out subjects.

    Returns:
        The protocol; no frame is in two parts, no known subject is in two parts.

    Raises:
        SettingsError: The target or a source is unknown, the target is among the sources, or it must be named.
        DataError: A part is empty or lacks a class, or a subject is in two parts.
    """
    known = sorted(set(table.column("domain")))
    if not known:
        raise DataError("The table has no frames, so no protocol can be drawn from it.")
    division = _Division(table, seed)
    if target and sources is not None and list(sources) == [target]:
        target = None
    if target:
        names = _checked_sources(known, target, sources)
        if sources is None:
            names = [name for name in names if division.trains(name)] or names
        name = f"{'&'.join(names)}->{target}"
        for source in names:
            division.add_source(source)
        division.add_target(target)
    else:
        names = [_only_domain(known, sources)]
        target = names[0]
        name = f"intra:{target}"
        division.add_intra(target)
    return division.protocol(name, tuple(names), target)


def _checked_sources(known: list[str], target: str, sources: Sequence[str] | None) -> list[str]:
    if target not in known:
        raise SettingsError(f"Target {target!r} is not a domain of this data.{closest(target, known)}")
    if sources is None:
        names = [domain for domain in known if domain != target]
        if not names:
            raise SettingsError(
                f"No source domain is left: {target!r} is the only domain. Drop the target to train and test within it."
            )
        return names
    for source in sources:
        if source not in known:
            raise SettingsError(f"Source {source!r} is not a domain of this data.{closest(source, known)}")
    if target in sources:
        raise SettingsError(f"Target {target!r} is also among the sources; take it out of one of them.")
    if not sources or len(set(sources)) < len(sources):
        raise SettingsError(
            f"Sources {list(sources)} must name one or more domains, each once. Known: {', '.join(known)}."
        )
    return list(sources)


def _only_domain(known: list[str], sources: Sequence[str] | None) -> str:
    for source in sources or ():
        if source not in known:
            raise SettingsError(f"Source {source!r} is not a domain of this data.{closest(source, known)}")
    candidates = list(dict.fromkeys(sources)) if sources else known
    if len(candidates) > 1:
        raise SettingsError(f"Name the target, the domain to test on. Domains: {', '.join(candidates)}.")
    return candidates[0]


class _Division:
    """Collects the rows of each part, domain by domain, then checks the whole."""

    def __init__(self, table: Columns, seed: int) -> None:
        self.labels = table.column("label")
        self.domains = table.column("domain")
        self.splits = table.column("split")
        self.subjects = table.column("subject")
        self.presentations = table.column("presentation")
        self.seed = seed
        self.rows: dict[str, list[Indices]] = {"train": [], "dev": [], "test": []}
        self.conventions: set[str] = set()
        self.held_out: dict[str, str] = {}
        self.warnings: list[str] = []

    def trains(self, domain: str) -> bool:
        """Return whether `domain` has a train split, or none at all."""
        return bool({"", "train"} & set(self.splits[self.domains == domain]))

    def add_source(self, domain: str) -> None:
        parts = self._by_split(domain)
        if "" in parts:
            self.conventions.add("all")
            train = parts[""]
        else:
            self.conventions.add("official")
            train = self._required(parts, domain, "train")
        self._require_classes(train, f"Source domain {domain!r}")
        dev = parts.get("dev")
        if dev is None:
            train, dev = self._hold_out(train, domain, "dev", HELD_OUT)
        self.rows["train"].append(train)
        self.rows["dev"].append(dev)

    def add_target(self, domain: str) -> None:
        parts = self._by_split(domain)
        self.conventions.add("all" if "" in parts else "official")
        self.rows["test"].append(parts[""] if "" in parts else self._required(parts, domain, "test"))

    def add_intra(self, domain: str) -> None:
        parts = self._by_split(domain)
        if "" in parts:
            self.conventions.add("all")
            self._require_classes(parts[""], f"Domain {domain!r}")
            rest, test = self._hold_out(parts[""], domain, "test", HELD_OUT)
            train, dev = self._hold_out(rest, domain, "dev", HELD_OUT / (1 - HELD_OUT))
        else:
            self.conventions.add("official")
            train, test = self._required(parts, domain, "train"), self._required(parts, domain, "test")
            self._require_classes(train, f"The train split of domain {domain!r}")
            dev = parts.get("dev", np.empty(0, np.int64))
            if not len(dev):
                train, dev = self._hold_out(train, domain, "dev", HELD_OUT)
        self.rows["train"].append(train)
        self.rows["dev"].append(dev)
        self.rows["test"].append(test)

    def protocol(self, name: str, sources: tuple[str, ...], target: str) -> Protocol:
        train, dev, test = (np.sort(np.concatenate(self.rows[part])) for part in ("train", "dev", "test"))
        self._require_classes(test, f"The test part of target domain {target!r}")
        self._require_classes(
            dev, "The held-out source part (dev)", "add subjects, or a dev split, to the source domains"
        )
        self._require_classes(train, "The training part")
        self._refuse_leaks({"train": train, "dev": dev, "test": test})
        index = np.full(len(self.domains), -1, np.int64)
        for position, source in enumerate(sources):
            index[self.domains == source] = position
        return Protocol(
            name=name,
            convention=self.conventions.pop() if len(self.conventions) == 1 else "mixed",
            sources=sources,
            target=target,
            train=train,
            dev=dev,
            test=test,
            domain_index=index,
            held_out=self.held_out,
            warnings=tuple(self.warnings),
        )

    def _by_split(self, domain: str) -> dict[str, Indices]:
        rows = np.flatnonzero(self.domains == domain)
        splits = self.splits[rows]
        parts = {str(split): rows[splits == split] for split in sorted(set(splits))}
        if "" in parts and len(parts) > 1:
            self.warnings.append(f"Domain {domain!r}: {len(parts.pop(''))} frames without a split are left out.")
        return parts

    def _required(self, parts: dict[str, Indices], domain: str, split: str) -> Indices:
        if split not in parts:
            found = ", ".join(f"{name} ({len(rows)} frames)" for name, rows in parts.items())
            raise DataError(
                f"Domain {domain!r} has no {split} split, only {found}; add one, or name no splits to use all of it."
            )
        return parts[split]

    def _require_classes(self, rows: Indices, what: str, remedy: str = "add some, or leave the domain out") -> None:
        missing = [text for label, text in CLASSES.items() if not (self.labels[rows] == label).any()]
        if len(missing) == len(CLASSES):
            raise DataError(f"{what} has no frames; {remedy}.")
        if missing:
            raise DataError(f"{what} has one class only: no {missing[0]} frames; {remedy}.")

    def _hold_out(self, rows: Indices, domain: str, part: str, share: float) -> tuple[Indices, Indices]:
        """Divide `rows` into the kept and the held-out ones, by whole subjects."""
        # A subject "7" and a presentation "7" are different groups, so each name carries its kind.
        groups = np.array(
            [
                f"subject {subject}" if subject else f"presentation {presentation}"
                for subject, presentation in zip(self.subjects[rows], self.presentations[rows], strict=True)
            ],
            dtype=object,
        )
        chosen = _draw(groups, self.labels[rows], share, f"{self.seed}/{domain}/{part}")
        mask = np.fromiter((group in chosen for group in groups), bool, len(groups))
        unknown = int((self.subjects[rows] == "").sum())
        unit = "presentations" if unknown == len(rows) else "subjects" if not unknown else "subjects or presentations"
        self.held_out[f"{domain}/{part}"] = f"{len(chosen)} of {len(set(groups))} {unit}, seed {self.seed}"
        if unknown:
            self.warnings.append(
                f"Domain {domain!r}: subjects are unknown, so {part} is held out by presentation; one person may be on "
                "both sides, which flatters the figures."
            )
        missing = [text for label, text in CLASSES.items() if not (self.labels[rows[mask]] == label).any()]
        if missing:
            self.warnings.append(f"Domain {domain!r}: too few {unit} to hold out {' or '.join(missing)} for {part}.")
        return rows[~mask], rows[mask]

    def _refuse_leaks(self, parts: Mapping[str, Indices]) -> None:
        places: dict[str, list[str]] = {}
        for part, rows in parts.items():
            for subject in set(self.subjects[rows]) - {""}:
                places.setdefault(subject, []).append(part)
        leaks = sorted(subject for subject, found in places.items() if len(found) > 1)
        if leaks:
            shown = ", ".join(f"{subject} ({' and '.join(places[subject])})" for subject in leaks[:5])
            more = f" and {len(leaks) - 5} more" if len(leaks) > 5 else ""
            raise DataError(
                f"Subjects appear in more than one part: {shown}{more}; make the parts disjoint by subject, or, if "
                "these are different people, give them different subject names."
            )


def _draw(groups: NDArray[Any], labels: NDArray[Any], share: float, key: str) -> set[str]:
    """Choose a share of the groups, stratified by which classes a group holds.

    A stratum of two or more groups gives at least one and keeps at least one; a single group stays.
    """
    classes: dict[str, set[int]] = {}
    for group, label in zip(groups, labels, strict=True):
        classes.setdefault(group, set()).add(int(label))
    strata: dict[tuple[int, ...], list[str]] = {}
    for group, found in classes.items():
        strata.setdefault(tuple(sorted(found)), []).append(group)
    chosen: set[str] = set()
    for members in strata.values():
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        chosen.update(_shuffled(members, key)[:count])
    return chosen


def _shuffled(names: Iterable[str], key: str) -> list[str]:
    # Ordering by a digest keeps the draw independent of the table's order and of the other domains.
    return sorted(names, key=lambda name: hashlib.sha256(f"{key}/{name}".encode()).digest())
