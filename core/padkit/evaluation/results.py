"""The results of one run, `metrics.json`: plain JSON (RFC 8259: no NaN, no infinity), schema `padkit-metrics/1`.

All rates are shares in [0, 1], not percentages; `padkit.evaluation.metrics` explains the names.

- `schema`: `"padkit-metrics/1"`.
- `protocol`: `name` (`O&C&I->M`), `convention` (`official`, `ssdg`, ...), `sources` (list of domains), `target`
  (domain, or several pooled, `C&I&M`), `simulated` (true if not all of the data are real captures), `real_faces` (with
  `simulated`: true if the live faces are of real people, and only cameras and attacks are simulated).
- `seed`: the run's seed.
- `checkpoint_selection`: `source-dev`, `last` or `target-best` (see `padkit.evaluation.selection`);
  `checkpoint_test_set_choice`: true for `target-best`, which makes every figure of the target too good.
- `counts`: the target's presentations, `bona_fide` and `attack`; `frames`, their total number; `species`, attacks by
  PAI species.
- `values`: the figures of the target's scores that need no threshold, `auc`, `eer`, `bpcer10`, `bpcer20`, `bpcer100`,
  `tpr_at_fpr1`.
- `results`: a list, one entry per threshold policy, the one to quote first. Each has `policy` (see
  `padkit.evaluation.thresholds`), `threshold`, `chosen_on` (in words), `test_set_choice` (true if the scores
  themselves chose the threshold), `values` (`apcer`, `apcer_pooled`, `bpcer`, `acer`, `acer_pooled`, `fpr`, `fnr`,
  `hter`) and `apcer_by_species` (by name).
- `targets`: for a protocol with several targets, a list with `target`, `counts`, `values` and `results` of each domain
  alone (as above, each policy applied to that domain's scores); empty otherwise. All other entries are for the targets
  pooled.
- `source_dev`: null, or the figures on domains that the model was trained on: `counts`, `values` and `result` (an entry
  as in `results`, at the threshold of the first policy) of the held-out source presentations.
- `mean_last`: null, or (`--selection mean-last-10`; the checkpoint of all other entries is then the `last`) the means
  of the target's figures over the last judged checkpoints, at most 10: `selection`, `test_set_choice` (true), `steps`
  (of these checkpoints), `values` and `results`, as above, each policy applied to each checkpoint before averaging.

A higher schema number means that a key was changed or removed; new keys may appear under the same number, and readers
skip them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from padkit.data.simulation import simulated_note, simulated_warning
from padkit.errors import DataError, SettingsError, closest
from padkit.evaluation.rates import Counts, PolicyResult, chosen_on_source, count, rates_at, threshold_free
from padkit.evaluation.scores import Scores
from padkit.evaluation.selection import CHECKPOINT_SELECTIONS, LAST, MEAN_LAST, TARGET_BEST, MeanResult
from padkit.evaluation.thresholds import choose
from padkit.files import write_atomically

SCHEMA = "padkit-metrics/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSummary:
    """Which domains trained and which tested; the keys of `protocol` in the module's table."""

    name: str
    convention: str
    sources: tuple[str, ...]
    target: str
    simulated: bool
    real_faces: bool = False

    @property
    def note(self) -> str:
        """What is simulated, in brackets behind a title; "" if nothing is."""
        return simulated_note(self.simulated, self.real_faces)

    @property
    def warning(self) -> str:
        """The sentence on simulated data that stands with every figure; "" if nothing is simulated."""
        return simulated_warning(self.simulated, self.real_faces)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDevResult:
    """The figures on held-out presentations of the domains that the model was trained on."""

    counts: Counts
    values: dict[str, float]
    result: PolicyResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """The figures on one of several targets."""

    target: str
    counts: Counts
    values: dict[str, float]
    results: tuple[PolicyResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything in `metrics.json` except the schema's name; the module's docstring explains the keys."""

    protocol: ProtocolSummary
    seed: int
    checkpoint_selection: str
    counts: Counts
    values: dict[str, float]
    results: tuple[PolicyResult, ...]
    source_dev: SourceDevResult | None = None
    targets: tuple[TargetResult, ...] = ()
    mean_last: MeanResult | None = None


def evaluate(
    target: Scores,
    *,
    protocol: ProtocolSummary,
    seed: int,
    checkpoint_selection: str = "source-dev",
    policies: Sequence[str] = ("source-dev", "target-eer"),
    source_dev: Scores | None = None,
    target_dev: Scores | None = None,
    targets: Sequence[str] = (),
) -> Results:
    """Assess the target's scores under each policy, the policy to quote first.

    Args:
        target: Scores of the target test set.
        protocol: Which domains were trained on and tested on.
        seed: The run's seed.
        checkpoint_selection: A key of `CHECKPOINT_SELECTIONS`; `mean-last-10` is noted as `last`, which it ships.
        policies: At least one of `padkit.evaluation.thresholds.POLICIES`.
        source_dev: Scores of held-out source presentations.
        target_dev: Scores of the target's dev split.
        targets: Domains of the target; if there are several, each is also assessed alone.

    Raises:
        SettingsError: A policy or the checkpoint selection is unknown, or no policy is named.
        DataError: A policy lacks its scores, or a set holds only one class.
    """
    if checkpoint_selection not in CHECKPOINT_SELECTIONS:
        known = closest(checkpoint_selection, CHECKPOINT_SELECTIONS)
        raise SettingsError(f"checkpoint selection {checkpoint_selection!r} is unknown.{known}")
    if not policies:
        raise SettingsError("threshold policies: none is named; name source-dev, say.")
    thresholds = [choose(name, source_dev=source_dev, target=target, target_dev=target_dev) for name in policies]
    return Results(
        protocol=protocol,
        seed=seed,
        checkpoint_selection=LAST if checkpoint_selection == MEAN_LAST else checkpoint_selection,
        counts=count(target),
        values=threshold_free(target),
        results=tuple(rates_at(target, threshold) for threshold in thresholds),
        source_dev=None
        if source_dev is None
        else SourceDevResult(
            counts=count(source_dev),
            values=threshold_free(source_dev),
            result=rates_at(
                source_dev,
                thresholds[0],
                chosen_here=chosen_on_source(thresholds[0].policy, source_dev, target_dev),
            ),
        ),
        targets=tuple(_alone(name, target, policies, source_dev, target_dev) for name in targets)
        if len(targets) > 1
        else (),
    )


def write_results(results: Results, path: Path | str) -> None:
    """Write `metrics.json`, whole or not at all.

    Raises:
        DataError: A value is NaN or infinite, or the file cannot be written.
    """
    try:
        told = {"schema": SCHEMA, **asdict(results)}
        told["checkpoint_test_set_choice"] = results.checkpoint_selection == TARGET_BEST
        text = json.dumps(told, indent=2, allow_nan=False, ensure_ascii=False)
    except ValueError as error:
        raise DataError(f"{path}: not written, a value is NaN or infinite; look at the scores of this run.") from error
    write_atomically(Path(path), (text + "\n").encode())


def read_results(path: Path | str) -> Results:
    """Read what `write_results` wrote; keys that this version does not know are skipped.

    Raises:
        DataError: The file is missing, is not JSON, has another schema, or a key is missing or of the wrong type.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the metrics.json of a run.") from error
    except ValueError as error:
        raise DataError(f"{path}: is no JSON ({error}); give the metrics.json of a run.") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise DataError(f"{path}: has schema {schema!r}, this padkit reads {SCHEMA!r}; use the padkit that wrote it.")
    try:
        return _results(content)
    except (KeyError, TypeError, ValueError) as error:
        cause = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path}: does not fit schema {SCHEMA} ({cause}); write it again.") from error


