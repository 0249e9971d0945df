"""Features less their mean over images, in units of each channel's spread: what all images share is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

LEAST_SPREAD = 0.01  # of a channel, as a share of the root mean square of all; below, it is noise and stays small


@dataclass(slots=True)
class Moments:
    """Sums over images of features [B, C] or [B, C, h, w], in float64 on the CPU.

    Attributes:
        count: Images seen.
        total: Their sum [C, ...].
        squares: The sum of their squares [C, ...].
    """

    count: int = 0
    total: Tensor | None = None
    squares: Tensor | None = None

    def add(self, features: Tensor) -> Self:
        """Take in the images of a batch."""
        seen = features.detach().cpu().double()
        total, squares = seen.sum(0), seen.square().sum(0)
        self.total = total if self.total is None else self.total + total
        self.squares = squares if self.squares is None else self.squares + squares
        self.count += len(seen)
        return self

    @property
    def mean(self) -> Tensor:
        """Mean over images [C, ...]; the best constant in the sense of least squares."""
        assert self.total is not None
        return self.total / self.count

    @property
    def variance(self) -> Tensor:
        """Variance over images [C, ...]: what is left of the squared error when the mean is predicted."""
        assert self.squares is not None
        return (self.squares / self.count - self.mean.square()).clamp(min=0)


class Standardisation(nn.Module):
    """z = (t - m) / s for features t [B, C] or [B, C, h, w] of a teacher.

    m is the mean over images of each channel **at each position**: faces are cropped to the same place, so that the
    mean face, and the border that zero padding leaves, is a constant too. s is one number per channel, the root of the
    variance over images, averaged over positions; so strong and weak channels count alike, and strong and weak places
    within a channel keep their proportion. Where statistics and features are of the same images, the mean of z^2 is 1.

    Both are buffers, and so part of every checkpoint. Before `fit` it changes nothing.

    Args:
        shape: Shape of one image's features, [C] or [C, h, w].
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("spread", torch.ones(shape[0], *[1] * (len(shape) - 1)))

    def fit(self, moments: Moments) -> None:
        """Take mean and spread from the moments of some images."""
        variance = moments.variance.flatten(1).mean(1) if self.mean.dim() > 1 else moments.variance
        least = LEAST_SPREAD * variance.mean().sqrt()
        spread = variance.sqrt().clamp(min=max(float(least), 1e-6))
        self.mean.copy_(moments.mean)
        self.spread.copy_(spread.view_as(self.spread))

    def forward(self, features: Tensor) -> Tensor:
        """Return standardised `features` [B, ...], float32."""
        mean = self.mean[None]
        if mean.dim() > 3:  # laid out as convolutions leave the features; mixed layouts take three times as long
            mean = mean.contiguous(memory_format=torch.channels_last)
        return (features.float() - mean).div_(self.spread)
