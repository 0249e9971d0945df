"""Perturbing a part of each batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from padkit.errors import SettingsError
from padkit.roles import Batch


def check_attacked_share(share: float) -> float:
    """Return an aligner's setting `attacked_share`.

    Raises:
        SettingsError: It does not lie in (0, 1].
    """
    if not 0 < share <= 1:
        raise SettingsError(f"aligner.attacked_share {share} must lie in (0, 1].")
    return share


def perturb_share(batch: Batch, share: float, perturb: Callable[[Batch], Tensor]) -> Tensor:
    """Return the batch's images [B, 3, H, W], exactly round(share x B) of them replaced by their perturbed copies.

    Which ones, a permutation chooses anew for each batch. The mean loss over the result is in expectation
    (1 - share) loss(images) + share loss(perturbed), at the price of one pass of the student instead of two; as the
    number is fixed, sizes are known without waiting for the device, and the mixture does not vary from step to step.

    Args:
        batch: The batch.
        share: In (0, 1]; 1 perturbs every image and draws no random number.
        perturb: Returns the perturbed images of a batch.
    """
    if share == 1:
        return perturb(batch)
    count = round(share * len(batch.images))
    if count == 0:
        return batch.images.clone()
    chosen = torch.randperm(len(batch.images), device=batch.images.device)[:count]
    rows = {name: getattr(batch, name).index_select(0, chosen) for name in ("images", "labels", "domains")}
    images = batch.images.clone()  # out of place, `index_copy` would lose the memory format
    return images.index_copy_(0, chosen, perturb(replace(batch, **rows)))
