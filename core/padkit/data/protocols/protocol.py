"""Protocols applied to a table: across domains, within one domain, and official ones.

A convention says which splits of a domain count in a leave-one-out protocol. Papers differ in which files "O, C, I, M"
stand for, so each result names its convention.

| convention | source domains | target domain |
|---|---|---|
| `official` | `train` split | `test` split |
| `ssdg` | `train` and `test` splits, `dev` left out (Jia et al., CVPR 2020, and later papers) | the same |
| `all` | everything | everything |

If no convention is named, a domain with splits follows `official` and a domain without splits follows `all`.
Source-dev, on which thresholds and checkpoints are chosen, is the source's `dev` split if the convention does not use
it otherwise, or else a share of its subjects, which are then not trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from padkit.data.presentation import BONA_FIDE, Division, Presentation
from padkit.data.protocols import names
from padkit.data.protocols.holdout import Indices
from padkit.data.protocols.names import Across, Intra, Name, Official
from padkit.data.protocols.official import division_of, official_protocols
from padkit.data.protocols.parts import Parts
from padkit.data.reader import DatasetReader
from padkit.data.table.columns import Columns, distinct, presentations_by_label
from padkit.data.table.frames import FrameTable
from padkit.errors import DataError, SettingsError, closest


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A division of a table's frames.

    Attributes:
        name: For example `office&phone&webcam->hall`, `intra:office` or `oulu-npu:1`.
        convention: `official`, `ssdg`, `all`, or `mixed` if domains follow different ones.
        sources: Source domains; their positions are the domain indices of training.
        targets: The domains tested on.
        train: Row numbers in the table, ascending.
        dev: Row numbers of held-out source frames, for thresholds and checkpoints.
        test: Row numbers of the targets' frames.
        target_dev: Row numbers of the targets' own dev splits, empty unless each target has one that is not part of the
            test.
        official_dev: Whether a published protocol names its dev split, on which its threshold is chosen.
        domain_index: [N] for all frames of the table, position in `sources`, -1 for other domains.
        pools: Source -> the rows that the convention gives, before any are held out.
        held_out: How dev (and, within one domain, test) was made for each domain that has no such split.
        warnings: Lines a user should read before believing the figures.
    """

    name: str
    convention: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    train: Indices
    dev: Indices
    test: Indices
    target_dev: Indices
    official_dev: bool
    domain_index: Indices
    pools: Mapping[str, Indices]
    held_out: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def target(self) -> str:
        """The domains tested on, as one text: `M`, or `C&I&M`."""
        return names.joined(self.targets) if len(self.targets) > 1 else self.targets[0]

    def parts(self) -> dict[str, Indices]:
        """Return the three parts by name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}

    def summary(self, table: Columns) -> dict[str, Any]:
        """Return name, convention, domains, hold-out, warnings and the counts of each part, ready for JSON.

        `domains` counts each domain's presentations: those that the convention `gives` before any are held out, and
        those in `train`, `dev` and `test`.
        """
        labels, presentations, subjects = table.column("label"), table.coded("presentation"), table.coded("subject")
        nobody = subjects.code("")
        counts = {
            part: {
                "frames": len(rows),
                "bona_fide_frames": int((labels[rows] == BONA_FIDE).sum()),
                "attack_frames": int((labels[rows] != BONA_FIDE).sum()),
                "presentations": distinct(presentations.codes, rows),
                "subjects": distinct(subjects.codes, rows, but=nobody),
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
            "domains": self._domains(table),
        }

    def _domains(self, table: Columns) -> dict[str, dict[str, Any]]:
        domains = table.coded("domain")
        found: dict[str, dict[str, Any]] = {}
        for domain in dict.fromkeys([*self.sources, *self.targets]):
            code = domains.code(domain)
            parts = {"gives": self.pools.get(domain, self.train[:0]), **self.parts()}
            mine = {part: rows[domains.codes[rows] == code] for part, rows in parts.items()}
            found[domain] = {part: presentations_by_label(table, rows) for part, rows in mine.items() if len(rows)}
        return found

    def lines(self, table: Columns) -> list[str]:
        """Return one line per domain: its presentations by part, before and after some were held out."""
        found = []
        for domain, parts in self._domains(table).items():
            texts = {part: f"{count['bona_fide']} + {count['attack']}" for part, count in parts.items()}
            held = self.held_out.get(f"{domain}/dev")
            gives = texts.pop("gives", None)
            before = f"{gives}, of which {held} are held out: " if held and gives else ""
            shown = ", ".join(f"{part} {text}" for part, text in texts.items())
            found.append(f"{domain} (bona fide + attack presentations): {before}{shown}")
        return found


def protocol_for(
    table: FrameTable,
    reader: DatasetReader,
    *,
    protocol: str | None = None,
    target: str | None = None,
    sources: Sequence[str] | None = None,
    convention: str | None = None,
    seed: int = 0,
) -> Protocol:
    """Return the protocol that a recipe's options describe.

    Args:
        table: The prepared frames.
        reader: Their reader, for its default target and official protocols.
        protocol: Name of a protocol (see `padkit.data.protocols.names`), in place of target and sources.
        target: Domain to test on.
        sources: Domains to train on.
        convention: `official`, `ssdg`, `all`, or None to follow each domain's splits.
        seed: Draws the held-out subjects.

    Raises:
        SettingsError: Both ways of naming are used; or see `leave_one_out` and `divide`.
        DataError: See these two.
    """
    if protocol is None:
        return leave_one_out(table, target or reader.default_target, sources, seed=seed, convention=convention)
    name = _named(protocol, target, sources)
    divisions = official_protocols(table, reader) if isinstance(name, Official) else {}
    return divide(table, name, seed=seed, convention=convention, divisions=divisions)


def sources_among(
    records: Iterable[Presentation],
    reader: DatasetReader,
    *,
    protocol: str | None = None,
    target: str | None = None,
    sources: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Return the source domains that a recipe's options name, before any frame is prepared.

    Args:
        records: The reader's.
        reader: For its default target.
        protocol: See `protocol_for`, as for the others.
        target: Domain to test on.
        sources: Domains to train on.

    Returns:
        The sources; those that turn out to have no train split are among them. Empty for an official protocol, whose
        lists name presentations.

    Raises:
        SettingsError: As `protocol_for`: a domain is unknown, the target is among the sources, or it must be named.
    """
    domains = sorted({record.domain for record in records})
    if protocol is not None:
        name = _named(protocol, target, sources)
        return () if isinstance(name, Official) else _checked_domains(domains, name)
    target = target or reader.default_target
    if not target or (sources is not None and list(sources) == [target]):
        return (_only_domain(domains, sources),)
    return tuple(_checked_sources(domains, target, sources))


