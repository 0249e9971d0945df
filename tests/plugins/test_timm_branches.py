"""From scratch no branch of a student starts switched off; where weights are loaded, they decide."""

from __future__ import annotations

import re

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from padkit_timm.branches import OFF, wake
from padkit_timm.student import TimmStudent

torch.set_num_threads(1)

# Every family that the documentation names, and those whose branches timm switches off in yet another way.
FAMILIES = [
    "resnet18", "resnet34", "resnet50", "resnet10t", "tf_efficientnet_lite0", "efficientnet_b0",
    "mobilenetv3_small_100", "convnext_atto", "vit_tiny_patch16_224", "vit_small_patch16_224.dino",
    "deit3_small_patch16_224", "regnety_002", "test_resnet", "test_convnext", "test_vit",
]  # fmt: skip
SWITCHED_OFF = ["resnet18", "resnet10t", "convnext_atto", "deit3_small_patch16_224", "regnety_002"]
BLOCK = re.compile(r"(layer\d+\.\d+|blocks\.\d+(\.\d+)?|stages\.\d+\.blocks\.\d+|s\d\.b\d+)")
LAST_GAMMA = re.compile(r"(bn\d|norm\d?|conv3\.bn)\.weight|(ls\d\.)?gamma(_\d)?")


def blocks(net: nn.Module) -> dict[str, nn.Module]:
    """The innermost blocks by name."""
    found = {name: module for name, module in net.named_modules() if BLOCK.fullmatch(name)}
    return {name: module for name, module in found.items() if not any(other.startswith(f"{name}.") for other in found)}


def first_weight(block: nn.Module) -> nn.Parameter:
    """The weight of the first convolution (or matrix) on the branch, not on the shortcut."""
    layers = [
        layer.weight
        for name, layer in block.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not name.startswith(("downsample", "shortcut"))
    ]
    return layers[0]


def strengths(net: nn.Module) -> dict[str, float]:
    """|dL/dw| / |w| of the first weight of each block after one backward pass on random images of two classes."""
    images = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    embedding = net.train().forward_head(net.forward_features(images), pre_logits=True)
    torch.manual_seed(0)
    F.cross_entropy(nn.Linear(embedding.shape[1], 2)(embedding), torch.tensor([0, 1] * 4)).backward()
    weights = {name: first_weight(block) for name, block in blocks(net).items()}
    return {name: float(weight.grad.norm() / weight.detach().norm()) for name, weight in weights.items()}


def asleep(net: nn.Module) -> list[str]:
    """Blocks that the gradient hardly reaches: a tenth of the median, or a thousandth of the weights themselves."""
    found = strengths(net)
    assert len(found) >= 4
    bound = max(0.1 * float(torch.tensor(list(found.values())).median()), 1e-3)
    return [name for name, strength in found.items() if strength < bound]


def as_timm_builds(model: str) -> nn.Module:
    torch.manual_seed(0)
    try:
        return timm.create_model(model, num_classes=0, dynamic_img_size=True)
    except TypeError:
        return timm.create_model(model, num_classes=0)


def student(model: str, **settings) -> nn.Module:
    torch.manual_seed(0)
    return TimmStudent(model=model, **settings).net


@pytest.mark.parametrize("model", FAMILIES)
def test_the_gradient_reaches_the_first_convolution_of_every_block(model):
    assert asleep(student(model)) == []


@pytest.mark.parametrize("model", SWITCHED_OFF)
def test_timms_own_start_fails_that_test_in_every_block(model):
    net = as_timm_builds(model)
    assert asleep(net) == list(blocks(net))


@pytest.mark.parametrize("model", FAMILIES)
def test_every_gamma_starts_away_from_zero(model):
    """By a second way: the names in timm's state, not the classes of its modules."""
    net = student(model)
    gammas = {name: p for name, p in net.named_parameters() if LAST_GAMMA.search(name) and p.ndim == 1}
    assert len(gammas) >= len(blocks(net))
    assert [name for name, gamma in gammas.items() if bool((gamma.abs() < OFF).any())] == []


@pytest.mark.parametrize("model", ["resnet18", "resnet50", "convnext_atto", "deit3_small_patch16_224"])
def test_nothing_else_is_changed(model):
    given, own = as_timm_builds(model).state_dict(), student(model).state_dict()
    changed = [name for name in own if not torch.equal(own[name], given[name])]
    assert own.keys() == given.keys()
    assert len(changed) == len(wake(as_timm_builds(model))) >= len(blocks(student(model)))
    assert all(bool((own[name] == 1).all()) and bool((given[name] < OFF).all()) for name in changed)


def test_a_resnet_is_that_of_timm_with_its_flag():
    torch.manual_seed(0)
    flagged = timm.create_model("resnet18", num_classes=0, zero_init_last=False).state_dict()
    own = student("resnet18").state_dict()
    assert all(torch.equal(own[name], flagged[name]) for name in flagged)


def test_families_without_a_switched_off_branch_stay_as_timm_builds_them():
    for model in ("tf_efficientnet_lite0", "mobilenetv3_small_100", "vit_tiny_patch16_224"):
        assert wake(as_timm_builds(model)) == []


def test_convnext_v2s_response_normalisation_stays_off():
    net = as_timm_builds("convnextv2_atto")
    wake(net)
    assert float(net.get_parameter("stages.0.blocks.0.mlp.grn.weight").detach().abs().max()) == 0
    assert asleep(net) == []


def test_loaded_weights_decide(tmp_path):
    state = as_timm_builds("resnet18").state_dict()
    save_file(state, tmp_path / "net.safetensors")
    own = student("resnet18", weights=str(tmp_path / "net.safetensors")).state_dict()
    assert all(torch.equal(own[name], state[name]) for name in state)
    assert float(own["layer1.0.bn2.weight"].abs().max()) == 0
