"""Finished runs as text that can be committed: one line of JSON each, enough to make every table of an ablation again.

A line holds `schema`, and

- who: `cell`, `target`, `option` (`target` or `protocol`), `seed`;
- what the figures depend on: `cell_settings`, `settings` (resolved, by dotted key, without bookkeeping), `given` (those
  that somebody set; null in lines of earlier versions), `facts` (the data's key and content, the precision, the
  launcher's arguments, the recipe if it is another than dtda), `digest` (SHA-256 of settings and facts, 16 digits);
- where: `protocol` (as in `metrics.json`), `dataset`, `fingerprint`, `selection`, `policies` (the quoted one first);
- `scores`: of `target`, `source_dev` and, where a policy needs it, `target_dev`: {"bona fide": [...], "attack": {PAI
  species: [...]}}, one score for each presentation; of several targets `target/NAME` each, in place of `target`;
- `evidence`: what the run logged at its last evaluation;
- `seconds` of the process that finished the run (null where that was not seen), `environment` (versions, platform).

Scores have nine significant digits, which tell any two numbers of float32 apart, so that ties and ranks stay what they
were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from padkit.ablation.records import Record, record_run
from padkit.ablation.runs import Run
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError, one_line
from padkit.evaluation.rates import PolicyResult, rates_at, threshold_free
from padkit.evaluation.results import ProtocolSummary
from padkit.evaluation.scores import Scores, read_scores
from padkit.evaluation.thresholds import TARGET_EER, choose
from padkit.files import try_lock, write_atomically
from padkit.runs.comparison import Difference, first_difference
from padkit.runs.finished import FinishedRun, read_run
from padkit.runs.folder import DISTILLATION, EVIDENCE

SCHEMA = "padkit-run/1"
CONTENT = "content"  # the fact that stands for all frames and labels
FILE = "runs.jsonl"  # in the folder of an ablation
DIGITS = 9
CLOSE = 1e-3  # figures from the scores and those of the run may differ by a rank, not by more
FIGURES = ("auc", "hter", "apcer", "bpcer", "eer", "hter_target_eer")
LIVE, ATTACKS = "bona fide", "attack"

Key = tuple[str, str, int]
KeptScores = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """One finished run; the module says what each attribute is."""

    cell: str
    target: str
    option: str
    seed: int
    cell_settings: Mapping[str, str]
    settings: Mapping[str, Any]
    facts: Mapping[str, str]
    digest: str
    protocol: ProtocolSummary
    dataset: str
    fingerprint: str
    selection: str
    policies: Sequence[str]
    scores: Mapping[str, KeptScores]
    evidence: Mapping[str, float]
    seconds: float | None
    environment: Mapping[str, Any]
    given: Sequence[str] | None = None

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.cell, self.target, self.seed

    @property
    def name(self) -> str:
        """A readable name of the run."""
        return f"{self.cell}, {self.target}, seed {self.seed}"

    def scores_of(self, part: str) -> Scores | None:
        """Return the scores of `target` (several pooled), `target/NAME`, `source_dev` or `target_dev`; None without."""
        found = [kept for name, kept in self.scores.items() if name == part or name.startswith(f"{part}/")]
        return _scores(found) if found else None

    def rates(self) -> list[PolicyResult]:
        """Return its rates on the target under each of its policies, the quoted one first, anew from its scores."""
        sets = {part: self.scores_of(part) for part in ("target", "source_dev", "target_dev")}
        target = sets["target"]
        assert target is not None
        return [rates_at(target, choose(policy, **sets)) for policy in self.policies]

    def record(self) -> Record:
        """Return its figures, computed anew from its scores."""
        target, results = self.scores_of("target"), self.rates()
        assert target is not None
        quoted, free = results[0], threshold_free(target)
        literature = next((entry.values["hter"] for entry in results if entry.policy == TARGET_EER), None)
        return Record(
            cell=self.cell, target=self.target, seed=self.seed, policy=quoted.policy,
            test_set_choice=quoted.test_set_choice, hter=quoted.values["hter"], acer=quoted.values["acer"],
            apcer=quoted.values["apcer"], bpcer=quoted.values["bpcer"], auc=free["auc"], eer=free["eer"],
            hter_target_eer=literature, selection=self.selection, convention=self.protocol.convention,
            simulated=self.protocol.simulated,
        )  # fmt: skip

    def check(self, run: Run, where: Path) -> None:
        """Refuse a run that was asked for with other settings or other data.

        Where both tell what the frames hold, those are compared, not where they lie or how they were read. A setting
        that padkit did not have when the run was made is compared only if somebody gives it.

        Raises:
            SettingsError: Something differs; the error names the first such setting.
        """
        known = {*self.settings, *self.facts}
        asked = run.wanted | ({CONTENT: run.content} if run.content else {})
        wanted = {name: value for name, value in asked.items() if name in known or name in run.given}
        if cause := _difference({**self.settings, **self.facts}, wanted):
            raise SettingsError(
                f"{where} holds {self.name!r} with other settings ({cause}); name another file or remove that line."
            )

    def line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({"schema": SCHEMA} | asdict(self), ensure_ascii=False, allow_nan=False)


def keep(run: Run, seconds: float | None) -> KeptRun:
    """Return what is kept of a finished run.

    Args:
        run: Its folder is read.
        seconds: How long its last process took; None if unknown.

    Raises:
        DataError: A file of the run is missing or damaged, or its figures are not those of its scores (means over
            several checkpoints, say), so that no table could be made from what is kept.
    """
    done = read_run(run.folder)
    facts = {key: str(value) for key, value in run.facts.items()}
    settings = {key: value for key, value in run.wanted.items() if key not in facts}
    facts |= {CONTENT: run.content} if run.content else {}
    sets = {name: done.target.select(rows) for name, rows in _targets(done).items()} | {"source_dev": done.source_dev}
    dev = done.folder.target_dev_scores
    sets |= {"target_dev": read_scores(dev)} if dev.exists() else {}
    prepared = done.data.get("preparation", {})
    kept = KeptRun(
        cell=run.cell.name, target=run.target, option=run.option, seed=run.seed,
        cell_settings=dict(run.cell.settings), settings=settings, facts=facts, digest=digest(settings, facts),
        protocol=done.results.protocol, dataset=str(prepared.get("dataset") or ""),
        fingerprint=str(prepared.get("fingerprint") or ""), selection=done.results.checkpoint_selection,
        policies=[entry.policy for entry in done.results.results],
        scores={part: _kept(scores) for part, scores in sets.items() if scores is not None},
        evidence=_evidence(done), seconds=None if seconds is None else round(seconds, 1),
        environment=_environment(done), given=sorted(run.given & settings.keys()),
    )  # fmt: skip
    mine, told = kept.record(), record_run(run, "", run.folder)
    for name in FIGURES:
        here, there = getattr(mine, name), getattr(told, name)
        if (here is None) != (there is None) or (here is not None and abs(here - there) > CLOSE):
            raise DataError(
                f"{run.folder}: {name} is {there} by its results and {here} by its scores (checkpoint selection "
                f"{told.selection}); a table could not be made from what is kept."
            )
    return kept


def digest(settings: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of settings and facts."""
    text = json.dumps([dict(settings), dict(facts)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_kept(path: Path) -> dict[Key, KeptRun]:
    """Return the runs in a file, by cell, target and seed; none if the file does not exist.

    Raises:
        DataError: A line is damaged, or two lines are of one run with different settings.
    """
    found: dict[Key, KeptRun] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); give a file of kept runs.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        run = _parsed(line, f"{path}, line {number}")
        twin = found.setdefault(run.key, run)
        if cause := _difference({**run.settings, **run.facts}, {**twin.settings, **twin.facts}):
            raise DataError(f"{path}, line {number}: {run.name!r} was there before ({cause}); remove one of the two.")
    return found


def read_all(paths: Iterable[Path]) -> dict[Key, KeptRun]:
    """Return the runs in several files; of a run that several hold, the first.

    Raises:
        DataError: See `read_kept`; or two files hold one run with different settings.
    """
    found: dict[Key, KeptRun] = {}
    for path in paths:
        for key, run in read_kept(path).items():
            twin = found.setdefault(key, run)
            if cause := _difference({**run.settings, **run.facts}, {**twin.settings, **twin.facts}):
                raise DataError(f"{path}: {run.name!r} is in another file with other settings ({cause}).")
    return found


def append(path: Path, run: KeptRun) -> None:
    """Add a run to a file, which stays sorted by cell, target and seed; a former line of the same run is replaced.

    The file is written whole or not at all; where several ablations add to one file, one waits for the other.

    Raises:
        DataError: The file cannot be written, or a line of it is damaged.
    """
    with _alone(path):
        found = {**read_kept(path), run.key: run}
        text = "".join(f"{found[key].line()}\n" for key in sorted(found))
        write_atomically(path, text.encode())


def _difference(there: Mapping[str, Any], asked: Mapping[str, Any]) -> Difference | None:
    """Return the first difference; of equal frames, what they were read with does not count."""
    same = same_frames(there, asked)
    ignored = set() if CONTENT in there and CONTENT in asked else {CONTENT}

    def counts(name: str) -> bool:
        return name not in ignored and not (same and name.partition(".")[0] == "data")

    one, other = ({name: value for name, value in side.items() if counts(name)} for side in (there, asked))
    return first_difference(one, other)


def same_frames(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether the facts of two runs tell that their frames are equal, wherever they lie."""
    return CONTENT in one and one[CONTENT] == other.get(CONTENT)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Context manager: no other process that asks for `path` is in it. The folder is locked, so that no file stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); choose another folder.") from error
    if os.name != "posix":
        yield
        return
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        try_lock(handle, wait=True)
        yield
    finally:
        os.close(handle)


def _parsed(line: str, where: str) -> KeptRun:
    """Return the run of one line; a DataError says what is wrong with it."""
    try:
        content = json.loads(line)
        problem = _problem(content) if isinstance(content, dict) else "no JSON object"
        if problem:
            raise ValueError(problem)  # noqa: TRY301 - one handler words every problem
        whole = {"given": None, **content}  # which lines of earlier versions do not have
        values = {item.name: whole[item.name] for item in fields(KeptRun)}
        told = {"real_faces": False, **values["protocol"]}  # likewise
        protocol = {item.name: told[item.name] for item in fields(ProtocolSummary)}
        values["protocol"] = ProtocolSummary(**protocol | {"sources": tuple(protocol["sources"])})
        run = KeptRun(**values)
        for part in run.scores:
            run.scores_of(part)
    except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
        cause = f"key {error} is missing" if isinstance(error, KeyError) else one_line(error).rstrip(".")
        raise DataError(f"{where}: is no kept run ({cause}); restore or remove the line.") from error
    return run


def _problem(content: Mapping[str, Any]) -> str:
    """Return what is wrong with a line; "" for nothing."""
    if content.get("schema") != SCHEMA:
        return f"schema {content.get('schema')!r}, this padkit reads {SCHEMA!r}"
    if content["digest"] != digest(content["settings"], content["facts"]):
        return "its settings are not those that it was made with: the digest differs"
    return "" if any(name.partition("/")[0] == "target" for name in content["scores"]) else "no scores of the target"


def _targets(done: FinishedRun) -> dict[str, Any]:
    """Return the rows of each target's scores."""
    names = [one.target for one in done.results.targets]
    if not names:
        return {"target": np.ones(len(done.target), dtype=np.bool_)}
    return {f"target/{name}": done.target.domain == name for name in names}


def _kept(scores: Scores) -> dict[str, Any]:
    kinds = scores.pai_species

    def numbers(rows: Any) -> list[float]:
        return [float(f"{value:.{DIGITS}g}") for value in scores.score[rows]]

    attack = scores.label == ATTACK
    species = {str(name): numbers(attack & (kinds == name)) for name in np.unique(kinds[attack])}
    return {LIVE: numbers(scores.label == BONA_FIDE), ATTACKS: species}


def _scores(parts: Sequence[KeptScores]) -> Scores:
    rows = [(BONA_FIDE, "", value) for kept in parts for value in kept[LIVE]]
    rows += [(ATTACK, name, value) for kept in parts for name, some in kept[ATTACKS].items() for value in some]
    label, species, score = zip(*rows, strict=True) if rows else ((), (), ())
    blank = np.full(len(score), "", dtype=np.str_)
    return Scores(
        presentation=np.array([str(number) for number in range(len(score))], dtype=np.str_),
        dataset=blank, domain=blank, split=blank, subject=blank, device=blank, attack_type=blank,
        label=np.array(label, dtype=np.int64),
        species=np.array(species, dtype=np.str_), score=np.array(score, dtype=np.float64),
        frames=np.ones(len(score), dtype=np.int64),
    )  # fmt: skip


def _evidence(done: FinishedRun) -> dict[str, float]:
    """Return the figures of the last evaluation in the log."""
    prefixes = (EVIDENCE, DISTILLATION)
    empty: Mapping[str, Any] = {}
    last = next((record for record in reversed(done.log) if any(key.startswith(prefixes) for key in record)), empty)
    return {
        key: float(f"{value:.6g}")
        for key, value in last.items()
        if key.startswith(prefixes) and isinstance(value, (int, float)) and math.isfinite(value)
    }


def _environment(done: FinishedRun) -> dict[str, Any]:
    names = ("python", "platform", "libraries", "revision", "hardware")
    return {name: done.environment[name] for name in names if name in done.environment}
