"""What distillation takes from the data besides batches: statistics before training, figures at each evaluation."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from padkit.data.batches import BalancedBatches, Frames, to_images
from padkit.networks.frozen import evaluation_mode
from padkit.runs.folder import DISTILLATION
from padkit.training.distillation import Explained, explained_by_constant
from padkit.training.experiment import Experiment
from padkit.training.objective import Objective
from padkit.training.standardisation import Moments

FITTED = 384  # training frames that the teachers' statistics are of
CHECKED = 128  # held-out frames that the figures are of


def fit_teachers(experiment: Experiment, objective: Objective, *, resumed: bool = False) -> None:
    """Set what the teachers' features are standardised by, and note the losses before training.

    The statistics are of the first few hundred frames of the balanced training batches, unvaried: the same in every
    process and every time the run is made. They are buffers of the objective, so that a resumed run has them from its
    checkpoint. Teachers with random weights are no part of a checkpoint: they are calibrated on the same frames each
    time. Call it before the first step.

    Args:
        experiment: Its training frames are looked at.
        objective: Holds teachers and distillers.
        resumed: Whether the objective comes from a checkpoint.
    """
    if objective.teachers.random:
        objective.teachers.calibrate(list(training_images(experiment)))
    if objective.distillers and not resumed:
        fit_statistics(objective, training_images(experiment))
        for name, found in explained(objective, _held_out_images(experiment)).items():
            objective.distiller(name).start.fill_(found.loss)


def teaching_figures(experiment: Experiment, objective: Objective) -> dict[str, float]:
    """Return, for each teacher, how its loss has fallen on held-out source frames, as a log names it.

    `distillation/NAME/start`, `/loss`, `/constant` and `/explained_by_constant`: the loss before training and now, the
    least that features can reach that are the same for every image, and the share of the fall that these explain (left
    out where nothing has fallen). All are of the same clean frames, with networks in evaluation mode.
    """
    if not objective.distillers:
        return {}
    figures: dict[str, float] = {}
    for name, found in explained(objective, _held_out_images(experiment)).items():
        start = objective.distiller(name).start.item()
        mine = {"start": start, "loss": found.loss, "constant": found.constant}
        share = explained_by_constant(start, found)
        mine |= {} if share is None else {"explained_by_constant": share}
        figures |= {f"{DISTILLATION}{name}/{figure}": value for figure, value in mine.items()}
    return figures


@torch.no_grad()
def fit_statistics(objective: Objective, batches: Iterable[Tensor]) -> None:
    """Set the statistics that the teachers' features are standardised by.

    Args:
        objective: Holds the distillers.
        batches: Clean source images [B, 3, H, W], RGB in [0, 1], on the objective's device.
    """
    found: defaultdict[str, defaultdict[int, Moments]] = defaultdict(lambda: defaultdict(Moments))
    with evaluation_mode(objective):
        for images in batches:
            for name, distiller, seen, given in objective.taught(images):
                for pair, (_, side) in enumerate(distiller.pairs(seen, given)):
                    found[name][pair].add(side)
    for name, moments in found.items():
        objective.distiller(name).fit(list(moments.values()))


@torch.no_grad()
def explained(objective: Objective, batches: Iterable[Tensor]) -> dict[str, Explained]:
    """Return, by teacher, the loss in evaluation mode and the least that a constant can reach.

    Args:
        objective: Holds the distillers.
        batches: Clean images [B, 3, H, W], RGB in [0, 1], on the objective's device.
    """
    found: defaultdict[str, defaultdict[int, Moments]] = defaultdict(lambda: defaultdict(Moments))
    sums: defaultdict[str, float] = defaultdict(float)
    count = 0
    with evaluation_mode(objective):
        for images in batches:
            count += len(images)
            for name, distiller, seen, given in objective.taught(images):
                sums[name] += distiller(seen, given).item() * len(images)
                for pair, (_, side) in enumerate(distiller.compared(seen, given)):
                    found[name][pair].add(side)
    return {
        name: Explained(total / count, objective.distiller(name).constant(list(found[name].values())))
        for name, total in sums.items()
    }


def training_images(experiment: Experiment) -> Iterator[Tensor]:
    """Yield the first few hundred frames of the balanced training batches, unvaried, [B, 3, H, W] in [0, 1]."""
    frames = experiment.frames(experiment.protocol.train)
    size = experiment.batch_size
    batches = BalancedBatches(frames.labels, frames.domains, batch_size=size, seed=experiment.seed)
    return _images(experiment, frames, itertools.islice(batches, -(-FITTED // size)))


def _held_out_images(experiment: Experiment) -> Iterator[Tensor]:
    """Draw frames from all of source-dev, mixed, so that a batch holds different presentations."""
    rows = experiment.protocol.dev
    order = np.random.default_rng(experiment.seed).permutation(len(rows))[:CHECKED]
    batches = (order[start : start + experiment.batch_size] for start in range(0, len(order), experiment.batch_size))
    return _images(experiment, experiment.frames(rows), batches)


def _images(experiment: Experiment, frames: Frames, batches: Iterable[Iterable[Any]]) -> Iterator[Tensor]:
    for batch in batches:
        pixels = torch.stack([frames[int(place)]["image"] for place in batch])
        yield to_images(pixels.to(experiment.accelerator.device))
