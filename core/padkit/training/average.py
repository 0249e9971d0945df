"""Exponential moving average of the detector, the weights that are evaluated and shipped."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from padkit.networks.detector import Detector

_Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged(detector: Detector, decay: float) -> AveragedModel:
    """Return an average of `detector`; `update_parameters(detector)` after each step moves it.

    The decay warms up as (1 + n) / (10 + n) over updates n, up to `decay` in [0, 1); buffers are averaged too.
    """

    @torch.no_grad()
    def update(old: _Tensors, new: _Tensors, updates: Tensor | int) -> None:
        n = int(updates)
        share = 1 - min(decay, (1 + n) / (10 + n))
        for kept, seen in zip(old, new, strict=True):
            if kept.is_floating_point():
                kept.lerp_(seen, share)
            else:
                kept.copy_(seen)

    return AveragedModel(detector, multi_avg_fn=update, use_buffers=True)
