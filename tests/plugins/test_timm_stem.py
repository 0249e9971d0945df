"""A stem of lower stride: larger maps from the same weights, centred as before, strides as announced."""

from __future__ import annotations

from typing import ClassVar

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from padkit.errors import SettingsError
from padkit.testing import StudentSuite
from padkit_timm.student import TimmStudent

torch.set_num_threads(1)

STRIDES = [
    ("resnet18", 2, (2, 4, 8, 16)),
    ("resnet18", 1, (1, 2, 4, 8)),
    ("resnet10t", 1, (1, 2, 4, 8)),
    ("tf_efficientnet_lite0", 1, (2, 4, 8, 16)),
    ("mobilenetv3_small_100", 1, (2, 4, 8, 16)),
    ("convnext_atto", 2, (2, 4, 8, 16)),
]


class TestSmall(StudentSuite):
    factory = TimmStudent
    settings: ClassVar = {"model": "test_resnet", "stem_stride": 1}


class TestEfficientNet(StudentSuite):
    factory = TimmStudent
    settings: ClassVar = {"model": "test_efficientnet", "stem_stride": 1}


class TestConvNext(StudentSuite):
    factory = TimmStudent
    settings: ClassVar = {"model": "test_convnext", "stem_stride": 2}


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize(("model", "stride", "strides"), STRIDES)
def test_maps_are_as_large_as_announced(model, stride, strides, size):
    student = TimmStudent(model=model, stem_stride=stride).eval()
    with torch.no_grad():
        features = student(torch.rand(1, 3, size, size))
    assert student.strides == strides
    assert [tuple(m.shape[2:]) for m in features.maps] == [(size // s, size // s) for s in strides]
    assert [m.shape[1] for m in features.maps] == list(student.channels)
    assert student.channels == TimmStudent(model=model).channels


def test_a_resnet_of_stride_1_has_neither_pooling_nor_a_strided_stem():
    net = TimmStudent(stem_stride=1).net
    assert isinstance(net.maxpool, nn.Identity)
    assert (net.conv1.stride, net.conv1.kernel_size, net.conv1.padding) == ((1, 1), (7, 7), (3, 3))
    halved = TimmStudent(stem_stride=2).net
    assert isinstance(halved.maxpool, nn.Identity)
    assert halved.conv1.stride == (2, 2)


@pytest.mark.parametrize(("model", "stride", "_"), STRIDES)
def test_weights_fit_as_before(model, stride, _, tmp_path):
    torch.manual_seed(0)
    state = timm.create_model(model).state_dict()
    save_file(state, tmp_path / "net.safetensors")
    own = TimmStudent(model=model, stem_stride=stride, weights=str(tmp_path / "net.safetensors")).net.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in own.items())


@pytest.mark.parametrize(("model", "own", "stride"), [("resnet18", 4, 2), ("tf_efficientnet_lite0", 2, 1)])
def test_the_finer_stem_sees_the_coarser_ones_cells_between_its_own(model, own, stride):
    """The convolution of lower stride passes every position that the model's own passes, with the same values."""
    torch.manual_seed(0)
    coarse, image = TimmStudent(model=model).net.eval(), torch.rand(1, 3, 64, 64)
    fine = TimmStudent(model=model, stem_stride=1).net.eval()
    fine.load_state_dict(coarse.state_dict())
    name = "conv1" if "resnet" in model else "conv_stem"
    with torch.no_grad():
        seen, wanted = getattr(fine, name)(image), getattr(coarse, name)(image)
    # TensorFlow's padding of a stride 2 stands one pixel further right.
    start = 0 if "resnet" in model else 1
    inner = slice(2, -2)
    torch.testing.assert_close(seen[:, :, start::2, start::2][..., inner, inner], wanted[..., inner, inner])


@pytest.mark.parametrize(
    ("model", "stride", "words"),
    [
        ("resnet18", 3, "stem_stride 3: the stem of this model has 4 or 2; choose"),
        ("resnet18", 8, "stem_stride 8: the stem of this model has 4; choose"),
        ("resnet18", 0, "stem_stride 0: the stem of this model has 4 or 2 or 1; choose"),
        ("convnext_atto", 1, "stem_stride 1: the stem of this model has 4 or 2; choose"),
        ("vit_tiny_patch16_224", 8, "stem_stride 8: the stem of this model has none that can be changed"),
    ],
)
def test_a_stride_that_cannot_be_is_one_line(model, stride, words):
    with pytest.raises(SettingsError, match=words) as error:
        TimmStudent(model=model, stem_stride=stride)
    assert "\n" not in str(error.value)


def test_the_models_own_stride_changes_nothing():
    torch.manual_seed(0)
    plain = TimmStudent().eval()
    torch.manual_seed(0)
    named = TimmStudent(stem_stride=4).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(plain(image).embedding, named(image).embedding)
    assert named.strides == plain.strides == (4, 8, 16, 32)
