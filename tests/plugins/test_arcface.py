"""The iResNet has arcface_torch's keys and shapes, and the teacher feeds it what it was trained on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from padkit import weights
from padkit.errors import WeightsError
from padkit_arcface.network import DEPTHS, IResNet, IResNetShape, initialise, load, recognise
from padkit_arcface.teacher import EMBEDDED, ArcFaceTeacher

NARROW = IResNetShape(channels=(8, 16, 32, 64), stem=8, embedding=32, input_size=32)
LIMIT = 6 * 10**6


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    vectors = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return vectors | {f"{name}.num_batches_tracked": ()}


def genuine(blocks: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of arcface_torch's `backbone.pth` for 112 pixels and 512 numbers, written out from its layout."""
    shapes = {"conv1.weight": (64, 3, 3, 3), **norm("bn1", 64), "prelu.weight": (64,)}
    inputs = 64
    for stage, (count, outputs) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), start=1):
        for index in range(count):
            at = f"layer{stage}.{index}"
            shapes |= norm(f"{at}.bn1", inputs) | {f"{at}.conv1.weight": (outputs, inputs, 3, 3)}
            shapes |= norm(f"{at}.bn2", outputs) | {f"{at}.prelu.weight": (outputs,)}
            shapes |= {f"{at}.conv2.weight": (outputs, outputs, 3, 3)} | norm(f"{at}.bn3", outputs)
            if index == 0:
                shapes |= {f"{at}.downsample.0.weight": (outputs, inputs, 1, 1)} | norm(f"{at}.downsample.1", outputs)
            inputs = outputs
    shapes |= norm("bn2", 512) | {"fc.weight": (512, 512 * 7 * 7), "fc.bias": (512,)}
    return shapes | norm("features", 512)


def meta_state(blocks: tuple[int, ...]) -> dict[str, Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in genuine(blocks).items()}


@pytest.mark.parametrize("depth", [18, 34, 50, 100, 200])
def test_keys_and_shapes_are_the_genuine_ones_and_the_depth_is_recognised(depth):
    state = meta_state(DEPTHS[depth])
    shape = recognise(state, "backbone.pth")
    assert shape == IResNetShape(blocks=DEPTHS[depth])
    assert shape.name == f"iResNet-{depth}"
    with torch.device("meta"):
        own = IResNet(shape).state_dict()
    assert {key: tuple(value.shape) for key, value in own.items()} == genuine(DEPTHS[depth])


def test_a_genuine_iresnet_50_file_loads_whole(tmp_path):
    generator = torch.Generator().manual_seed(0)

    def numbers(shape: tuple[int, ...]) -> Tensor:
        kernel = (1, *shape[1:]) if len(shape) > 1 else shape  # repeated in large layers, which keeps the file small
        return (torch.rand(kernel, generator=generator) * 0.01 + 0.01).expand(shape)

    state = {k: numbers(shape) for k, shape in genuine(DEPTHS[50]).items()}
    state |= {key: torch.tensor(9) for key in state if key.endswith("num_batches_tracked")}
    file = tmp_path / "backbone.pth"
    torch.save(state, file)
    teacher = ArcFaceTeacher(weights=str(file))
    assert (teacher.network.shape.name, teacher.input_size) == ("iResNet-50", 112)
    own = teacher.network.state_dict()
    assert own.keys() == state.keys()
    assert all(torch.equal(own[key], value.to(own[key].dtype)) for key, value in state.items())
    with torch.no_grad():
        features = teacher(torch.rand(1, 3, 112, 112))
    assert [tuple(m.shape[1:]) for m in features.maps] == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    assert features.embedding.shape == (1, 512)


def test_a_few_genuine_keys_by_hand():
    with torch.device("meta"):
        keys = list(IResNet(IResNetShape()).state_dict())
    for key in ("layer1.0.downsample.0.weight", "layer4.1.bn3.running_var", "layer2.1.prelu.weight", "features.bias"):
        assert key in keys
    assert "layer1.1.downsample.0.weight" not in keys


@pytest.mark.parametrize(("depth", "millions"), [(18, 24.03), (34, 34.14), (50, 43.59), (100, 65.16)])
def test_parameter_counts(depth, millions):
    with torch.device("meta"):
        network = IResNet(IResNetShape(blocks=DEPTHS[depth]))
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == millions


def test_maps_at_112_have_the_genuine_shapes():
    network = IResNet(IResNetShape()).eval()
    with torch.no_grad():
        maps = network.maps(torch.zeros(1, 3, 112, 112))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    assert network.embed(maps[-1]).shape == (1, 512)


