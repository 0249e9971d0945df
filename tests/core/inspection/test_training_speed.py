"""`padkit bench train` and `data`: what is measured, and how the figures are put together."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from toy_run import reset_accelerate

from padkit.commands import bench
from padkit.deploy.timing import Timing
from padkit.errors import SettingsError
from padkit.inspection import loading_speed, training_speed
from padkit.inspection.speed_tables import loading_table, training_table
from padkit.inspection.training_speed import TrainingSpeed, Workload


def timing(p50: float) -> Timing:
    return Timing(p50=p50, p95=2 * p50, calls=4, items=10)


@pytest.fixture
def measured() -> TrainingSpeed:
    seconds = {
        "step with its batch": 110.0, "step": 100.0, "student": 60.0, "teacher arcface": 10.0,
        "teacher arcface, features alone": 5.0, "teacher stargan": 5.0, "attack": 20.0, "augmentation": 2.0,
        "loader": 3.0, "plain loop": 275.0, "timm's step": 50.0,
    }  # fmt: skip
    timings = {name: timing(value) for name, value in seconds.items()}
    return TrainingSpeed(workload=Workload(), timings=timings, waiting=0.031, memory=1234.4, machine={"processor": "X"})


def test_ratios_by_hand(measured):
    assert measured.parts() == ["student", "teacher arcface", "teacher stargan", "attack", "augmentation", "loader"]
    assert measured.over_parts == pytest.approx(1.1)
    assert measured.times("plain loop") == pytest.approx(2.5)


def test_table_and_json_say_the_same(measured):
    table, found = training_table(measured), measured.to_dict()
    assert len(table.rows) == len(found["rows"]) == 11
    assert table.rows[0].texts == ["step with its batch", "110.0", "220.0", "90.9", "1.00"]
    told = " ".join(table.notes)
    assert "1.10 times" in told
    assert "2.50 times as fast as the plain loop" in told
    assert "3.1%. Peak memory: 1234 MiB" in told
    assert json.loads(json.dumps(found))["times_plain_loop"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("waits", "told"),
    [
        (None, ""),
        ({}, "No step waited for the GPU."),
        ({"loop.py:7": 3}, "Some steps waited for the GPU at loop.py:7 (3)."),
    ],
)
def test_where_steps_waited_for_the_device_is_told(measured, waits, told):
    found = replace(measured, synchronisations=waits)
    assert [note for note in training_table(found).notes if "GPU" in note] == ([told] if told else [])
    assert found.to_dict()["synchronisations"] == waits


def test_every_part_is_measured_in_turn(monkeypatch):
    """One call of each kind, with the smallest networks; what is timed does run."""

    def once(kinds, *, items, **_more):
        for call in kinds.values():
            call()
        return {name: timing(1.0) for name in kinds}

    monkeypatch.setattr(training_speed, "timed", once)
    reset_accelerate()
    try:
        load = Workload(model="test_resnet", teachers=("stargan",), batch=6, size=32)
        found = training_speed.measure_training(load)
    finally:
        reset_accelerate()
    teacher = ["teacher stargan", "teacher stargan, features alone"]
    parts = ["student", *teacher, "attack", "augmentation", "loader"]
    assert list(found.timings) == ["step with its batch", "step", *parts, "plain loop", "timm's step"]
    assert found.memory > 1
    assert found.synchronisations is None, "a CPU"
    assert 0 < found.waiting < 1


def test_loading_by_processes_and_beside_a_plain_loader(monkeypatch):
    monkeypatch.setattr(loading_speed, "CROPS", 12)
    found = loading_speed.measure_loading(batch=6, size=16, workers=(0,), seconds=1e-9)
    assert list(found.timings) == ["decoding alone", "0 processes", "plain loader, 0 processes"]
    assert (found.batch, found.size) == (6, 16)
    assert len(loading_table(found).rows) == 3
    assert all(row["per_second"] > 0 for row in found.to_dict()["rows"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "--batch", "5"], "--batch 5: three domains of two classes need 6"),
        (["train", "--model", "resnt18"], "timm has no 'resnt18'.*resnet18"),
        (["train", "--precision", "fp16"], "fp16 needs a GPU"),
        (["data", "--workers", "0,x"], "--workers '0,x'"),
        (["data", "--seconds", "0"], "seconds"),
        (["nothing"], "invalid choice"),
        ([], "infer, train or data"),
    ],
)
def test_mistakes_are_one_line(words, told):
    with pytest.raises(SettingsError, match=told) as error:
        bench.main(words)
    assert "\n" not in str(error.value)
