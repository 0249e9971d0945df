"""Perturbs images with a run's aligner, as training does (DTDA's domain adversarial attack)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from padkit.alignment.fresh import TRIES, perturb_all
from padkit.errors import WeightsError
from padkit.runs.opened import Opener, OpenRun, Rows

Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbed:
    """Images before and after.

    Attributes:
        aligner: Its name.
        step: Training step of its weights; None if unknown or if it has no weights.
        clean: [n, H, W, 3], RGB in [0, 1].
        attacked: [n, H, W, 3], likewise.
    """

    aligner: str
    step: int | None
    clean: Pixels
    attacked: Pixels


def perturb(opener: Opener, opened: OpenRun, rows: Rows, seed: int) -> Perturbed:
    """Perturb clean held-out source frames as training perturbs its frames.

    If an aligner leaves a share of each batch unchanged, it is called repeatedly until every image was perturbed once.

    Args:
        opener: Builds the aligner.
        opened: The run.
        rows: Rows of source frames [n].
        seed: Of the random start.

    Raises:
        WeightsError: The run has no aligner, its weights were not kept, or it does not change images.
    """
    aligner, step = opener.aligner(opened)
    name = str(opened.run.settings["aligner"]["name"])
    batch = opened.batch(rows)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        attacked = perturb_all(aligner.perturb, batch, patience=TRIES)  # few images: none may be left out by bad luck
    if torch.equal(attacked, batch.images):
        cause = f"{opened.run.path}: aligner {name} leaves the images as they are"
        raise WeightsError(f"{cause}; give a run with daa, say.")
    return Perturbed(aligner=name, step=step, clean=_pixels(batch.images), attacked=_pixels(attacked))


def _pixels(images: torch.Tensor) -> Pixels:
    return images.permute(0, 2, 3, 1).contiguous().numpy().astype(np.float32)
