"""timm models as teachers: what timm itself computes, from genuine files, with the pretraining's own input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from padkit.errors import SettingsError, WeightsError
from padkit_timm.network import layout
from padkit_timm.teacher import TimmTeacher

torch.set_num_threads(1)

MODELS = ["test_resnet", "test_convnext", "test_vit", "test_vit4"]
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def genuine(model: str) -> torch.nn.Module:
    torch.manual_seed(7)
    net = timm.create_model(model).eval()
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.uniform_(-0.1, 0.1)
    return net


def file_of(model: str, folder: Path) -> str:
    save_file(genuine(model).state_dict(), folder / "genuine.safetensors")
    return str(folder / "genuine.safetensors")


@pytest.mark.parametrize("model", MODELS)
def test_maps_and_embedding_are_timms_own(tmp_path, model):
    teacher = TimmTeacher(model=model, weights=file_of(model, tmp_path))
    size = teacher.input_size
    assert size == timm.create_model(model).pretrained_cfg["input_size"][-1]
    image = torch.rand(2, 3, 50, 70)
    inputs = F.interpolate(image, (size, size), mode="bilinear", antialias=True, align_corners=False)
    mean, std = (torch.tensor(teacher.net.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    net = genuine(model)
    with torch.no_grad():
        found, last = teacher(image), net.forward_features((inputs - mean) / std)
        torch.testing.assert_close(found.embedding, net.forward_head(last, pre_logits=True), atol=1e-5, rtol=1e-4)
    assert len(found.maps) == 4
    if "vit" not in model:
        torch.testing.assert_close(found.maps[-1], last, atol=1e-5, rtol=1e-4)
        assert [m.shape[-1] for m in found.maps] == [size // stride for stride in (4, 8, 16, 32)]


def test_a_transformers_class_token_is_the_embedding_and_its_patches_are_the_maps(tmp_path):
    teacher = TimmTeacher(model="test_vit", weights=file_of("test_vit", tmp_path), maps=[1, 4, 6])
    net, image = genuine("test_vit"), torch.rand(2, 3, 160, 160)
    inputs = (image - 0.5) / 0.5 if net.pretrained_cfg["mean"][0] == 0.5 else (image - IMAGENET[0]) / IMAGENET[1]
    with torch.no_grad():
        found = teacher(image)
        torch.testing.assert_close(found.embedding, net.forward_features(inputs)[:, 0])
        expected = net.get_intermediate_layers(inputs, n=[0, 3, 5], reshape=True)  # another way through timm
    assert [tuple(m.shape) for m in found.maps] == [(2, 64, 10, 10)] * 3
    for one, other in zip(found.maps, expected, strict=True):
        torch.testing.assert_close(one, other)


def dino() -> dict[str, tuple[int, ...]]:
    """Keys and shapes of timm's `vit_small_patch16_224.dino`, written out: no classifier, a norm at the end."""
    shapes = {"cls_token": (1, 1, 384), "pos_embed": (1, 197, 384)}
    shapes |= {"patch_embed.proj.weight": (384, 3, 16, 16), "patch_embed.proj.bias": (384,)}
    for block in range(12):
        at = f"blocks.{block}"
        shapes |= {f"{at}.{norm}.{part}": (384,) for norm in ("norm1", "norm2") for part in ("weight", "bias")}
        for layer, (outputs, inputs) in {
            "attn.qkv": (1152, 384), "attn.proj": (384, 384), "mlp.fc1": (1536, 384), "mlp.fc2": (384, 1536)
        }.items():  # fmt: skip
            shapes |= {f"{at}.{layer}.weight": (outputs, inputs), f"{at}.{layer}.bias": (outputs,)}
    return shapes | {"norm.weight": (384,), "norm.bias": (384,)}


def test_a_genuine_dino_file_loads_whole(tmp_path):
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.empty(shape).uniform_(-0.05, 0.05, generator=generator) for key, shape in dino().items()}
    save_file(state, tmp_path / "model.safetensors")
    settings = {"model": "vit_small_patch16_224.dino", "weights": str(tmp_path / "model.safetensors")}
    teacher = TimmTeacher(**settings, input_size=64)
    assert layout(teacher.net).input_size == 224
    own = teacher.net.state_dict()
    assert own.keys() == state.keys()
    assert all(torch.equal(own[key], value) for key, value in state.items())
    assert teacher.mean == pytest.approx((0.485, 0.456, 0.406))
    with torch.no_grad():
        features = teacher(torch.rand(1, 3, 64, 64))
    assert [tuple(m.shape) for m in features.maps] == [(1, 384, 4, 4)] * 4
    assert features.embedding.shape == (1, 384)


