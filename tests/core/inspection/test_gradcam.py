"""Grad-CAM equals the definition, on maps and on tokens, and takes a layer that the score depends on."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import PluginError, SettingsError
from padkit.inspection.gradcam import attention, map_layers
from padkit.networks.detector import Detector
from padkit.roles import Features, Student
from padkit_timm.student import TimmStudent

SIDE = 32


class Convolutions(Student):
    channels, strides, embedding_dim = (4, 6), (1, 1), 6

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.Tanh())

    def forward(self, images: Tensor) -> Features:
        shallow = self.first(images)
        deep = self.second(shallow)
        return Features((shallow, deep), deep.mean((2, 3)))


class Tokens(Student):
    """Two layers of tokens, the class token first; the embedding is the last layer's class token alone."""

    channels, strides, embedding_dim = (5, 5), (8, 8), 5

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 5, 8, stride=8)
        self.one, self.two = nn.Linear(5, 5), nn.Linear(5, 5)
        self.mixed = nn.Identity()

    def forward(self, images: Tensor) -> Features:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        tokens = self.one(torch.cat([patches.mean(1, keepdim=True), patches], dim=1))
        mixed = self.mixed(self.two(tokens) + tokens.tanh().sum(1, keepdim=True))
        maps = [layer[:, 1:].transpose(1, 2).reshape(len(images), 5, 4, 4).contiguous() for layer in (tokens, mixed)]
        return Features(tuple(maps), mixed[:, 0])


class Aside(Student):
    """Its maps are computed beside its layers, so that none gives them out."""

    channels, strides, embedding_dim = (3,), (1,), 3

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Features:
        seen = 2 * self.net(images)
        return Features((seen,), seen.mean((2, 3)))


def detector(student: Student) -> Detector:
    torch.manual_seed(0)
    made = Detector(student)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made.eval()


def scaled(heat: np.ndarray) -> np.ndarray:
    """Return maps [B, h, w], each from 0 to 1."""
    heat = heat - heat.min(axis=(1, 2), keepdims=True)
    return heat / heat.max(axis=(1, 2), keepdims=True)


def test_maps_equal_the_definition() -> None:
    """The embedding is the mean of the deepest map, so that its weights are those of the head."""
    model, images, labels = detector(Convolutions()), torch.rand(3, 3, SIDE, SIDE), np.array([1, 0, 1])
    weight = model.head.weight[1] - model.head.weight[0]
    signs = torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    raw = signs * torch.einsum("c,bchw->bhw", weight, model.student(images).maps[1])
    assert np.allclose(attention(model, images, labels), scaled(F.relu(raw).detach().numpy()), atol=1e-5)


def test_tokens_that_the_score_does_not_depend_on_are_passed_over() -> None:
    """Only the class token of the last layer is judged: its patches have no gradient, those of the first have."""
    import cv2

    model, images = detector(Tokens()), torch.rand(2, 3, SIDE, SIDE)
    student = model.student
    patches = student.patches(images).flatten(2).transpose(1, 2)
    tokens = student.one(torch.cat([patches.mean(1, keepdim=True), patches], dim=1)).detach().requires_grad_()
    mixed = student.two(tokens) + tokens.tanh().sum(1, keepdim=True)
    logits = model.head(mixed[:, 0])
    (gradient,) = torch.autograd.grad((logits[:, 0] - logits[:, 1]).sum(), tokens)
    raw = (gradient[:, 1:].mean(1, keepdim=True) * tokens[:, 1:]).sum(2).reshape(2, 4, 4)
    small = F.relu(raw).detach().numpy()
    expected = scaled(np.stack([cv2.resize(heat, (SIDE, SIDE)) for heat in small]))
    assert np.allclose(attention(model, images, np.array([0, 0])), expected, atol=1e-5)
    assert map_layers(student, images)[0].module is student.mixed


def test_the_layers_found_give_out_the_maps() -> None:
    images = torch.rand(1, 3, SIDE, SIDE)
    for student in (Convolutions(), Tokens(), TimmStudent(model="test_resnet"), TimmStudent(model="test_vit")):
        assert len(map_layers(student.eval(), images)) == len(student.channels)
    convolutions = Convolutions().eval()
    assert [each.module for each in map_layers(convolutions, images)] == [convolutions.second, convolutions.first]


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_real_students_have_a_map_that_is_not_empty(model: str) -> None:
    torch.manual_seed(0)
    made = Detector(TimmStudent(model=model)).eval()
    heat = attention(made, torch.rand(2, 3, 160, 160), np.array([1, 0]))
    assert heat.shape == (2, 160, 160)
    assert heat.max() == pytest.approx(1, abs=1e-5)
    assert heat.min() >= 0


def test_no_layer_with_a_map_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = detector(Aside())
    with pytest.raises(SettingsError, match="no layer of student Aside gives out one of its maps"):
        attention(model, torch.rand(1, 3, SIDE, SIDE), np.array([1]))
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(PluginError, match=r"pip install 'padkit\[figures\]'"):
        attention(model, torch.rand(1, 3, SIDE, SIDE), np.array([1]))
