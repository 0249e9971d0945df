"""What is measured: every form that is there, at batch 1 and 16, with and without finding the face."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from padkit.data.presentation import FaceHint
from padkit.deploy import WEIGHTS, benchmark
from padkit.deploy.benchmark import BF16, CROPS, DETECTION, EAGER, FINDING, PHOTOGRAPH, Benchmark, BenchmarkRow
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.runtimes import Exported
from padkit.deploy.timing import Timing
from padkit.errors import DataError, WeightsError
from padkit.report.tables.export import benchmark_table

BUNDLE = Bundle(
    student="timm", settings={}, image_size=16, simulated=True, crop=CropPolicy(margin=0.2, known=True),
    thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
)  # fmt: skip


FACES = (FaceHint(box=(20, 20, 60, 60)),)


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Measure a folder with files of these names, whose forms answer at once; note what they were given."""
    given: list[tuple] = []

    def run(*inputs):
        given.append(tuple(one.shape for one in inputs))
        return np.zeros(len(inputs[0]), np.float32)

    def measure(*names: str, faces=FACES, detection=True) -> Benchmark:
        for name in names:
            (tmp_path / name).touch()
        monkeypatch.setattr(benchmark, "torch_scorer", lambda folder, threads: run)
        monkeypatch.setattr(benchmark, "find_spec", lambda name: name)
        monkeypatch.setattr(benchmark, "_has_bf16", lambda: True)
        monkeypatch.setattr(
            benchmark, "open_exported", lambda path, threads, precision="f32": Exported(run=run, path=path)
        )
        for module in ("benchmark", "predictor"):
            monkeypatch.setattr(f"padkit.deploy.{module}.finder", lambda name, model: lambda picture, hint: list(faces))
        photograph = Image.new("RGB", (120, 100)) if detection else None
        return benchmark.benchmark(tmp_path, BUNDLE, threads=2, seconds=1e-9, photograph=photograph, face="lbp")

    measure.given = given
    return measure


def test_every_form_is_measured_with_and_without_detection(measured):
    found = measured(WEIGHTS, "model.onnx", "model-photograph.onnx", "model.xml")
    kinds = {(row.form, row.input, row.timing.items) for row in found.rows}
    crops = {(form, given, batch) for form in (EAGER, "onnx", "openvino", BF16)
             for given in (CROPS, DETECTION) for batch in (1, 16)}  # fmt: skip
    assert kinds == crops | {
        ("onnx-photograph", PHOTOGRAPH, 1), ("onnx-photograph", DETECTION, 1), (FINDING, DETECTION, 1),
    }  # fmt: skip
    assert {((1, 16, 16, 3),), ((16, 16, 16, 3),), ((100, 120, 3), (4,))} == set(measured.given)


def test_without_a_photograph_crops_alone(measured):
    assert {row.input for row in measured("model.onnx", detection=False).rows} == {CROPS}


def test_a_folder_without_forms_and_a_photograph_without_a_face_are_refused(measured):
    with pytest.raises(WeightsError, match="nothing to measure"):
        measured()
    with pytest.raises(DataError, match="finds no face"):
        measured("model.onnx", faces=())


def test_ratios_are_against_the_weights_on_the_same_input():
    rows = [
        BenchmarkRow(form=EAGER, input=CROPS, timing=Timing(p50=40, p95=50, calls=20)),
        BenchmarkRow(form="onnx-int8", input=CROPS, timing=Timing(p50=8, p95=9, calls=20)),
        BenchmarkRow(form="onnx-photograph", input=PHOTOGRAPH, timing=Timing(p50=20, p95=25, calls=20)),
        BenchmarkRow(form="onnx-int8", input=CROPS, timing=Timing(p50=64, p95=70, calls=20, items=16)),
    ]
    found = Benchmark(rows=rows, threads=2, size=96, machine={"processor": "toy"}, sha256="ab")
    assert [found.against_weights(row) for row in rows] == [1, 5, 2, None]
    told = json.loads(json.dumps(found.to_dict()))
    assert [row["throughput"] for row in told["rows"]] == [25, 125, 50, 250]
    assert told["threads"] == 2
    table = benchmark_table(found)
    assert [cell.text for cell in table.rows[1].cells] == [CROPS, "1", "8.00", "9.00", "125.0", "5.00 x"]
    assert table.notes[0] == "2 CPU threads; processor toy."
    assert (
        "claims 95 FPS with a ResNet-18, hardware unknown; here onnx-int8, the fastest, makes 125.0" in table.notes[1]
    )
    assert table.notes[1].endswith("1.32 x that, at 96 instead of 256 pixels.")
    (_, same, *_) = benchmark_table(dataclasses.replace(found, size=256)).notes
    assert same.endswith("1.32 x that.")
