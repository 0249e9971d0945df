"""What is assessed: a detector's scores from a run folder or a file, and all that is known of their making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from padkit.data.presentation import ATTACK
from padkit.errors import DataError
from padkit.evaluation.metrics import auc
from padkit.evaluation.results import ProtocolSummary, read_results
from padkit.evaluation.score_files import SUFFIXES, ColumnNames, read_score_file
from padkit.evaluation.scores import Scores, read_scores
from padkit.evaluation.thresholds import DEV_EER, SOURCE_DEV, TARGET_EER
from padkit.settings.layers import BOOKKEEPING

SCORES, DEV_SCORES, TARGET_DEV_SCORES = "scores.parquet", "scores_source_dev.parquet", "scores_target_dev.parquet"
METRICS, SETTINGS = "metrics.json", "settings.yaml"
WITHOUT_DEV = (
    f"no dev part, so {SOURCE_DEV} and {DEV_EER} cannot be told; {TARGET_EER}, chosen on the test set, flatters."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known of the making of some scores.

    Attributes:
        name: What they are called in tables: their path as given.
        protocol: What trained and what tested, or None where nobody says.
        seed: The training's seed, or None.
        selection: How the checkpoint was selected, "" where nobody says.
        method: What distinguishes it from others, but for its seed; candidates that share it are runs of one method.
        notes: What it does not say, one line each.
    """

    name: str
    protocol: ProtocolSummary | None = None
    seed: int | None = None
    selection: str = ""
    method: Any = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Provenance):
    """One detector's scores on one test set, and what is known of their making.

    Attributes:
        target: Scores that are assessed.
        source_dev: Scores of held-out source presentations, or None.
        target_dev: Scores of the target's dev split, or None.
        targets: Domains of the target, where each of several is assessed alone as well.
        policies: Threshold policies to tell, the one to quote first.
        named: Whether presentations have names, so that they can be matched with another's.
    """

    target: Scores
    source_dev: Scores | None = None
    target_dev: Scores | None = None
    targets: tuple[str, ...] = ()
    policies: tuple[str, ...] = (TARGET_EER,)
    named: bool = True


def read_candidate(text: str, columns: ColumnNames | None = None) -> Candidate:
    """Read a run folder, its `scores.parquet`, or any file of scores (`padkit.evaluation.score_files`).

    Raises:
        DataError: There is nothing of the kind, or it is damaged.
    """
    path = Path(text).expanduser()
    if path.name == SCORES and (path.parent / METRICS).exists():
        path = path.parent
    if path.is_dir():
        candidate = _read_run(text, path)
    elif path.exists():
        candidate = _read_file(text, path, columns)
    else:
        raise DataError(f"{text}: does not exist; give a run folder or a file of scores ({', '.join(SUFFIXES)}).")
    return replace(candidate, notes=(*candidate.notes, *_unknown(candidate)))


def _read_run(name: str, path: Path) -> Candidate:
    if not (path / SCORES).exists():
        raise DataError(f"{name}: no {SCORES} there; give the folder of a finished run.")
    target, dev, target_dev = (
        read_scores(path / file) if (path / file).exists() else None for file in (SCORES, DEV_SCORES, TARGET_DEV_SCORES)
    )
    assert target is not None
    if dev is not None and set(dev.domain) == set(target.domain):
        target_dev = target_dev or dev  # within one domain, both are the same
    found = Candidate(name=name, target=target, source_dev=dev, target_dev=target_dev)
    if not (path / METRICS).exists():
        lacks = f"{name}: no {METRICS}, so protocol, seed and checkpoint selection are unknown."
        return replace(found, policies=_possible(found), notes=(lacks,))
    results = read_results(path / METRICS)
    needed = {SOURCE_DEV: dev, DEV_EER: target_dev}
    lost = [entry.policy for entry in results.results if needed.get(entry.policy, target) is None]
    told = tuple(entry.policy for entry in results.results if entry.policy not in lost)
    return replace(
        found,
        protocol=results.protocol,
        seed=results.seed,
        selection=results.checkpoint_selection,
        targets=tuple(one.target for one in results.targets),
        policies=told or (TARGET_EER,),
        method=_method(path / SETTINGS, results.protocol),
        notes=tuple(f"{name}: {policy} cannot be told, its scores are not in the folder." for policy in lost),
    )


def _method(settings: Path, protocol: ProtocolSummary) -> Any:
    """Return what runs of one method share: protocol and settings but for the seed; None where nobody can tell."""
    try:
        content = yaml.safe_load(settings.read_text(encoding="utf-8")) if settings.exists() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())
        raise DataError(f"{settings}: cannot be read ({cause}); restore or remove it.") from error
    if not isinstance(content, Mapping):
        return None
    shared = {key: value for key, value in content.items() if key not in BOOKKEEPING | {"seed"}}
    return protocol, yaml.safe_dump(shared)


def _read_file(name: str, path: Path, columns: ColumnNames | None) -> Candidate:
    found = read_score_file(path, columns)
    parts, notes = found.parts, []
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
        name=name, target=target, source_dev=source_dev, target_dev=target_dev, named=found.named, notes=tuple(notes)
    )
    lacks = () if source_dev or target_dev else (f"{name}: {WITHOUT_DEV}",)
    return replace(candidate, policies=_possible(candidate), notes=(*candidate.notes, *lacks))


def _divide(dev: Scores, target: Scores) -> tuple[Scores | None, Scores | None, str]:
    """Divide a dev part into the target's own and the sources'; also return what had to be assumed."""
    known = set(target.domain.tolist())
    if "" in known | set(dev.domain.tolist()):
        said = f"whose its dev part is, is unknown: {SOURCE_DEV} takes it as the sources', {DEV_EER} as the target's."
        return dev, dev, said
    inside = np.isin(dev.domain, list(known))
    return (dev.select(inside) if np.any(inside) else None), (dev.select(~inside) if np.any(~inside) else None), ""


def _possible(candidate: Candidate) -> tuple[str, ...]:
    if candidate.source_dev is not None:
        return (SOURCE_DEV, TARGET_EER)
    return (TARGET_EER,) if candidate.target_dev is None else (DEV_EER, TARGET_EER)


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
        notes.append(f"{name}: AUC below 50 %; if its scores are P(attack), add --attack-scores.")
    return notes