def leave_one_out(
    table: Columns,
    target: str | None = None,
    sources: Sequence[str] | None = None,
    *,
    seed: int = 0,
    convention: str | None = None,
) -> Protocol:
    """Train on every domain but one, or within the only domain.

    If a source has no dev split that its convention leaves free, 20 % of its subjects are held out (or of its
    presentations if subjects are unknown), drawn by `seed`, each kind of subject (live only, attack only, both) in
    proportion; a subject of several sources is held out of all of them or of none.

    Args:
        table: The prepared frames.
        target: Domain to test on; None (or "") only where there is a single domain, which is then divided itself.
        sources: Domains to train on; None takes all but the target and those that were made for testing only (with
            splits, but no train split). The target alone trains and tests within it.
        seed: Draws the held-out subjects.
        convention: One for all domains; None follows each domain's splits.

    Returns:
        The protocol; no frame and no known subject is in two parts.

    Raises:
        SettingsError: The target or a source is unknown, the target is among the sources, or it must be named.
        DataError: A part is empty or lacks a class, or a subject is in two parts.
    """
    known = _known(table)
    if target and sources is not None and list(sources) == [target]:
        target = None
    if not target:
        return divide(table, Intra(_only_domain(known, sources)), seed=seed, convention=convention)
    chosen = _checked_sources(known, target, sources)
    if sources is None:
        parts = Parts(table, convention, seed)
        chosen = [domain for domain in chosen if parts.trains(domain)] or chosen
    return divide(table, Across(tuple(chosen), (target,)), seed=seed, convention=convention)


