"""Reads candidates: run folders, finished or with scores only, and score files of any program. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from padkit.errors import DataError
from padkit.evaluation.candidates import Candidate, read_file, with_notes
from padkit.evaluation.results import ProtocolSummary, read_results
from padkit.evaluation.score_files import SUFFIXES, ColumnNames
from padkit.evaluation.scores import read_scores
from padkit.evaluation.thresholds import DEV_EER, SOURCE_DEV, TARGET_EER
from padkit.networks.views import views_told
from padkit.runs.comparison import UNSAID
from padkit.runs.folder import BOOKKEEPING, RunFolder


def read_candidate(text: str, columns: ColumnNames | None = None) -> Candidate:
    """Read a run folder, its `scores.parquet`, or any file of scores (`padkit.evaluation.score_files`).

    Raises:
        DataError: There is neither a run nor a file of scores, or it is damaged.
    """
    path = Path(text).expanduser()
    run = RunFolder(path.parent)
    if path.name == run.scores.name and run.finished:
        path = path.parent
    if path.is_dir():
        found = _read_run(text, RunFolder(path))
        told = f"{text}: a run; options about columns, labels and scores of files have no effect on it."
        return with_notes(found if columns in (None, ColumnNames()) else replace(found, notes=(*found.notes, told)))
    if path.exists():
        return with_notes(read_file(text, path, columns))
    raise DataError(f"{text}: does not exist; give a run folder or a file of scores ({', '.join(SUFFIXES)}).")


def _read_run(name: str, run: RunFolder) -> Candidate:
    if not run.scores.exists():
        raise DataError(f"{name}: no {run.scores.name} there; give the folder of a finished run.")
    files = (run.scores, run.source_dev_scores, run.target_dev_scores)
    target, dev, target_dev = (read_scores(file) if file.exists() else None for file in files)
    assert target is not None
    if dev is not None and set(dev.domain) == set(target.domain):
        target_dev = target_dev or dev  # within one domain, the two policies are the same
    found = Candidate(name=name, target=target, source_dev=dev, target_dev=target_dev)
    if not run.finished:
        lacks = f"{name}: no {run.metrics.name}, so protocol, seed and checkpoint selection are unknown."
        return replace(found, policies=found.possible_policies(), notes=(lacks,))
    results = read_results(run.metrics)
    needed = {SOURCE_DEV: dev, DEV_EER: target_dev}
    lost = [entry.policy for entry in results.results if needed.get(entry.policy, target) is None]
    notes = [f"{name}: {policy} cannot be told, its scores are not in the folder." for policy in lost]
    if seen := views_told(run.read_settings().get("views") if run.begun else None):
        notes.append(f"{name}: judged by {seen}.")
    if beside := results.mean_last:
        where = f"the means over its last {len(beside.steps)} judged checkpoints ({beside.selection})"
        notes.append(f"{name}: {where} are in {run.metrics.name} alone; these figures are of the last checkpoint.")
    told = tuple(entry.policy for entry in results.results if entry.policy not in lost)
    return replace(
        found,
        protocol=results.protocol,
        seed=results.seed,
        selection=results.checkpoint_selection,
        targets=tuple(one.target for one in results.targets),
        policies=told or (TARGET_EER,),
        method=_method(run, results.protocol),
        notes=tuple(notes),
    )


def _method(run: RunFolder, protocol: ProtocolSummary) -> Any:
    """Return what runs of one method share: protocol and settings without the seed; None if unknown."""
    content = run.read_settings() if run.begun else {}
    if not content:
        return None
    shared = {key: value for key, value in content.items() if key not in BOOKKEEPING | {"seed"}}
    shared = {key: value for key, value in shared.items() if value != UNSAID.get(key, ...)}
    return protocol, yaml.safe_dump(shared)
