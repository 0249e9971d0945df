"""How runs are started: their share of the cores, the command, and the place of each worker."""

from __future__ import annotations

import sys

import pytest

from padkit.ablation import launch as module
from padkit.ablation.launch import Launch


@pytest.mark.parametrize(
    ("jobs", "threads", "given", "expected"),
    [
        (1, None, set(), []),  # a run alone finds its own number
        (2, None, set(), ["--threads", "3"]),  # of six free cores
        (9, None, set(), ["--threads", "1"]),
        (2, 4, set(), ["--threads", "4"]),
        (2, None, {"threads"}, []),
    ],
)
def test_runs_side_by_side_share_the_free_cores(
    monkeypatch: pytest.MonkeyPatch, jobs: int, threads: int | None, given: set[str], expected: list[str]
) -> None:
    monkeypatch.setattr(module, "free_cores", lambda: 6)
    assert Launch(jobs=jobs, threads=threads).share(given) == expected


@pytest.mark.parametrize(("jobs", "given", "expected"), [(1, set(), []), (2, set(), ["4"]), (2, {"workers"}, [])])
def test_runs_on_gpus_share_the_cores_for_loading(
    monkeypatch: pytest.MonkeyPatch, jobs: int, given: set[str], expected: list[str]
) -> None:
    monkeypatch.setattr(module, "cores", lambda: 8)
    assert Launch(jobs=jobs, devices=2).share(given) == [word for number in expected for word in ("--workers", number)]


def test_precision_and_launcher_reach_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert Launch().command() == [sys.executable]
    assert Launch().facts() == {"precision": "no", "launch": ""}
    assert Launch(jobs=2).crew() == [{}, {}]
    launch = Launch(jobs=2, devices=2, precision="bf16", words="--num_processes 2")
    assert launch.command()[1:] == [
        "-m",
        "accelerate.commands.launch",
        "--mixed_precision",
        "bf16",
        "--num_processes",
        "2",
    ]
    assert launch.facts() == {"precision": "bf16", "launch": "--num_processes 2"}
    assert [place["CUDA_VISIBLE_DEVICES"] for place in launch.crew()] == ["0", "1"]
    assert {place["ACCELERATE_MIXED_PRECISION"] for place in launch.crew()} == {"bf16"}
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    assert Launch().facts()["precision"] == "fp16"