def divide(
    table: Columns,
    name: Name,
    *,
    seed: int = 0,
    convention: str | None = None,
    divisions: Mapping[str, Division] | None = None,
) -> Protocol:
    """Divide a table by a protocol's name.

    Args:
        table: The prepared frames.
        name: The protocol.
        seed: Draws the held-out subjects.
        convention: One for all domains; None follows each domain's splits.
        divisions: The official protocols by full name.

    Raises:
        SettingsError: A domain or an official protocol is unknown (names the closest), or the convention does not fit.
        DataError: A part is empty or lacks a class, or a subject is in two parts; names the subjects.
    """
    known = _known(table)
    parts = Parts(table, convention, seed)
    if isinstance(name, Official):
        division = division_of(str(name), divisions or {})
        parts.add_official(str(name), name.dataset, division)
        return _finished(table, str(name), parts, official_dev=bool(division.dev))
    _checked_domains(known, name)
    if isinstance(name, Intra):
        parts.add_intra(name.domain)
        return _finished(table, str(name), parts, (name.domain,), (name.domain,))
    for source in name.sources:
        parts.add_source(source)
    for target in name.targets:
        parts.add_target(target)
    return _finished(table, str(name), parts, name.sources, name.targets)


def _finished(
    table: Columns,
    name: str,
    parts: Parts,
    sources: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
    *,
    official_dev: bool = False,
) -> Protocol:
    parts.settle()
    train, dev, test = (parts.part(part) for part in ("train", "dev", "test"))
    domains = table.coded("domain")
    # An official protocol lists presentations; the domains follow from them.
    sources, targets = sources or tuple(parts.pools), targets or _domains_of(table, test)
    parts.check(names.joined(targets) if len(targets) > 1 else targets[0])
    index = np.full(len(domains.codes), -1, np.int64)
    for position, source in enumerate(sources):
        index[domains.codes == domains.code(source)] = position
    every = bool(parts.target_dev) and all(len(rows) for rows in parts.target_dev)
    return Protocol(
        name=name,
        convention=parts.convention,
        sources=sources,
        targets=targets,
        train=train,
        dev=dev,
        test=test,
        target_dev=np.sort(np.concatenate(parts.target_dev)) if every else test[:0],
        official_dev=official_dev,
        domain_index=index,
        pools=parts.pools,
        held_out=parts.held_out,
        warnings=tuple(parts.warnings),
    )


def _domains_of(table: Columns, rows: Indices) -> tuple[str, ...]:
    domains = table.coded("domain")
    return tuple(str(domains.names[code]) for code in np.unique(domains.codes[rows]))


def _known(table: Columns) -> list[str]:
    domains = table.coded("domain")
    if not len(domains.codes):
        raise DataError("The table has no frames, so no protocol can be drawn from it.")
    return sorted(domains.names)


def _named(protocol: str, target: str | None, sources: Sequence[str] | None) -> Name:
    if target or sources is not None:
        extra = "target" if target else "sources"
        raise SettingsError(f"--protocol {protocol!r} names sources and targets itself; drop --{extra}.")
    return names.parse(protocol)


def _checked_domains(known: list[str], name: Across | Intra) -> tuple[str, ...]:
    """Return the sources of a protocol whose domains are all known."""
    for domain in [name.domain] if isinstance(name, Intra) else [*name.sources, *name.targets]:
        if domain not in known:
            raise SettingsError(f"Protocol {name}: {domain!r} is not a domain of this data.{closest(domain, known)}")
    return (name.domain,) if isinstance(name, Intra) else tuple(name.sources)


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
