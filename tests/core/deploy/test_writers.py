"""Every form of a small detector computes what its weights compute, says what it is, and is enough to judge with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import padkit
from padkit.data.preparation.squares import Square, cut, face_square
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.forms import FORMS, from_metadata
from padkit.deploy.runtimes import open_exported
from padkit.deploy.writers import Exporter
from padkit.errors import SettingsError, WeightsError
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent

SIZE = 32
NEEDS = {".onnx": ("onnxscript", "onnxruntime"), ".xml": ("onnxscript", "openvino", "nncf"), ".pt2": ()}


def bundle(**facts) -> Bundle:
    return Bundle(**{"student": "timm", "settings": {"model": "test_resnet"}, "image_size": SIZE, "simulated": True,
                     "thresholds": (BundleThreshold(policy="source-dev", value=0.5),), "sha256": "cd" * 32,
                     "crop": CropPolicy(face="lbp", margin=0.25, drop=0.05, known=True), "temperature": 2.0}
                  | facts)  # fmt: skip


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Crops whose content varies smoothly, as in photographs."""
    small = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for one in small])


@pytest.fixture(scope="module")
def exporter(tmp_path_factory, crops) -> Exporter:
    torch.manual_seed(0)
    detector = Detector(TimmStudent(model="test_resnet"))
    with torch.no_grad():
        detector(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)  # moves the BatchNorm statistics
    return Exporter(detector=detector.eval(), bundle=bundle(), folder=tmp_path_factory.mktemp("forms"), crops=crops)


@pytest.fixture
def written(exporter):
    """Write a form once, or skip where its libraries are not installed."""

    def write(name: str) -> Path:
        form = FORMS[name]
        for library in NEEDS[Path(form.file).suffix]:
            pytest.importorskip(library)
        return exporter.write(form)

    return write


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if not form.photograph])
def test_a_form_of_crops_gives_the_scores_of_the_weights_at_any_batch(name, written, exporter, crops):
    form = open_exported(written(name), threads=1)
    expected = exporter.score(crops)
    found = np.concatenate([form(crops[:1]), form(crops[1:])])
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < (FORMS[name].close or 0.05)
    assert np.ptp(expected) > 0.01
    assert (form.temperature, form.sha256) == (2.0, "cd" * 32)
    assert from_metadata(form.metadata, name).crop == exporter.bundle.crop


FIVE = ("onnx", "onnx-photograph", "onnx-fp16", "onnx-int8", "torch", "openvino", "openvino-int8")


@pytest.fixture(scope="module")
def five(tmp_path_factory, exporter, crops) -> Exporter:
    """The same weights, judging by five views."""
    detector = Detector(exporter.detector.student, "five").eval()
    detector.head.load_state_dict(exporter.detector.head.state_dict())
    about = replace(exporter.bundle, views="five")
    return replace(exporter, detector=detector, bundle=about, folder=tmp_path_factory.mktemp("five"))


@pytest.mark.parametrize("name", FIVE)
def test_a_form_of_five_views_gives_the_scores_of_the_detector(name, five, exporter, crops):
    form = FORMS[name]
    for library in NEEDS[Path(form.file).suffix]:
        pytest.importorskip(library)
    found, expected = open_exported(five.write(form), threads=1), five.score(crops)
    assert found.views == "five"
    one = exporter.score(crops)
    if form.photograph:
        scores = [found(*as_boxed(crop, five.bundle.crop)) for crop in crops]
        assert np.concatenate(scores) == pytest.approx(expected, abs=1e-3)
        return
    scores = np.concatenate([found(crops[:1]), found(crops[1:])])
    # Rounding must be small beside what the views say that the whole crop does not.
    limit = 0.2 * np.abs(expected - one).max() if form.close is None else 1e-5
    assert np.abs(scores - expected).max() < limit
    if name == "onnx":
        loaded = padkit.load(found.path, face="none", limits=None, threads=1)
        assert loaded.bundle.views == "five"
        assert np.abs(loaded.scores(list(crops)) - expected).max() < 1e-5
    if name == "onnx-int8":
        graph = pytest.importorskip("onnx").load(str(found.path)).graph
        kinds = [node.op_type for node in graph.node if node.op_type != "DequantizeLinear"]
        assert "QuantizeLinear" not in kinds[: kinds.index("Resize") + 1]


