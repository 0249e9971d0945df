"""Judges captures of known species, one folder for each, and counts errors and non-response. Imports no torch."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from padkit.data.labels import WORDS, plain
from padkit.data.media.stills import natural
from padkit.data.media.walk import media_below
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.data.unread import Unread
from padkit.deploy.inputs import judge_file
from padkit.deploy.predictor import Predictor
from padkit.deploy.verdict import Judgement, Verdict
from padkit.deploy.videos import Combine
from padkit.errors import DataError
from padkit.evaluation.statistics.binomial import Rate, exact_rate


@dataclass(slots=True)
class Captures:
    """Captures by species.

    Attributes:
        root: Their folder.
        species: Species -> checksum of each file -> the file, in order; repetitions are left out.
        unread: What is not judged.
    """

    root: Path
    species: dict[str, dict[str, Path]] = field(default_factory=dict)
    unread: Unread = field(default_factory=Unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """One presentation.

    Attributes:
        file: Its file, below the folder of captures.
        sha256: Checksum of the file, hexadecimal.
        judgement: Its one result.
    """

    file: str
    sha256: str
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeciesResult:
    """What a model said of one species.

    Attributes:
        name: The species, the name of its folder.
        label: 1 = bona fide, 0 = attack.
        presentations: All of them.
        least: Fewest that a rate is stated for.
    """

    name: str
    label: int
    presentations: tuple[Presented, ...]
    least: int

    @property
    def judged(self) -> int:
        """How many were judged."""
        return len(self.presentations) - self.silent

    @property
    def silent(self) -> int:
        """How many were not judged."""
        return sum(one.judgement.verdict is Verdict.NOT_JUDGED for one in self.presentations)

    @property
    def errors(self) -> int:
        """How many of those judged were judged wrongly."""
        wrong = Verdict.ATTACK if self.label == BONA_FIDE else Verdict.BONA_FIDE
        return sum(one.judgement.verdict is wrong for one in self.presentations)

    @property
    def rate(self) -> Rate | None:
        """APCER or BPCER of those judged; None if they are too few to state one."""
        return exact_rate(self.name, self.errors, self.judged) if self.judged >= self.least else None

    @property
    def non_response(self) -> Rate | None:
        """APNRR or BPNRR; None if the presentations are too few to state one."""
        count = len(self.presentations)
        return exact_rate(self.name, self.silent, count) if count >= self.least else None

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many were not judged for each reason, the most frequent first."""
        codes = Counter(str(one.judgement.reason) for one in self.presentations if one.judgement.reason)
        return dict(codes.most_common())


def read_captures(root: Path) -> Captures:
    """Return the captures of a folder that has one folder for each species: `live`, `print`, `phone`, ...

    Raises:
        DataError: There is no such folder, or no species in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give one with a folder for each species: live, print, phone, tablet.")
    found = Captures(root)
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            files = _files(path, found.unread)
            if files:
                found.species[path.name] = files
        elif path.is_file():
            found.unread.note("outside the folder of a species", path)
    if not found.species:
        raise DataError(
            f"{root}: holds no captures; put them into a folder for each species: live, print, phone, tablet."
        )
    _refuse_twins(found)
    return found


def label_of(species: str) -> int:
    """Return the label of a species' folder: `live`, `real`, `genuine` and `bona fide` are bona fide."""
    return WORDS.get(plain(species), ATTACK)


def judge_captures(
    predictor: Predictor,
    captures: Captures,
    combine: Combine,
    least: int,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SpeciesResult]:
    """Judge every capture once; bona fide species come first.

    Args:
        predictor: The model; it judges one face of a picture.
        captures: The captures.
        combine: How the frames of a video become one result.
        least: Fewest presentations that a rate is stated for.
        progress: Told each species that is begun.
    """
    found = []
    for name in sorted(captures.species, key=lambda one: (-label_of(one), one)):
        progress(name)
        presented = tuple(
            Presented(
                file=path.relative_to(captures.root).as_posix(),
                sha256=digest,
                judgement=judge_file(predictor, path, combine)[0],
            )
            for digest, path in captures.species[name].items()
        )
        found.append(SpeciesResult(name=name, label=label_of(name), presentations=presented, least=least))
    return found


def too_few(counts: Mapping[str, int], least: int, what: str) -> str:
    """Return which species have too few, in words; "" if none has."""
    few = [f"{name} {count}" for name, count in counts.items() if count < least]
    return f"{', '.join(few)} {what}, {least} are needed" if few else ""


def missing_classes(names: Sequence[str]) -> list[str]:
    """Return which classes no species has."""
    labels = {label_of(name) for name in names}
    return [word for label, word in ((BONA_FIDE, "bona fide"), (ATTACK, "attack")) if label not in labels]


def _files(folder: Path, unread: Unread) -> dict[str, Path]:
    """Return the media of a species by checksum; one that cannot be read has its own path in place of it."""
    found: dict[str, Path] = {}
    for path in sorted(media_below(folder, unread), key=lambda one: natural(str(one))):
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            digest = f"unreadable: {path}"
        if digest in found:
            unread.note("the same file as another of its species", path)
        else:
            found[digest] = path
    return found


def _refuse_twins(captures: Captures) -> None:
    """Refuse a file that is in the folders of two species.

    Raises:
        DataError: There is one; names both places.
    """
    seen: dict[str, Path] = {}
    for files in captures.species.values():
        for digest, path in files.items():
            if digest in seen:
                raise DataError(f"{path}: is the same file as {seen[digest]}, of another species; remove one of them.")
            seen[digest] = path