def test_a_wrong_file_names_the_keys(tmp_path):
    state = genuine("test_vit").state_dict()
    state["blocks.0.attn.q_norm.weight"] = state.pop("norm.bias")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing \(norm.bias\).*unexpected \(blocks.0.attn.q_norm.weight\)"):
        TimmTeacher(model="test_vit", weights=str(tmp_path / "model.safetensors"))


def test_it_stays_frozen_in_evaluation_mode(tmp_path):
    teacher = TimmTeacher(model="test_resnet", weights=file_of("test_resnet", tmp_path)).train()
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    teacher(image).embedding.sum().backward()
    assert image.grad is not None
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_half_precision_by_autocast(tmp_path, model):
    teacher, images = TimmTeacher(model=model, weights=file_of(model, tmp_path)), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        exact = teacher(images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = teacher(images)
    assert F.cosine_similarity(rough.embedding.float(), exact.embedding).min() > 0.99


def saved_for_the_hub(folder: Path, model: str = "test_resnet") -> Path:
    timm.models.save_for_hf(genuine(model), folder, safe_serialization=True)
    assert {"config.json", "model.safetensors"} <= {path.name for path in folder.iterdir()}
    return folder


def test_a_folder_as_the_hub_has_it(tmp_path):
    folder = saved_for_the_hub(tmp_path / "hub")
    teacher = TimmTeacher(model=f"local-dir:{folder}", pretrained=True)
    state = genuine("test_resnet").state_dict()
    own = teacher.net.state_dict()
    assert {key for key in state if key not in own} == {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, state[key]) for key, value in own.items())


def test_a_folder_whose_weights_do_not_fit_names_the_keys(tmp_path):
    folder = saved_for_the_hub(tmp_path / "hub")
    state = genuine("test_resnet").state_dict()
    state["layer9.weight"] = state.pop("layer1.0.conv1.weight")
    save_file(state, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"layer1.0.conv1.weight.*layer9.weight") as error:
        TimmTeacher(model=f"local-dir:{folder}", pretrained=True)
    assert "\n" not in str(error.value)


def test_a_malicious_pickle_in_such_a_folder_is_not_run(tmp_path):
    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    folder = saved_for_the_hub(tmp_path / "hub")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Touch()}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="could not be had") as error:
        TimmTeacher(model=f"local-dir:{folder}", pretrained=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("model", ["resnet18", "hf-hub:timm/resnet18.a1_in1k", "local-dir:/nowhere"])
def test_weights_that_cannot_be_had_are_one_line(model):
    with pytest.raises(WeightsError, match=r"could not be had.*--teachers.NAME.weights FILE") as error:
        TimmTeacher(model=model, pretrained=True)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_impossible_settings_are_one_line(tmp_path):
    weights = file_of("test_vit3", tmp_path)
    for settings, words in [
        ({"model": "test_vit"}, "must have learnt something; set pretrained"),
        ({"model": "test_vitt", "weights": weights}, "timm has no 'test_vitt'. Did you mean 'test_vit"),
        ({"model": "timm/resnet18", "pretrained": True}, "timm has no"),
        ({"model": "test_vit", "weights": weights, "pretrained": True}, "exclude each other"),
        ({"model": "test_vit3", "weights": weights, "maps": [10]}, "timm: maps 10 are impossible; .* 1 to 9"),
        ({"model": "test_vit3", "weights": weights, "input_size": 70}, "does not take an input_size of 70"),
    ]:
        with pytest.raises(SettingsError, match=words) as error:
            TimmTeacher(**settings)
        assert "\n" not in str(error.value)


def test_the_configuration_of_a_folder_rules_the_normalisation(tmp_path):
    folder = saved_for_the_hub(tmp_path / "hub")
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"] |= {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7], "input_size": [3, 96, 96]}
    (folder / "config.json").write_text(json.dumps(config))
    teacher = TimmTeacher(model=f"local-dir:{folder}", pretrained=True)
    assert (teacher.mean, teacher.std, teacher.input_size) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), 96)
    seen: list[torch.Tensor] = []
    teacher.net.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.full((1, 3, 96, 96), 0.25)
    image[0, 2, 5, 7] = 0.75
    teacher(image)
    assert len(seen) == 1
    torch.testing.assert_close(seen[0][0, :, 5, 7], torch.tensor([0.15 / 0.5, 0.05 / 0.6, 0.45 / 0.7]))
