"""Networks that classify the domain: of images, and of features behind a gradient reversal layer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.networks.inputs import normalise


class DomainClassifier(nn.Module):
    """A small convolutional network from images [B, 3, H, W] in [0, 1] to domain logits [B, n_domains]."""

    def __init__(self, n_domains: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage in range(4):
            out = min(width * 2**stage, 4 * width)
            layers += [nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, n_domains)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return the domain logits of `images`."""
        logits: Tensor = self.layers(normalise(images))
        return logits

    def folded(self) -> FoldedClassifier:
        """Return what the network computes in evaluation mode, with its present weights, for gradients of images."""
        return FoldedClassifier(self.layers)


class FoldedClassifier:
    """A `DomainClassifier` in evaluation mode, frozen: each normalisation is folded into the convolution before it.

    An attack goes through it several times in each training step. Results are those of the network but for rounding.

    Args:
        layers: The network's.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
        self._kernels = [self._fold(*pair) for pair in zip(convolutions, norms, strict=True)]
        self._last = [parameter.detach() for parameter in layers[-1].parameters()]  # a linear layer's weight and bias

    @staticmethod
    def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
        kernel = convolution.weight.detach() * factor.view(-1, 1, 1, 1)
        return kernel, norm.bias.detach() - norm.running_mean * factor

    def __call__(self, images: Tensor) -> Tensor:
        """Return the domain logits of `images` [B, 3, H, W] in [0, 1]."""
        found = normalise(images)
        for kernel, bias in self._kernels:
            found = F.relu_(F.conv2d(found, kernel, bias, stride=2, padding=1))
        return F.linear(found.mean(dim=(2, 3)), *self._last)


def domain_discriminator(embedding_dim: int, hidden: int, dropout: float, n_domains: int) -> nn.Sequential:
    """Return SSDG's discriminator (Jia et al., CVPR 2020): linear -> ReLU -> dropout -> linear, features to logits."""
    return nn.Sequential(nn.Linear(embedding_dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_domains))


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, coefficient: float) -> Tensor:
        ctx.coefficient = coefficient
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.coefficient * gradients[0], None


def reverse_gradient(features: Tensor, coefficient: float) -> Tensor:
    """Return `features` unchanged; their gradient is multiplied by `-coefficient` (Ganin et al., JMLR 2016)."""
    reversed_: Tensor = _Reversal.apply(features, coefficient)
    return reversed_


def reversal_schedule(progress: float) -> float:
    """Return the reversal coefficient 2 / (1 + exp(-10 p)) - 1, in [0, 1), for progress p in [0, 1]."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


def domain_loss(logits: Tensor, domains: Tensor, counted: Tensor) -> Tensor:
    """Return the mean cross-entropy, float32, over the counted rows; 0 with zero gradients if there are none.

    Args:
        logits: [B, n_domains].
        domains: [B] int64.
        counted: [B], 1 for the rows that count and 0 for the others.
    """
    each = F.cross_entropy(logits.float(), domains, reduction="none")
    return (each * counted).sum() / counted.sum().clamp(min=1)