@pytest.fixture
def narrow_file(tmp_path):
    torch.manual_seed(0)
    network = IResNet(NARROW)
    initialise(network)
    return weights.write_weights(tmp_path / "narrow.safetensors", network.state_dict())


def test_narrow_network_loads_by_the_same_function(narrow_file):
    state = weights.read_weights(narrow_file)
    network = load(state, narrow_file)
    assert network.shape == NARROW
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert load({f"module.{key}": value for key, value in state.items()}, "parallel").shape == NARROW


def test_missing_and_unexpected_keys_are_named(narrow_file):
    state = weights.read_weights(narrow_file)
    del state["layer2.0.bn3.weight"]
    state["layer2.0.se.fc1.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=r"missing \(layer2.0.bn3.weight\).*unexpected \(layer2.0.se.fc1.weight\)"):
        load(state, "wrong.pth")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("fc.weight", None, "fc.weight missing"),
        ("conv1.weight", None, "conv1.weight missing"),
        ("conv1.weight", torch.zeros(8), r"unknown shape of conv1.weight \(8,\)"),
        ("fc.weight", torch.zeros(32, 64 * 3), "no square map"),
    ],
)
def test_other_architectures_are_refused(narrow_file, key, value, words):
    state = weights.read_weights(narrow_file)
    if value is None:
        del state[key]
    else:
        state[key] = value
    with pytest.raises(WeightsError, match=words) as error:
        load(state, "other.pth")
    assert "\n" not in str(error.value)


def test_teacher_normalises_a_known_image_once(narrow_file):
    teacher = ArcFaceTeacher(weights=str(narrow_file))
    seen: list[Tensor] = []
    teacher.network.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.zeros(1, 3, 32, 32)
    image[:, 0], image[:, 1], image[0, 2, 5, 7] = 1.0, 0.25, 0.75
    teacher(image)
    expected = torch.full((1, 3, 32, 32), -1.0)
    expected[:, 0], expected[:, 1], expected[0, 2, 5, 7] = 1.0, -0.5, 0.5
    assert len(seen) == 1
    torch.testing.assert_close(seen[0], expected)


def test_teacher_resizes_and_returns_maps_and_embedding(narrow_file):
    teacher = ArcFaceTeacher(weights=str(narrow_file))
    features = teacher(torch.rand(2, 3, 50, 70))
    assert [tuple(m.shape) for m in features.maps] == [(2, 8, 16, 16), (2, 16, 8, 8), (2, 32, 4, 4), (2, 64, 2, 2)]
    assert features.embedding is not None
    assert features.embedding.shape == (2, 32)


def test_teacher_stays_frozen_in_evaluation_mode_and_lets_gradients_reach_the_image(narrow_file):
    teacher = ArcFaceTeacher(weights=str(narrow_file)).train()
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    modules = list(teacher.modules())
    assert len(modules) > 10
    assert not any(module.training for module in modules)
    assert not any(p.requires_grad for p in teacher.parameters())
    image = torch.rand(4, 3, 32, 32, requires_grad=True)
    teacher(image).embedding.sum().backward()
    assert image.grad is not None
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())


def test_unreadable_weights_are_one_line(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        ArcFaceTeacher(weights=str(tmp_path / "no.pth"))


def test_embedded_weights():
    file = weights.embedded_path("padkit_arcface", EMBEDDED)
    card = weights.read_card(file)
    assert file.stat().st_size == card.size <= LIMIT
    assert weights.sha256(file) == card.sha256
    assert "simulated" in card.data
    assert card.figures["verification_auc"] > 0.9
    assert "pretrain_arcface.py" in card.recipe
    teacher = ArcFaceTeacher()
    assert teacher.network.shape.blocks == DEPTHS[18]
    assert len(teacher(torch.rand(1, 3, 64, 64)).maps) == 4


@pytest.mark.parametrize("wrapped", ["backbone.", "module.backbone.", "model."])
def test_a_recogniser_with_its_classifier_is_read(narrow_file, tmp_path, wrapped):
    state = weights.read_weights(narrow_file)
    kept = {f"{wrapped}{key}": value for key, value in state.items()}
    torch.save({"state_dict_backbone": kept, "epoch": 3}, tmp_path / "checkpoint.pt")
    found = load(weights.read_weights(tmp_path / "checkpoint.pt"), "x").state_dict()
    assert all(torch.equal(value, found[key]) for key, value in state.items())
