"""One epoch of the main job on the simulated world's `small` size with each aligner and each teacher."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_run import FAST, steps

from padkit.plugins import discover

Run = Callable[[list[str]], int]

# Embedded weights where there are some; else small files of the genuine formats.
TEACHERS = {
    "arcface": [],
    "clip": ["--teachers.t.model", "tiny-ViT", "--teachers.t.weights", "epoch_32.pt"],
    "insightface": ["--teachers.t.model", "w600k_r18.onnx"],
    "stargan": [],
    "timm": [
        "--teachers.t.model",
        "test_vit",
        "--teachers.t.weights",
        "vit.safetensors",
        "--teachers.t.input_size",
        "32",
    ],
}
ALIGNERS = ["crossgrad", "daa", "dat", "ddaig", "mixstyle", "noise", "ssdg"]
STEPS = 42  # 1,008 training frames of three domains, 24 a step


@pytest.fixture(scope="module", autouse=True)
def shared_world(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """Simulate the world once for all processes of the tests: tables are prepared under a lock."""
    with pytest.MonkeyPatch.context() as patch:
        own = tmp_path_factory.getbasetemp()
        patch.setenv("PADKIT_CACHE", str((own if worker_id == "master" else own.parent) / "small-world"))
        yield


def epoch(dtda: Run, out: Path, *more: str) -> list[dict[str, float]]:
    """Train for an epoch, test on webcam, and return the losses of each step."""
    world = ["--data.size", "small", "--data.image_size", "64", "--target", "webcam"]
    brief = [*FAST[2:], "--batch-size", "24", "--epochs", "1", "--judge-every", "0"]
    assert dtda([*world, *brief, *more, "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["protocol"]["simulated"]
    assert 0.5 < metrics["source_dev"]["values"]["auc"] <= 1, "an epoch taught nothing about the sources' own people"
    records = steps(out)
    assert len(records) == STEPS
    assert all(math.isfinite(value) for record in records for value in record.values() if isinstance(value, float))
    return records


def falls(records: list[dict[str, float]], name: str) -> bool:
    """Whether a loss is lower in the last third of the steps than in the first."""
    values, third = [record[name] for record in records], len(records) // 3
    return sum(values[-third:]) < sum(values[:third])


@pytest.mark.parametrize("aligner", ALIGNERS)
def test_an_epoch_with_each_aligner(dtda: Run, tmp_path: Path, aligner: str) -> None:
    assert falls(epoch(dtda, tmp_path / "run", "--aligner", aligner, "--teachers", "none"), "live")


@pytest.mark.parametrize("teacher", TEACHERS)
def test_an_epoch_with_each_teacher(dtda: Run, files: dict[str, str], tmp_path: Path, teacher: str) -> None:
    settings = [files.get(word, word) for word in TEACHERS[teacher]]
    chosen = ["--teachers.fr", "none", "--teachers.fe", "none", "--teachers.t", teacher, *settings]
    records = epoch(dtda, tmp_path / "run", "--aligner", "none", *chosen)
    assert falls(records, "live")
    assert falls(records, "t")


def test_none_is_forgotten() -> None:
    found = {
        role: {c.spec.name for c in discover().components if c.role == role and c.plugin.distribution == "padkit"}
        for role in ("aligner", "teacher")
    }
    found["teacher"] -= {"dlib"}  # at its 150 pixels an epoch takes minutes; its suite and its own tests run it
    assert found == {"aligner": set(ALIGNERS), "teacher": set(TEACHERS)}
