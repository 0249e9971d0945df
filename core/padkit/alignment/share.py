"""Perturbing a part of each batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from padkit.roles import Batch


def perturb_share(batch: Batch, share: float, perturb: Callable[[Batch], Tensor]) -> Tensor:
    """Return the batch's images [B, 3, H, W], each replaced by its perturbed copy with probability `share`.

    The expected mean loss over the result is (1 - share) loss(images) + share loss(perturbed), and it needs one pass of
    the student instead of two.

    Args:
        batch: The batch.
        share: In (0, 1]; 1 perturbs every image and draws no random number.
        perturb: Returns the perturbed images of a batch.
    """
    if share == 1:
        return perturb(batch)
    chosen = torch.rand(len(batch.images), device=batch.images.device) < share
    images = batch.images.clone()
    if chosen.any():
        rows = {name: getattr(batch, name)[chosen] for name in ("images", "labels", "domains")}
        images[chosen] = perturb(replace(batch, **rows))
    return images
