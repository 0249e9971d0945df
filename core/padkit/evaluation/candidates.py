"""Candidates, which are assessed: a detector's scores on a test set, and what is known about their origin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from padkit.data.presentation import ATTACK
from padkit.errors import DataError
from padkit.evaluation.metrics import auc
from padkit.evaluation.results import ProtocolSummary
from padkit.evaluation.score_files import ColumnNames, read_score_file
from padkit.evaluation.scores import Scores
from padkit.evaluation.thresholds import DEV_EER, SOURCE_DEV, TARGET_EER

WITHOUT_DEV = (
    f"no dev part, so {SOURCE_DEV} and {DEV_EER} cannot be told; {TARGET_EER}, chosen on the test set, flatters."
)
WORSE_THAN_CHANCE = (
    "AUC below 50 %: either bona fide and attack are swapped in some of the data (`padkit data` shows how labels "
    "were read), or the detector is worse than chance."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known about the origin of some scores.

    Attributes:
        name: Their name in tables: the path as given.
        protocol: Which domains were trained on and tested on, or None if unknown.
        seed: The training's seed, or None.
        selection: How the checkpoint was selected, "" if unknown.
        method: What distinguishes it from others apart from its seed; candidates with equal values are runs of one
            method.
        notes: What is not known, one line each.
    """

    name: str
    protocol: ProtocolSummary | None = None
    seed: int | None = None
    selection: str = ""
    method: Any = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Provenance):
    """One detector's scores on one test set, and what is known about their origin.

    Attributes:
        target: Scores that are assessed.
        source_dev: Scores of held-out source presentations, or None.
        target_dev: Scores of the target's dev split, or None.
        targets: Domains of the target, if there are several and each is also assessed alone.
        policies: Threshold policies to report, the quoted one first.
        named: Whether presentations have names, so that they can be matched with those of another candidate.
        below_chance: What to say where scores rank attacks above bona fide presentations.
    """

    target: Scores
    source_dev: Scores | None = None
    target_dev: Scores | None = None
    targets: tuple[str, ...] = ()
    policies: tuple[str, ...] = (TARGET_EER,)
    named: bool = True
    below_chance: str = WORSE_THAN_CHANCE

    def possible_policies(self) -> tuple[str, ...]:
        """Return the threshold policies that these scores allow, the most honest first."""
        if self.source_dev is not None:
            return (SOURCE_DEV, TARGET_EER)
        return (TARGET_EER,) if self.target_dev is None else (DEV_EER, TARGET_EER)


def read_file(name: str, path: Path, columns: ColumnNames | None = None) -> Candidate:
    """Read a file of scores.

    Args:
        name: The candidate's name.
        path: The file.
        columns: Names of its columns; by default the usual names.

    Raises:
        DataError: It cannot be read, or has no scores to assess.
    """
    found = read_score_file(path, columns)
    parts, notes = found.parts, [f"{name}: {note}" for note in found.notes]
    if "test" not in parts:
        held = ", ".join(parts)
        raise DataError(f"{name}: has no part `test` to assess, only {held}; name it test, or leave the column out.")
    target = parts["test"]
    if "train" in parts:
        notes.append(f"{name}: {len(parts['train'])} presentations of part train are left out.")
    if found.unassigned:
        notes.append(f"{name}: {found.unassigned} rows without a part are left out.")
    if len(target) < int(np.sum(target.frames)):
        notes.append(f"{name}: scores are means over the {int(np.sum(target.frames))} rows of the test part.")
    source_dev, target_dev = parts.get("source-dev"), parts.get("target-dev")
    if "dev" in parts:
        of_target, of_sources, said = _divide(parts["dev"], target)
        source_dev, target_dev = source_dev or of_sources, target_dev or of_target
        notes += [f"{name}: {said}"] if said else []
    candidate = Candidate(
        name=name,
        target=target,
        source_dev=source_dev,
        target_dev=target_dev,
        named=found.named,
        notes=tuple(notes),
        below_chance=found.below_chance,
    )
    lacks = () if source_dev or target_dev else (f"{name}: {WITHOUT_DEV}",)
    return replace(candidate, policies=candidate.possible_policies(), notes=(*candidate.notes, *lacks))


def _divide(dev: Scores, target: Scores) -> tuple[Scores | None, Scores | None, str]:
    """Divide a dev part into the target's and the sources' presentations; also return any assumption made."""
    known = set(target.domain.tolist())
    if "" in known | set(dev.domain.tolist()):
        unknown = "it is unknown whether the dev part belongs to the sources or to the target"
        said = f"{unknown}: {SOURCE_DEV} takes it as the sources', {DEV_EER} as the target's."
        return dev, dev, said
    inside = np.isin(dev.domain, list(known))
    return (dev.select(inside) if np.any(inside) else None), (dev.select(~inside) if np.any(~inside) else None), ""


def with_notes(candidate: Candidate) -> Candidate:
    """Return the candidate with notes on what its scores cannot say, and on what looks wrong."""
    return replace(candidate, notes=(*candidate.notes, *_unknown(candidate)))


def _unknown(candidate: Candidate) -> list[str]:
    """Return what these scores cannot say, and what looks wrong."""
    target, name = candidate.target, candidate.name
    notes = []
    blank = int(np.sum(target.subject == ""))
    if blank:
        some = "subjects are" if blank == len(target) else f"the subjects of {blank} of {len(target)} presentations are"
        notes.append(f"{name}: {some} unknown; intervals take those presentations as independent, which flatters.")
    if not np.any((target.species != "") | (target.attack_type != "")) and np.any(target.label == ATTACK):
        notes.append(f"{name}: species and attack types are unknown, so APCER is over all attacks alike.")
    if not np.any(target.device != ""):
        notes.append(f"{name}: devices are unknown.")
    if not np.any(target.domain != ""):
        notes.append(f"{name}: domains are unknown.")
    if len(set(target.label.tolist())) > 1 and auc(target.label, target.score) < 0.5:
        notes.append(f"{name}: {candidate.below_chance}")
    return notes
