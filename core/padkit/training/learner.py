"""What learns: the objective with optimiser, schedule, loader and average, as Accelerate prepared them for a launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelerate import Accelerator

from padkit.training.compiling import compile_networks
from padkit.training.objective import Objective
from padkit.training.optimisation import MovingAverage, averaged, make_optimizer, parameter_groups, warm_up_cosine
from padkit.training.sharding import prepare_parts, share_out


@dataclass(frozen=True, slots=True)
class Learner:
    """What a training loop steps.

    Attributes:
        accelerator: The launch.
        objective: The objective, on its device.
        model: What is called for its losses: the objective, or what several processes have around it.
        optimizer: The optimiser.
        schedule: The course of its learning rates.
        loader: The loader of the training batches.
        average: The averaged detector, which is judged and shipped; it lies in the checkpoints.
    """

    accelerator: Accelerator
    objective: Objective
    model: Any
    optimizer: Any
    schedule: Any
    loader: Any
    average: MovingAverage


def make_learner(
    accelerator: Accelerator, objective: Objective, loader: Any, *, optimizer: str, lr: float,
    scales: Mapping[str, float], weight_decay: float, steps: int, warmup: float, ema: float, sync_batchnorm: bool,
    compiled: bool,
) -> Learner:  # fmt: skip
    """Move the objective to its device, make all that trains it, and prepare both for the launch.

    Args:
        accelerator: The launch.
        objective: The objective; its parameters may be other objects afterwards.
        loader: The loader of the training batches.
        optimizer: `adamw` or `sgd`.
        lr: Peak learning rate.
        scales: Factors on it by part, as `padkit.training.optimisation.parameter_groups` takes them.
        weight_decay: Weight decay.
        steps: Optimiser steps in all.
        warmup: Share of them to warm up in.
        ema: Decay of the average, in [0, 1).
        sync_batchnorm: As `padkit.training.sharding.share_out` takes it.
        compiled: Whether student and teachers are compiled.

    Raises:
        SettingsError: This machine or this launch does not do what is asked.
    """
    objective.to(accelerator.device)
    average = averaged(objective.detector, ema)
    share_out(accelerator, objective, sync_batchnorm=sync_batchnorm)
    groups, scaled = parameter_groups(objective, lr, scales), accelerator.scaler is not None
    made = make_optimizer(optimizer, groups, lr, weight_decay, scaled=scaled)
    schedule = warm_up_cosine(made, steps, warmup)
    model, prepared, course, loading = prepare_parts(accelerator, objective, made, schedule, loader)
    if compiled:
        compile_networks(objective)
    accelerator.register_for_checkpointing(average)
    return Learner(accelerator, objective, model, prepared, course, loading, average)
