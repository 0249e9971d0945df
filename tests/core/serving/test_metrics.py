"""Figures for Prometheus: names and buckets as its format asks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")

from padkit.serving import metrics as figures
from padkit.serving.judging import Result
from padkit.serving.metrics import Metrics


def result(score: float | None, reason: str | None = None) -> Result:
    return Result(
        source="a", face=0, faces=1, verdict="not judged" if score is None else "attack", score=score, threshold=0.5,
        policy="p", reason=reason, detail="", box=None, quality={}, model="",
    )  # fmt: skip


def read(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.text("ab").splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_buckets_are_cumulative_and_end_with_the_count():
    metrics = Metrics()
    metrics.judged([result(0.05), result(0.1), result(0.95), result(None, "blurred")], 10, 0.3)
    found = read(metrics)
    buckets = [value for name, value in found.items() if name.startswith("padkit_score_bucket")]
    assert buckets == [2, *[2] * 8, 3, 3]
    assert (found["padkit_score_count"], found["padkit_score_sum"]) == (3, pytest.approx(1.1))
    assert found['padkit_not_judged_total{reason="blurred"}'] == 1
    assert found['padkit_judge_seconds_bucket{le="0.25"}'] == 0
    assert found['padkit_judge_seconds_bucket{le="0.5"}'] == 1


def test_answers_with_an_odd_status_are_counted_together_and_memory_is_told():
    metrics = Metrics()
    for status in (200, 418, 307):
        metrics.responded(status)
    found = read(metrics)
    assert found['padkit_responses_total{status="200"}'] == 1
    assert found['padkit_responses_total{status="other"}'] == 2
    assert found["padkit_processes"] >= 1
    assert found["padkit_resident_bytes"] > 1e6


def test_a_worker_that_ends_meanwhile_is_not_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(figures.multiprocessing, "active_children", lambda: [SimpleNamespace(pid=2**31 - 2)])
    assert read(Metrics())["padkit_processes"] == 1


def test_every_family_is_described_once_and_stands_together():
    lines = Metrics().text("ab").splitlines()
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
