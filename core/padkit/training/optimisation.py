"""Optimisers by name and the learning rate's course."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return AdamW (`adamw`), or SGD with Nesterov momentum 0.9 (`sgd`)."""
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(parameters, lr=lr, weight_decay=weight_decay, momentum=0.9, nesterov=True)


def warm_up_cosine(optimizer: torch.optim.Optimizer, total: int, warmup: float) -> LambdaLR:
    """Return a schedule of a linear warm-up over the share `warmup` of `total` steps and a cosine to zero after it."""
    start = warmup * total

    def share(step: int) -> float:
        if step < start:
            return (step + 1) / (start + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - start) / max(total - start, 1), 1)))

    return LambdaLR(optimizer, share)
