"""Optimisers by name, the learning rate schedule, and the moving average of the weights that is shipped."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from padkit.networks.detector import Detector

_Tensors = tuple[Tensor, ...] | list[Tensor]


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return AdamW (`adamw`), or SGD with Nesterov momentum 0.9 (`sgd`)."""
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(parameters, lr=lr, weight_decay=weight_decay, momentum=0.9, nesterov=True)


def warm_up_cosine(optimizer: torch.optim.Optimizer, total: int, warmup: float) -> LambdaLR:
    """Return a schedule: linear warm-up over the share `warmup` of `total` steps, then a cosine to zero."""
    start = warmup * total

    def share(step: int) -> float:
        if step < start:
            return (step + 1) / (start + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - start) / max(total - start, 1), 1)))

    return LambdaLR(optimizer, share)


def averaged(detector: Detector, decay: float) -> AveragedModel:
    """Return a moving average of `detector`; call `update_parameters(detector)` after each step to update it.

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
