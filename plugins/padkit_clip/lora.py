"""LoRA: fine-tuning by a low-rank addition to each weight matrix (Hu et al., ICLR 2022, arXiv 2106.09685)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """W -> W + alpha / rank * B A, with A [rank, inputs] random and B [outputs, rank] initially zero.

    Args:
        weight: The matrix W [outputs, inputs].
        rank: Rank of the addition.
        alpha: Its scale, divided by the rank.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.a = nn.Parameter(torch.empty(rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.a, math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the matrix that the layer uses."""
        return weight + self.scale * (self.b @ self.a)


def add_lora(network: nn.Module, rank: int, alpha: float) -> int:
    """Freeze `network` and give each of its linear layers a trainable `LowRank` addition; return their number.

    These are the projections of attention and of the MLPs. The matrix of query, key and value, one parameter in torch's
    attention, gets one addition. Nothing is merged: a state dict holds the frozen matrices and the additions, under the
    names of `torch.nn.utils.parametrize`, and loads into a network prepared with the same rank.
    """
    network.requires_grad_(requires_grad=False)
    matrices = [
        (module, name)
        for module in network.modules()
        for name, kind in (("weight", nn.Linear), ("in_proj_weight", nn.Module))
        if isinstance(module, kind) and isinstance(getattr(module, name, None), nn.Parameter)
    ]
    for module, name in matrices:
        parametrize.register_parametrization(module, name, LowRank(getattr(module, name), rank, alpha))
    return len(matrices)
