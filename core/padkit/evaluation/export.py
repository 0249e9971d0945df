"""Assessments as JSON and as CSV, for other programs. Rates are shares in [0, 1]; an absent figure is null or empty.

JSON, schema `padkit-evaluation/1`:

- `schema`; `bootstrap`: null, or `resamples`, `seed` and `level`.
- `methods`: one entry per method: `name`, `protocol` (null, or as in `metrics.json`), `seeds`, `checkpoint_selection`
  ("" if unknown), `figures` (list of `policy`, "" where no threshold is needed, `metric`, `mean`, `deviation`, null of
  a single run, `n`), `published` (list; results from the literature to compare with) and `runs`.
- a run: `name`, `seed`, `counts`, `values` and `results` as in `metrics.json`, `intervals` (list of `policy`, `metric`,
  `low`, `high`), `resampled` (null, or `kind` and `count` of what the bootstrap drew), `slices` (`species`, `device`,
  `domain`: lists of `name`, `bona_fide`, `attack`, `values` at the first policy's threshold) and `notes`.
- `comparison`: null, or `first`, `second`, `presentations`, `delong` and `differences` (list of `policy`, `metric`,
  `first`, `second`, `difference`, `low`, `high`, `p`).

CSV: one row per figure. `n` is the number of runs, `deviation` their sample standard deviation; `slice` and `name`
identify a part of the test set; in rows with the slice `difference`, `value` is the first minus the second.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from padkit.evaluation.assessment import Assessment
from padkit.evaluation.comparison import PairedComparison
from padkit.evaluation.literature import comparable_target, published
from padkit.evaluation.methods import Method
from padkit.evaluation.slices import BREAKDOWNS
from padkit.evaluation.statistics.bootstrap import CONFIDENCE

SCHEMA = "padkit-evaluation/1"
CSV_COLUMNS = (
    "method", "protocol", "simulated", "seeds", "n", "checkpoint_selection", "slice", "name", "policy",
    "test_set_choice", "metric", "value", "deviation", "low", "high", "p", "bona_fide", "attack",
)  # fmt: skip


def to_json(methods: Sequence[Method], comparison: PairedComparison | None, *, resamples: int, seed: int) -> str:
    """Return the JSON text; the module's docstring describes its schema."""
    content = {
        "schema": SCHEMA,
        "bootstrap": {"resamples": resamples, "seed": seed, "level": CONFIDENCE} if resamples else None,
        "methods": [_method(method) for method in methods],
        "comparison": None if comparison is None else _comparison(comparison),
    }
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def to_csv(methods: Sequence[Method], comparison: PairedComparison | None) -> str:
    """Return the CSV text; a method of several runs has rows for their mean and for each run."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for method in methods:
        parts = [method] if len(method.assessments) == 1 else [method, *(Method((run,)) for run in method.assessments)]
        for part in parts:
            writer.writerows(_rows(part))
    if comparison is not None:
        writer.writerows(_difference_rows(comparison))
    return text.getvalue()


def _method(method: Method) -> dict[str, Any]:
    about = method.first.about
    target = comparable_target(about.protocol) if about.protocol else ""
    return {
        "name": method.name,
        "protocol": None if about.protocol is None else asdict(about.protocol),
        "seeds": list(method.seeds),
        "checkpoint_selection": about.selection,
        "figures": [
            {"policy": policy, "metric": metric, "mean": found.mean, "deviation": found.deviation, "n": found.count}
            for policy, metric, found in method.figures()
        ],
        "published": [asdict(row) for row in published(target)] if target else [],
        "runs": [_run(assessment) for assessment in method.assessments],
    }


def _run(assessment: Assessment) -> dict[str, Any]:
    units = assessment.units
    return {
        "name": assessment.about.name,
        "seed": assessment.about.seed,
        "counts": asdict(assessment.counts),
        "values": dict(assessment.values),
        "results": [asdict(entry) for entry in assessment.results],
        "intervals": [
            {"policy": policy, "metric": metric, "low": found.low, "high": found.high}
            for (policy, metric), found in assessment.intervals.items()
        ],
        "resampled": None if units is None else {"kind": units.kind, "count": units.count},
        "slices": {by: [asdict(part) for part in parts] for by, parts in assessment.slices.items()},
        "notes": list(assessment.about.notes),
    }


def _comparison(comparison: PairedComparison) -> dict[str, Any]:
    return {
        "first": comparison.first.name,
        "second": comparison.second.name,
        "presentations": comparison.presentations,
        "delong": asdict(comparison.auc),
        "differences": [
            {
                "policy": found.policy,
                "metric": found.metric,
                "first": found.first,
                "second": found.second,
                "difference": found.first - found.second,
                "low": found.interval.low if found.interval else None,
                "high": found.interval.high if found.interval else None,
                "p": found.p,
            }
            for found in comparison.differences
        ],
    }


def _rows(method: Method) -> Iterator[dict[str, Any]]:
    first = method.first
    protocol = first.about.protocol
    chosen = {entry.policy: entry.test_set_choice for entry in first.results}
    shared: dict[str, Any] = {
        "method": method.name,
        "protocol": protocol.name if protocol else "",
        "simulated": protocol.simulated if protocol else "",
        "seeds": " ".join(map(str, method.seeds)),
        "n": len(method.assessments),
        "checkpoint_selection": first.about.selection,
    }
    everyone = {"bona_fide": first.counts.bona_fide, "attack": first.counts.attack}
    for policy, metric, found in method.figures():
        where = {"policy": policy, "test_set_choice": chosen.get(policy, ""), "metric": metric}
        ends = method.intervals.get((policy, metric))
        reach = {"low": ends.low, "high": ends.high} if ends else {}
        yield shared | everyone | where | reach | {"value": found.mean, "deviation": _known(found.deviation)}
    policy = first.results[0].policy
    for by in BREAKDOWNS:
        for part, spreads in method.slices(by):
            counts = {"slice": by, "name": part.name, "bona_fide": part.bona_fide, "attack": part.attack}
            for metric, value in spreads.items():
                used = "" if metric == "auc" else policy
                where = {"policy": used, "test_set_choice": chosen.get(used, ""), "metric": metric}
                if value is not None:
                    yield shared | counts | where | {"value": value.mean, "deviation": _known(value.deviation)}


def _difference_rows(comparison: PairedComparison) -> Iterator[dict[str, Any]]:
    shared = {"slice": "difference", "name": f"{comparison.first.name} minus {comparison.second.name}"}
    for found in _comparison(comparison)["differences"]:
        ends = {name: _known(found[name]) for name in ("low", "high", "p")}
        yield shared | ends | {key: found[key] for key in ("policy", "metric")} | {"value": found["difference"]}


def _known(value: float | None) -> float | str:
    return "" if value is None else value
