"""timm students: the maps distillation counts on, genuine weights, the right normalisation."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import safetensors.torch
import timm
import torch

from padkit.deploy.bundle import Bundle, BundleThreshold
from padkit.deploy.stored import save_bundle
from padkit.errors import SettingsError, WeightsError
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def resnet18() -> TimmStudent:
    torch.manual_seed(0)
    return TimmStudent().eval()


@pytest.mark.parametrize("size", [128, 256])
def test_resnet18_has_the_stages_that_match_the_teachers(resnet18, size):
    with torch.no_grad():
        features = resnet18(torch.rand(1, 3, size, size))
    assert resnet18.channels == (64, 128, 256, 512)
    assert resnet18.strides == (4, 8, 16, 32)
    assert resnet18.embedding_dim == 512
    cells = [size // 4, size // 8, size // 16, size // 32]
    expected = [(1, c, n, n) for c, n in zip((64, 128, 256, 512), cells, strict=True)]
    assert [tuple(m.shape) for m in features.maps] == expected
    assert features.embedding is not None
    assert features.embedding.shape == (1, 512)
    torch.testing.assert_close(features.embedding, features.maps[-1].mean((2, 3)))


@pytest.mark.parametrize(
    ("model", "size", "channels", "strides", "dim"),
    [
        ("resnet34", 64, (64, 128, 256, 512), (4, 8, 16, 32), 512),
        ("mobilenetv3_small_100", 64, (16, 24, 48, 576), (4, 8, 16, 32), 1024),
        ("convnext_atto", 64, (40, 80, 160, 320), (4, 8, 16, 32), 320),
        ("vit_tiny_patch16_224", 64, (192,) * 4, (16,) * 4, 192),
        ("vit_tiny_patch16_224", 128, (192,) * 4, (16,) * 4, 192),
        ("test_vit", 96, (64,) * 4, (16,) * 4, 64),
    ],
)
def test_maps_and_embedding_are_as_announced(model, size, channels, strides, dim):
    student = TimmStudent(model=model).eval()
    with torch.no_grad():
        features = student(torch.rand(2, 3, size, size))
    assert student.channels == channels
    assert student.strides == strides
    assert student.embedding_dim == dim
    expected = [(2, c, size // s, size // s) for c, s in zip(channels, strides, strict=True)]
    assert [tuple(m.shape) for m in features.maps] == expected
    assert features.embedding is not None
    assert features.embedding.shape == (2, dim)


def test_blocks_of_a_vision_transformer_are_spread_and_end_with_the_last():
    assert TimmStudent(model="vit_tiny_patch16_224").indices == [2, 5, 8, 11]


def test_gradient_reaches_every_parameter():
    student = TimmStudent(model="test_resnet")
    features = student(torch.rand(2, 3, 64, 64))
    (sum(m.sum() for m in features.maps) + features.embedding.square().sum()).backward()
    missing = [name for name, p in student.named_parameters() if p.grad is None]
    assert list(student.parameters())
    assert missing == []


def test_a_known_image_reaches_the_first_layer_standardised_once(resnet18):
    seen: list[torch.Tensor] = []
    handle = resnet18.net.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.zeros(1, 3, 32, 32)
    image[:, 0], image[:, 1], image[0, 2, 5, 7] = 1.0, 0.25, 0.75
    with torch.no_grad():
        resnet18(image)
    handle.remove()
    # ImageNet's mean and standard deviation, as in torchvision's and timm's training of ResNets.
    expected = torch.empty(1, 3, 32, 32)
    expected[:, 0], expected[:, 1], expected[:, 2] = (1 - 0.485) / 0.229, (0.25 - 0.456) / 0.224, -0.406 / 0.225
    expected[0, 2, 5, 7] = (0.75 - 0.406) / 0.225
    assert len(seen) == 1
    torch.testing.assert_close(seen[0], expected)


def test_another_family_keeps_its_own_normalisation():
    student = TimmStudent(model="vit_tiny_patch16_224")
    assert (student.mean, student.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def genuine(model: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return timm.create_model(model).state_dict()


def save(state, path):
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return str(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_genuine_state_dict_loads_whole_but_for_the_classifier(tmp_path, suffix):
    state = genuine("resnet18")
    assert {"fc.weight", "fc.bias"} <= state.keys()
    student = TimmStudent(weights=save(state, tmp_path / f"resnet18{suffix}"))
    own = student.net.state_dict()
    assert own.keys() == {key for key in state if not key.startswith("fc.")}
    assert all(torch.equal(own[key], state[key]) for key in own)


@pytest.mark.parametrize("model", ["mobilenetv3_small_100", "convnext_atto", "test_vit"])
def test_the_classifier_of_other_families_is_dropped_by_its_name(tmp_path, model):
    state = genuine(model)
    student = TimmStudent(model=model, weights=save(state, tmp_path / "genuine.safetensors"))
    own = student.net.state_dict()
    dropped = state.keys() - own.keys()
    assert len(own) > 10
    assert dropped == {key for key in state if key.startswith(("classifier.", "head.fc.", "head.weight", "head.bias"))}
    assert len(dropped) == 2
    assert all(torch.equal(own[key], state[key]) for key in own)


def test_weights_without_the_classifier_load_too(tmp_path):
    state = {key: value for key, value in genuine("test_resnet").items() if not key.startswith("fc.")}
    student = TimmStudent(model="test_resnet", weights=save(state, tmp_path / "trunk.safetensors"))
    assert all(torch.equal(value, state[key]) for key, value in student.net.state_dict().items())


def test_weights_of_another_architecture_name_the_keys(tmp_path):
    state = {key: value for key, value in genuine("resnet18").items() if key != "layer1.0.conv1.weight"}
    state["layer9.conv1.weight"] = torch.zeros(1)
    path = save(state, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other.safetensors.*missing \(layer1.0.conv1.weight\)") as error:
        TimmStudent(weights=path)
    assert "unexpected (layer9.conv1.weight)" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(WeightsError, match="missing"):
        TimmStudent(model="test_vit", weights=path)


@pytest.mark.parametrize(
    ("wrapper", "prefix"),
    [(None, "module."), ("model", ""), ("net", "module."), ("model_state_dict", "_orig_mod."),
     ("state_dict_backbone", ""), ("state_dict", "model.backbone."), (None, "module.module.")],
)  # fmt: skip
def test_weights_load_however_a_training_program_wrapped_them(tmp_path, wrapper, prefix):
    state = timm.create_model("test_resnet").state_dict()
    assert "fc.weight" in state
    kept = {f"{prefix}{key}": value for key, value in state.items()}
    torch.save({wrapper: kept, "epoch": 3} if wrapper else kept, tmp_path / "wrapped.pth")
    student = TimmStudent(model="test_resnet", weights=str(tmp_path / "wrapped.pth"))
    assert all(torch.equal(value, state[key]) for key, value in student.net.state_dict().items())


@pytest.mark.parametrize("place", ["model.safetensors", "model", "run"])
def test_a_run_starts_from_a_run(tmp_path, place):
    detector = Detector(TimmStudent(model="test_resnet"))
    about = Bundle(
        student="timm", settings={"model": "test_resnet"}, image_size=64, simulated=True,
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
    )  # fmt: skip
    save_bundle(tmp_path / "run" / "model", detector, about)
    named = {"run": tmp_path / "run", "model": tmp_path / "run/model"}.get(place, tmp_path / "run/model" / place)
    for settings in ({}, {"stem_stride": 2}):
        student = TimmStudent(model="test_resnet", weights=str(named), **settings)
        found = student.net.state_dict()
        assert all(torch.equal(value, found[key]) for key, value in detector.student.net.state_dict().items())
    with pytest.raises(WeightsError, match=r"do not fit .*choose weights of this architecture"):
        TimmStudent(model="test_vit", weights=str(named))


def test_missing_weights_file(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        TimmStudent(weights=str(tmp_path / "no.pth"))


def test_an_unknown_model_shows_the_closest():
    with pytest.raises(SettingsError, match=r"no 'resnett18'. Did you mean 'resnet18'\?") as error:
        TimmStudent(model="resnett18")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200
    with pytest.raises(SettingsError, match="list_models"):
        TimmStudent(model="zzzzzzzzzzzzzzzz")


def test_pretrained_and_weights_exclude_each_other():
    with pytest.raises(SettingsError, match="exclude each other"):
        TimmStudent(pretrained=True, weights="x.pth")


def test_drop_rate_out_of_range():
    for rate in (-0.1, 1.0, float("nan")):
        with pytest.raises(SettingsError, match=r"student.drop_rate") as error:
            TimmStudent(drop_rate=rate)
        assert "\n" not in str(error.value)


def test_pretrained_without_network_is_one_clear_line(tmp_path):
    code = """
from padkit.errors import WeightsError
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent
try:
    TimmStudent(pretrained=True)
except WeightsError as error:
    print(error)
"""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("\n") == 1
    assert found.stdout.startswith("student.model 'resnet18': its weights could not be had")
    assert "--student.weights FILE" in found.stdout