def headline(protocol: ProtocolSummary) -> str:
    """Return one line that names the protocol and says what is simulated."""
    return f"{protocol.name}, convention {protocol.convention}{protocol.note}"


def _alone(
    name: str, pooled: Scores, policies: Sequence[str], source_dev: Scores | None, target_dev: Scores | None
) -> TargetResult:
    """Assess one of several targets as if it were the only one."""
    scores = pooled.select(pooled.domain == name)
    dev = None if target_dev is None else target_dev.select(target_dev.domain == name)
    chosen = [choose(policy, source_dev=source_dev, target=scores, target_dev=dev) for policy in policies]
    entries = tuple(rates_at(scores, threshold) for threshold in chosen)
    return TargetResult(target=name, counts=count(scores), values=threshold_free(scores), results=entries)


def _results(content: Mapping[str, Any]) -> Results:
    dev = content.get("source_dev")
    protocol = _known(ProtocolSummary, content["protocol"])
    return Results(
        protocol=ProtocolSummary(**protocol | {"sources": tuple(protocol["sources"])}),
        seed=int(content["seed"]),
        checkpoint_selection=str(content["checkpoint_selection"]),
        counts=Counts(**_known(Counts, content["counts"])),
        values=_shares(content["values"]),
        results=tuple(_entry(entry) for entry in content["results"]),
        source_dev=None
        if dev is None
        else SourceDevResult(
            counts=Counts(**_known(Counts, dev["counts"])),
            values=_shares(dev["values"]),
            result=_entry(dev["result"]),
        ),
        targets=tuple(
            TargetResult(
                target=str(entry["target"]),
                counts=Counts(**_known(Counts, entry["counts"])),
                values=_shares(entry["values"]),
                results=tuple(_entry(result) for result in entry["results"]),
            )
            for entry in content.get("targets", ())
        ),
        mean_last=_mean(content.get("mean_last")),
    )


def _mean(content: Mapping[str, Any] | None) -> MeanResult | None:
    if content is None:
        return None
    known = _known(MeanResult, content)
    return MeanResult(
        selection=str(known["selection"]),
        test_set_choice=bool(known["test_set_choice"]),
        steps=tuple(int(step) for step in known["steps"]),
        values=_shares(known["values"]),
        results=tuple(_entry(entry) for entry in known["results"]),
    )


def _entry(content: Mapping[str, Any]) -> PolicyResult:
    if not isinstance(content["test_set_choice"], bool):
        raise TypeError("test_set_choice is neither true nor false")
    rates = {name: _shares(content[name]) for name in ("values", "apcer_by_species")}
    return PolicyResult(**_known(PolicyResult, content) | rates | _shares({"threshold": content["threshold"]}))


def _known(record: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `content` that `record` has; a missing entry raises KeyError."""
    if not isinstance(content, dict):
        raise TypeError(f"{content!r} is no object")
    return {item.name: content[item.name] for item in fields(record)}


def _shares(content: Mapping[str, Any]) -> dict[str, float]:
    if not isinstance(content, dict):
        raise TypeError(f"{content!r} is no object")
    values = {str(name): float(value) for name, value in content.items()}
    for name, value in values.items():
        if math.isnan(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} is {value:g}, not a share in [0, 1]")
    return values
