"""A teacher that was never trained: random features are a known baseline of distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from padkit.errors import SettingsError
from padkit.roles import Features, Teacher
from padkit.settings.ranges import Channels, Seed


class ConvolutionBank(Teacher):
    """Two layers of random convolutions, the same for the same seed.

    Args:
        channels: Channels of the deeper map and length of the embedding.
        seed: Draws the filters.
    """

    def __init__(self, *, channels: Channels = 16, seed: Seed = 0) -> None:
        super().__init__()
        if channels < 1:
            raise SettingsError(f"example-teacher: channels {channels} must be at least 1.")
        generator = torch.Generator().manual_seed(seed)
        self.shallow = nn.Conv2d(3, channels, 5, stride=4, padding=2)
        self.deep = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)

    def extract(self, inputs: Tensor) -> Features:
        """Return two maps, [B, channels, H / 4, W / 4] and [B, channels, H / 8, W / 8], and the mean of the second."""
        shallow = self.shallow(inputs).relu()
        deep = self.deep(shallow).relu()
        return Features((shallow, deep), deep.mean(dim=(2, 3)))
