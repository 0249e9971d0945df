"""Figures for Prometheus: names and buckets as its format asks, summed over workers, those that ended included."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("fastapi")

from padkit.serving.judging import Result
from padkit.serving.metrics import NAMES, SUFFIX, Metrics


def result(score: float | None, reason: str | None = None) -> Result:
    return Result(
        source="a", face=0, faces=1, verdict="not judged" if score is None else "attack", score=score, threshold=0.5,
        policy="p", reason=reason, detail="", box=None, quality={}, model="",
    )  # fmt: skip


def read(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.text("ab").splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_buckets_are_cumulative_and_end_with_the_count():
    metrics = Metrics(None)
    metrics.judged([result(0.05), result(0.1), result(0.95), result(None, "blurred")], 10, 0.3)
    found = read(metrics)
    buckets = [value for name, value in found.items() if name.startswith("padkit_score_bucket")]
    assert buckets == [2, *[2] * 8, 3, 3]
    assert (found["padkit_score_count"], found["padkit_score_sum"]) == (3, pytest.approx(1.1))
    assert found['padkit_not_judged_total{reason="blurred"}'] == 1
    assert found['padkit_judge_seconds_bucket{le="0.25"}'] == 0
    assert found['padkit_judge_seconds_bucket{le="0.5"}'] == 1


def test_workers_are_summed_and_one_that_ended_keeps_its_counts(tmp_path):
    first = Metrics(tmp_path)
    ended = np.zeros(len(NAMES))
    ended[NAMES.index('padkit_responses_total{status="200"}')] = 5
    ended.tofile(tmp_path / f"999999999-1{SUFFIX}")
    (tmp_path / f"999999998-1{SUFFIX}").write_bytes(b"")  # being made
    first.responded(200)
    first.responded(418)
    found = read(first)
    assert found['padkit_responses_total{status="200"}'] == 6
    assert found['padkit_responses_total{status="other"}'] == 1
    assert found["padkit_workers"] == 1
    assert found["padkit_resident_bytes"] > 1e6


def test_every_family_is_described_once_and_stands_together():
    lines = Metrics(None).text("ab").splitlines()
    described = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(described) == len(set(described))
    current, seen = "", []
    for line in lines:
        if line.startswith("# TYPE"):
            current = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith(current)
            seen.append(line)
    assert len(seen) == len({line.rpartition(" ")[0] for line in seen})