def as_boxed(crop: np.ndarray, policy: CropPolicy) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop as the middle of a photograph, and the box of which the policy cuts exactly this crop."""
    photograph = np.pad(crop, ((SIZE, SIZE), (SIZE, SIZE), (0, 0)))
    side = SIZE / (1 + 2 * policy.margin)
    left, top = (1.5 * SIZE - side / 2 + beside for beside in (0, policy.drop * SIZE))
    return photograph, np.array([left, top, side, side], dtype=np.float32)


@pytest.mark.parametrize(("height", "width"), [(120, 90), (70, 200)])
def test_the_photograph_form_takes_any_size_and_cuts_as_we_do(written, exporter, crops, height, width):
    form = open_exported(written("onnx-photograph"), threads=1)
    photograph = Image.fromarray(crops[0]).resize((width, height))
    box = np.array([20.5, 10.25, 50, 44], dtype=np.float32)
    square = face_square(FaceHint(box=tuple(box)), margin=0.25, align=False, width=width, height=height)
    crop = cut(photograph, Square(square.x, square.y - 0.05 * square.side, square.side), SIZE)
    assert form(np.asarray(photograph), box) == pytest.approx(exporter.score(crop[None]), abs=1e-3)


def test_int8_stores_int8(written):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(written("onnx-int8")))
    kinds = {onnx.TensorProto.DataType.Name(one.data_type) for one in model.graph.initializer}
    assert {"INT8", "UINT8"} <= kinds
    assert written("onnx-int8").stat().st_size < 0.5 * written("onnx").stat().st_size


def test_int8_moves_scores_to_neither_side(written, exporter, crops):
    """On the crops that it was calibrated on; the offset that it carries is what took the side away."""
    onnx = pytest.importorskip("onnx")
    path = written("onnx-int8")
    scores = open_exported(path, threads=1)(crops), exporter.score(crops)
    found, expected = (np.log(one / (1 - one)) for one in scores)
    (held,) = [one for one in onnx.load(str(path)).graph.initializer if one.name.endswith("_offset")]
    assert abs(np.median(found - expected)) < 0.2 * abs(onnx.numpy_helper.to_array(held)[0, 1])


def test_int8_rounds_the_first_layer_by_what_it_is_given(written):
    """Its weights stand on the grid that they were rounded to: no output's sum moves by more than two steps."""
    onnx = pytest.importorskip("onnx")
    sums = []
    for name, scale in (("onnx", False), ("onnx-int8", True)):
        graph = onnx.load(str(written(name))).graph
        held = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
        first = next(node for node in graph.node if node.op_type == "Conv")
        if not scale:
            sums.append(held[first.input[1]].sum(axis=(2, 3)))
            continue
        (made,) = [node for node in graph.node if first.input[1] in node.output]
        weights, steps = held[made.input[0]], held[made.input[1]]
        sums.append((weights * steps[:, None, None, None]).sum(axis=(2, 3)))
        assert np.abs(sums[1] - sums[0]).max() < 2 * steps.max()


@pytest.mark.parametrize("name", ["onnx", "torch", "openvino"])
def test_a_file_alone_judges_and_the_temperature_counts_once(name, written, exporter, crops, tmp_path):
    loaded = padkit.load(written(name), face="none", limits=None, threads=1)
    (found,) = loaded.judge(crops[0])
    assert found.score == pytest.approx(float(exporter.score(crops[:1])[0]), abs=1e-4)
    assert (found.threshold, found.model) == (0.5, "cdcdcdcdcdcd")
    target = loaded.save(tmp_path / "copy")
    assert padkit.load(target / FORMS[name].file, limits=None).bundle == loaded.bundle


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_an_onnx_file_does_not_depend_on_where_it_was_written(name, written):
    content = written(name).read_bytes()
    assert b"stack_trace" not in content
    assert b"site-packages" not in content


def test_a_file_alone_has_no_other_backend(written):
    with pytest.raises(SettingsError, match="its own backend"):
        padkit.load(written("torch"), backend="onnx")


def test_int8_without_crops_is_refused(exporter, tmp_path):
    bare = Exporter(detector=exporter.detector, bundle=exporter.bundle, folder=tmp_path)
    with pytest.raises(SettingsError, match="--crops FOLDER") as error:
        bare.write(FORMS["onnx-int8"])
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "library"), [(".onnx", "onnxruntime"), (".xml", "openvino"), (".pt2", "torch")])
def test_damaged_files_are_one_line(tmp_path, suffix, library):
    pytest.importorskip(library)
    path = tmp_path / f"model{suffix}"
    with pytest.raises(WeightsError, match="does not exist"):
        open_exported(path)
    path.write_bytes(b"no model")
    with pytest.raises(WeightsError, match="cannot be read") as error:
        open_exported(path)
    assert "\n" not in str(error.value)
