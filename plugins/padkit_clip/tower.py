"""The image tower of an open_clip model of any kind: maps of some of its levels and its embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from padkit.networks.feature_maps import pick, spread_levels
from padkit.roles import StudentFeatures

RESNET_STRIDES = (4, 4, 8, 16, 32)  # the stem and four stages


class Tower(nn.Module):
    """A vision transformer's token grids, or a ResNet's or a timm model's maps, and the embedding CLIP compares.

    Args:
        visual: open_clip's image tower.
        maps: The levels to return (blocks or stages), numbered from 1, the shallowest; by default four: the last of
            each stride, or evenly spaced blocks.

    Raises:
        SettingsError: `maps` names levels that do not exist.
    """

    def __init__(self, visual: Any, maps: Sequence[int] | None = None) -> None:
        super().__init__()
        self.visual = visual
        levels = reductions(visual)
        self.indices = spread_levels(levels) if maps is None else pick(maps, len(levels), "clip")
        # A ResNet of open_clip stops after the last requested level, before its embedding.
        self._asked = sorted({*self.indices, len(levels) - 1})

    def forward(self, inputs: Tensor) -> StudentFeatures:
        """Return maps and embedding of standardised `inputs` [B, 3, size, size]."""
        found = self.visual.forward_intermediates(inputs, indices=self._asked, output_fmt="NCHW")
        maps = dict(zip(self._asked, found["image_intermediates"], strict=True))
        return StudentFeatures(tuple(maps[index] for index in self.indices), found["image_features"])


def reductions(visual: Any) -> list[int]:
    """Return the input pixels per cell of each level of a tower."""
    if hasattr(visual, "trunk"):
        info = visual.trunk.feature_info
        return [level["reduction"] for level in (info if isinstance(info, list) else info.info)]
    if hasattr(visual, "layer4"):
        return list(RESNET_STRIDES)
    return [int(visual.patch_size[0])] * len(visual.transformer.resblocks)
