"""Grad-CAM of a student (Selvaraju et al. 2017) by the package `grad-cam` (DTDA, Fig. 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from padkit.errors import SettingsError, extra_needed
from padkit.networks.detector import Detector
from padkit.roles import Student


class LogOdds(nn.Module):
    """A detector whose output is the log-odds of bona fide [B, 1] of whole crops, whatever its views."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> Tensor:
        """Return the log-odds [B, 1] of `images` [B, 3, H, W] in [0, 1]."""
        logits = self.detector.classify(self.detector.student(images))
        return logits[:, 1:] - logits[:, :1]


@dataclass(frozen=True, slots=True)
class Layer:
    """A module whose output is one of the student's maps.

    Attributes:
        module: The module.
        reshape: Turns its output into a map [B, C, h, w]; None if the output is a map already.
    """

    module: nn.Module
    reshape: Callable[[Tensor], Tensor] | None


def attention(detector: Detector, images: Tensor, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the evidence for each image's true class: heat [B, H, W] in [0, 1], scaled to each image's maximum.

    It uses the deepest layer at which the score still depends on single places of the map.

    Args:
        detector: In evaluation mode.
        images: [B, 3, H, W], RGB in [0, 1].
        labels: [B], 1 = bona fide, 0 = attack.

    Raises:
        PluginError: The extra `figures` is not installed.
        SettingsError: No layer of the student outputs one of its maps.
    """
    with extra_needed("Grad-CAM", "padkit[figures]"):
        from pytorch_grad_cam import GradCAM
    # Towards bona fide, or away from it: the log-odds of the true class.
    targets: list[Any] = [lambda output, sign=2 * int(label) - 1: sign * output[0] for label in labels]
    model = LogOdds(detector)
    for layer in map_layers(detector.student, images[:1]):
        with GradCAM(model, [layer.module], reshape_transform=layer.reshape) as camera:
            heat: NDArray[np.float32] = camera(input_tensor=images, targets=targets)
            gradients = camera.activations_and_grads.gradients
            if any(bool(gradient.abs().max() > 0) for gradient in gradients):
                return heat
    name = type(detector.student).__name__
    raise SettingsError(f"Grad-CAM: no layer of student {name} gives out one of its maps; leave gradcam out.")


@torch.no_grad()
def map_layers(student: Student, images: Tensor) -> list[Layer]:
    """Return the layers that output the student's maps, the deepest first.

    Convolutional maps are found directly; those of transformers as tokens, without the leading ones (class, registers).
    """
    outputs: list[tuple[nn.Module, Tensor]] = []

    def record(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.append((module, output))

    handles = [module.register_forward_hook(record) for module in student.modules() if module is not student]
    try:
        maps = student(images).maps
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for each in reversed(maps):
        for module, output in reversed(outputs):  # the last is the outermost layer with this output
            if output.shape == each.shape and torch.equal(output, each):
                found.append(Layer(module, None))
                break
            reshape = _tokens_to_map(each)
            if output.ndim == 3 and _fits(output, each) and torch.equal(reshape(output), each):
                found.append(Layer(module, reshape))
                break
    return found


def _fits(tokens: Tensor, features: Tensor) -> bool:
    return tokens.shape[2] == features.shape[1] and tokens.shape[1] >= features.shape[2] * features.shape[3]


def _tokens_to_map(like: Tensor) -> Callable[[Tensor], Tensor]:
    height, width = like.shape[2], like.shape[3]

    def reshape(tokens: Tensor) -> Tensor:
        places = tokens[:, tokens.shape[1] - height * width :]
        return places.transpose(1, 2).reshape(len(tokens), -1, height, width)

    return reshape
