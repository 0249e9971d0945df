"""The parts of a protocol, collected domain by domain under a convention, and checked as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from padkit.data.presentation import SPLITS, Division, shows_no_face
from padkit.data.protocols.holdout import CLASSES, HELD_OUT, Indices, hold_out
from padkit.data.table.columns import Columns
from padkit.errors import DataError, SettingsError

OFFICIAL, SSDG, ALL, MIXED = "official", "ssdg", "all", "mixed"
CONVENTIONS = (OFFICIAL, SSDG, ALL)
NONE = np.empty(0, np.int64)


class Parts:
    """Rows of a table for train, dev and test.

    Attributes:
        rows: Part -> its rows, as a list of arrays.
        target_dev: Rows of the targets' own dev splits, one array per target.
        pools: Rows that each source gives by the convention to training and hold-out.
        held_out: How a missing split was made, by `domain/part`.
        warnings: Lines a user should read.
    """

    def __init__(self, table: Columns, convention: str | None, seed: int) -> None:
        if convention is not None and convention not in CONVENTIONS:
            raise SettingsError(f"Convention {convention!r} is none of {', '.join(CONVENTIONS)}.")
        self.table = table
        self.labels = table.column("label")
        self.domains = table.coded("domain")
        self.splits = table.coded("split")
        self._content = table.coded("session").where(shows_no_face)
        self.asked = convention
        self.seed = seed
        self.rows: dict[str, list[Indices]] = {part: [] for part in SPLITS}
        self.target_dev: list[Indices] = []
        self.pools: dict[str, Indices] = {}
        self.held_out: dict[str, str] = {}
        self.warnings: list[str] = []
        self._followed: set[str] = set()
        self._undivided: dict[str, Indices] = {}

    @property
    def convention(self) -> str:
        """The requested convention, or the one that all domains follow, or `mixed`."""
        followed = self._followed if self.asked is None else {self.asked}
        return next(iter(followed)) if len(followed) == 1 else MIXED

    def trains(self, domain: str) -> bool:
        """Return whether the convention uses any rows of `domain` for training."""
        enough = {None: {"", "train"}, OFFICIAL: {"train"}, SSDG: {"", "train", "test"}, ALL: {"", *SPLITS}}
        return bool(enough[self.asked] & set(self._splits_of(self._all_of(domain))))

    def add_source(self, domain: str) -> None:
        """Add `domain` to train, and its dev split or held-out subjects to dev."""
        train, dev = self._by_convention(domain, "train")
        self.require(train, f"Source domain {domain!r}")
        self.rows["train"].append(self._content_of(domain))
        self.add_training(domain, train, dev)

    def add_training(self, domain: str, train: Indices, dev: Indices | None) -> None:
        """Add rows of `domain` to train; if there are none for dev, `settle` holds some out."""
        self.pools[domain] = train
        if dev is None:
            self._undivided[domain] = train
        else:
            self.rows["train"].append(train)
            self.rows["dev"].append(dev)

    def settle(self) -> None:
        """Hold out people of all domains without a dev split together, once every domain has been added."""
        fixed = {"kept": [*self.rows["train"]], "held": [*self.rows["dev"]]}
        found = self._hold_out(self._undivided, "dev", HELD_OUT, **fixed)
        for domain, (train, dev) in found.items():
            self.require(
                train,
                f"Source domain {domain!r}, without the people who are held out of other domains too,",
                "add people to it, or leave the domain out",
            )
            self.rows["train"].append(train)
            self.rows["dev"].append(dev)
        self._undivided = {}

    def add_target(self, domain: str) -> None:
        """Add `domain` to test."""
        test, dev = self._by_convention(domain, "test")
        if content := len(self._content_of(domain)):
            self.warnings.append(
                f"Target domain {domain!r}: {content} frames of content, which shows no face, are left out of the test."
            )
        self.require(test, f"The test part of target domain {domain!r}")
        self.rows["test"].append(test)
        self.target_dev.append(NONE if dev is None else dev)

    def add_intra(self, domain: str) -> None:
        """Divide `domain` itself: by its own splits, or 60, 20 and 20 % of its subjects."""
        if self.asked == SSDG:
            raise SettingsError("Convention ssdg is about protocols across domains; within one, take official or all.")
        parts = self._by_split(domain)
        if self.asked == ALL or "" in parts:
            whole = self._whole(domain, parts)
            self.require(whole, f"Domain {domain!r}")
            rest, test = self._hold_out({domain: whole}, "test", HELD_OUT)[domain]
            train, dev = self._hold_out({domain: rest}, "dev", HELD_OUT / (1 - HELD_OUT))[domain]
            self.pools[domain] = rest
        else:
            self._followed.add(OFFICIAL)
            train, test = self._required(parts, domain, "train"), self._required(parts, domain, "test")
            self.require(train, f"The train split of domain {domain!r}")
            self.pools[domain] = train
            if "dev" in parts:
                dev = parts["dev"]
                self.target_dev.append(dev)
            else:
                train, dev = self._hold_out({domain: train}, "dev", HELD_OUT)[domain]
        self.rows["train"].append(self._content_of(domain))
        for part, rows in (("train", train), ("dev", dev), ("test", test)):
            self.rows[part].append(rows)

    def add_official(self, name: str, dataset: str, division: Division) -> None:
        """Add the presentations that an official protocol lists to its parts."""
        if self.asked not in (None, OFFICIAL):
            raise SettingsError(f"Protocol {name} divides the data itself; drop the convention {self.asked!r}.")
        self._followed.add(OFFICIAL)
        listed = [presentation for part in SPLITS for presentation in set(getattr(division, part))]
        if twice := next((one for one, count in Counter(listed).items() if count > 1), ""):
            raise DataError(f"Protocol {name} lists presentation {twice!r} in two parts; mend its lists.")
        train, dev, test = (self._listed(name, dataset, part, division) for part in SPLITS)
        for domain in np.unique(self.domains.codes[train]):
            mine = train[self.domains.codes[train] == domain]
            dev_of_mine = NONE if division.dev else None  # then the whole official dev split
            self.add_training(str(self.domains.names[domain]), mine, dev_of_mine)
        if division.dev:
            self.rows["dev"].append(dev)
            self.target_dev.append(dev)
        self.rows["test"].append(test)

    def part(self, name: str) -> Indices:
        """Return the rows of a part, ascending."""
        return np.sort(np.concatenate([NONE, *self.rows[name]]))

    def check(self, target: str) -> None:
        """Refuse parts that lack a class or share a subject; `target` names the domain tested on.

        Raises:
            DataError: A part lacks a class, or parts share subjects; the error names them.
        """
        self.require(self.part("test"), f"The test part of target domain {target!r}")
        remedy = "add subjects, or a dev split, to the source domains"
        self.require(self.part("dev"), "The held-out source part (dev)", remedy)
        self.require(self.part("train"), "The training part")
        self._refuse_leaks({name: self.part(name) for name in SPLITS})

    def require(self, rows: Indices, what: str, remedy: str = "add some, or leave the domain out") -> None:
        """Refuse rows that lack a class.

        Raises:
            DataError: A class is missing; the error contains `what` the rows are and the remedy.
        """
        missing = [text for label, text in CLASSES.items() if not (self.labels[rows] == label).any()]
        if len(missing) == len(CLASSES):
            raise DataError(f"{what} has no frames; {remedy}.")
        if missing:
            raise DataError(f"{what} has one class only: no {missing[0]} frames; {remedy}.")

    def _all_of(self, domain: str) -> Indices:
        return np.flatnonzero((self.domains.codes == self.domains.code(domain)) & ~self._content)

    def _content_of(self, domain: str) -> Indices:
        """Return the rows of a domain that show no face."""
        return np.flatnonzero((self.domains.codes == self.domains.code(domain)) & self._content)

    def _splits_of(self, rows: Indices) -> list[str]:
        return [str(self.splits.names[code]) for code in np.unique(self.splits.codes[rows])]

    def _by_split(self, domain: str) -> dict[str, Indices]:
        rows = self._all_of(domain)
        parts = {split: rows[self.splits.codes[rows] == self.splits.code(split)] for split in self._splits_of(rows)}
        if "" in parts and len(parts) > 1 and self.asked != ALL:
            self.warnings.append(f"Domain {domain!r}: {len(parts.pop(''))} frames without a split are left out.")
        return dict(sorted(parts.items()))

    def _by_convention(self, domain: str, split: str) -> tuple[Indices, Indices | None]:
        """Return the rows of `domain` that the convention uses for `split`, and its dev split if that is left free."""
        parts = self._by_split(domain)
        if self.asked == ALL or "" in parts:
            return self._whole(domain, parts), None
        if self.asked == SSDG:
            return self._trained_and_tested(domain, parts), parts.get("dev")
        self._followed.add(OFFICIAL)
        return self._required(parts, domain, split), parts.get("dev")

    def _whole(self, domain: str, parts: Mapping[str, Indices]) -> Indices:
        if self.asked == OFFICIAL:
            raise DataError(f"Domain {domain!r} names no splits for the convention official; add some, or take all.")
        if self.asked == SSDG:
            self.warnings.append(f"Domain {domain!r} names no splits: convention ssdg takes all of it.")
        self._followed.add(ALL)
        return np.sort(np.concatenate(list(parts.values())))

    def _trained_and_tested(self, domain: str, parts: Mapping[str, Indices]) -> Indices:
        if not {"train", "test"} & parts.keys():
            return self._required(parts, domain, "train or test")
        return np.sort(np.concatenate([parts[split] for split in ("train", "test") if split in parts]))

    def _required(self, parts: Mapping[str, Indices], domain: str, split: str) -> Indices:
        if split not in parts:
            found = ", ".join(f"{name} ({len(rows)} frames)" for name, rows in parts.items())
            raise DataError(
                f"Domain {domain!r} has no {split} split, only {found}; add one, or name no splits to use all of it."
            )
        return parts[split]

    def _listed(self, name: str, dataset: str, part: str, division: Division) -> Indices:
        """Return the rows of the presentations that a division lists for a part."""
        wanted: tuple[str, ...] = getattr(division, part)
        presentations, datasets = self.table.coded("presentation"), self.table.coded("dataset")
        meant = presentations.called(wanted)[presentations.codes] & (datasets.codes == datasets.code(dataset))
        rows = np.flatnonzero(meant)
        absent = len(set(wanted)) - len(np.unique(presentations.codes[rows]))
        if wanted and not len(rows):
            raise DataError(f"Protocol {name}: none of its {len(wanted)} {part} presentations is in the table.")
        if absent:
            self.warnings.append(
                f"Protocol {name}: {absent} of {len(set(wanted))} {part} presentations are not in the table (skipped "
                "or left out when it was prepared)."
            )
        return rows

    def _hold_out(
        self, pools: Mapping[str, Indices], part: str, share: float, **fixed: Iterable[Indices]
    ) -> dict[str, tuple[Indices, Indices]]:
        """Return the kept and the held-out rows of each domain."""
        divided = hold_out(self.table, pools, part, share, self.seed, **fixed)
        for domain, found in divided.items():
            self.held_out[f"{domain}/{part}"] = found.note
            self.warnings += found.warnings
        return {domain: (found.kept, found.held) for domain, found in divided.items()}

    def _refuse_leaks(self, parts: Mapping[str, Indices]) -> None:
        subjects = self.table.coded("subject")
        nobody = subjects.code("")
        people = {part: np.setdiff1d(subjects.codes[rows], [nobody]) for part, rows in parts.items()}
        own = np.unique(subjects.codes[np.concatenate([NONE, *self.target_dev])])
        shared = np.intersect1d(own, people["test"])
        if len(shared):
            self.warnings.append(
                f"The target's dev split shares {len(shared)} subjects with its test part: policy dev-eer flatters."
            )
        codes, places = np.unique(np.concatenate(list(people.values())), return_counts=True)
        leaking = codes[places > 1]
        leaks = dict(zip(subjects.dictionary.take(leaking).to_pylist(), leaking, strict=True))
        if leaks:
            named = sorted(leaks)[:5]
            where = {
                name: " and ".join(part for part, found in people.items() if leaks[name] in found) for name in named
            }
            shown = ", ".join(f"{name} ({where[name]})" for name in named)
            more = f" and {len(leaks) - 5} more" if len(leaks) > 5 else ""
            raise DataError(
                f"Subjects appear in more than one part: {shown}{more}; make the parts disjoint by subject, or, if "
                "these are different people, give them different subject names."
            )
