"""Optimisers by name, learning rates of parts and their course, and the averaged weights that are shipped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from padkit.errors import SettingsError
from padkit.networks.detector import Detector

_Tensors = tuple[Tensor, ...] | list[Tensor]


class ParameterGroup(TypedDict):
    """Parameters that share a peak learning rate, as torch's optimisers take them."""

    params: list[nn.Parameter]
    lr: float


def parameter_groups(module: nn.Module, lr: float, scales: Mapping[str, float]) -> list[ParameterGroup]:
    """Group the parameters of `module` by their learning rate.

    A parameter belongs to the longest name in `scales` that it lies under; its rate is `lr` times that factor. What
    lies under none, such as the student, has `lr` itself and comes first, so that a schedule reports it. Parts of one
    factor share a group; parameters keep the module's order within it.

    Args:
        module: The objective.
        lr: The peak learning rate.
        scales: Factor on `lr`, at least 0, by the name of a submodule, for example `detector.head`. A name that the
            module does not have (no teachers, no aligner) is passed over.

    Raises:
        SettingsError: A factor is negative or no number.
    """
    for name, scale in scales.items():
        if not 0 <= scale < math.inf:
            raise SettingsError(f"the factor on the learning rate of {name} is {scale}; give 0 or more.")
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in module.named_parameters():
        owner = max((part for part in scales if name.startswith(f"{part}.")), key=len, default=None)
        groups.setdefault(1.0 if owner is None else float(scales[owner]), []).append(parameter)
    return [{"params": found, "lr": lr * scale} for scale, found in groups.items() if found]


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter] | Iterable[ParameterGroup], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return AdamW (`adamw`), or SGD with Nesterov momentum 0.9 (`sgd`)."""
    given: Iterable[Any] = list(parameters)
    if name == "adamw":
        return torch.optim.AdamW(given, lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(given, lr=lr, weight_decay=weight_decay, momentum=0.9, nesterov=True)


def warm_up_cosine(optimizer: torch.optim.Optimizer, total: int, warmup: float) -> LambdaLR:
    """Return a schedule of a linear warm-up over the share `warmup` of `total` steps and a cosine to zero after it.

    It multiplies the peak learning rate of every group by the same share.
    """
    start = warmup * total

    def share(step: int) -> float:
        if step < start:
            return (step + 1) / (start + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - start) / max(total - start, 1), 1)))

    return LambdaLR(optimizer, share)


def realign(optimizer: torch.optim.Optimizer, schedule: Any) -> None:
    """Set the learning rates to those of `schedule` at its step: a restored run may have more steps to go than before.

    Args:
        optimizer: The optimiser, prepared by Accelerate or not.
        schedule: What `warm_up_cosine` returned, likewise.
    """
    inner: LambdaLR = getattr(schedule, "scheduler", schedule)
    rates = [base * share(inner.last_epoch) for base, share in zip(inner.base_lrs, inner.lr_lambdas, strict=True)]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    inner._last_lr = rates  # what `get_last_lr` reports


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
