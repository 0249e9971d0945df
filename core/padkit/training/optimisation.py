"""Optimisers by name, learning rates of parts and their course, and the averaged weights that are shipped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from padkit.errors import SettingsError
from padkit.networks.detector import Detector


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
    name: str, parameters: Iterable[nn.Parameter] | Iterable[ParameterGroup], lr: float, weight_decay: float,
    *, scaled: bool = False,
) -> torch.optim.Optimizer:  # fmt: skip
    """Return AdamW (`adamw`), or SGD with Nesterov momentum 0.9 (`sgd`), fused: one pass over each parameter.

    Args:
        name: Of the optimiser.
        parameters: What it trains, or groups of it.
        lr: The peak learning rate.
        weight_decay: Weight decay.
        scaled: Gradients are scaled for float16. A fused optimiser then leaves out a step that overflows by itself, and
            tells nobody: schedule and average would go on. So it is not fused.
    """
    given: Iterable[Any] = list(parameters)
    # Devices other than the CPU and CUDA may have none.
    fused = not scaled and (torch.accelerator.is_available() is False or torch.cuda.is_available())
    if name == "adamw":
        return torch.optim.AdamW(given, lr=lr, weight_decay=weight_decay, fused=fused)
    return torch.optim.SGD(given, lr=lr, weight_decay=weight_decay, momentum=0.9, nesterov=True, fused=fused)


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


def clip(accelerator: Accelerator, module: nn.Module, norm: float | None) -> None:
    """Shorten the gradient of all parameters together to the length `norm`, if it is longer; None leaves it.

    Called in every micro-step, it acts in the last one of an optimiser step, when the gradient is whole.
    """
    if norm is not None and accelerator.sync_gradients:
        accelerator.clip_grad_norm_(module.parameters(), norm)


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


def averaged(detector: Detector, decay: float) -> MovingAverage:
    """Return a moving average of `detector`; call `update_parameters(detector)` after each step to update it."""
    return MovingAverage(detector, decay)


class MovingAverage(AveragedModel):
    """An exponential moving average of a module's parameters and buffers, made in two passes over all tensors.

    The decay warms up as (1 + n) / (10 + n) over updates n, up to `decay` in [0, 1). torch's own update asks the
    device for n, twice at each step, and waits for it; here the host counts.

    Args:
        module: The module; the average is a copy of it.
        decay: The largest decay.

    Attributes:
        module: The average.
    """

    module: Detector

    def __init__(self, module: Detector, decay: float) -> None:
        super().__init__(module, use_buffers=True)
        self._decay = decay
        self._updates = 0
        self.register_load_state_dict_post_hook(_count_again)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take in the present state of `model`, which lies on the same device."""
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        others = [pair for pair in pairs if not pair[0].is_floating_point()]
        n = self._updates
        if n:
            share = 1 - min(self._decay, (1 + n) / (10 + n))
            torch._foreach_lerp_([kept for kept, _ in floats], [seen for _, seen in floats], share)
        copied = others if n else pairs
        if copied:
            torch._foreach_copy_([kept for kept, _ in copied], [seen for _, seen in copied])
        self.n_averaged += 1
        self._updates += 1


def _tensors(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]


def _count_again(average: MovingAverage, _keys: Any) -> None:
    average._updates = int(average.n_averaged)
