"""A network's twin that has learnt nothing: what a teacher tells beyond it comes from its training."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

Network = TypeVar("Network", bound=nn.Module)
NORMS = (_BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm)


def untrained(network: Network, seed: int) -> Network | None:
    """Return a copy of a network with random weights, or None where it has no parameters.

    Kernels and matrices are drawn from N(0, 2 / inputs) (He et al. 2015, eq. 10), their biases are 0, normalisations
    are as torch makes them. What belongs to no layer of torch (tokens, positions, scales) is drawn from the normal
    distribution of its own mean and standard deviation. Statistics of batch normalisations are those of a new layer
    until `calibrate` measures them.

    Args:
        network: Left as it is.
        seed: Of the draw; torch's global generator is not touched.
    """
    if not any(True for _ in network.parameters()):
        return None
    twin = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in twin.modules():
            if isinstance(module, NORMS):
                module.reset_parameters()
                continue
            for name, parameter in module.named_parameters(recurse=False):
                parameter.copy_(_drawn(module, name, parameter, generator))
    return twin


def _drawn(module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> Tensor:
    layer = isinstance(module, (_ConvNd, nn.Linear))
    if layer and name == "bias":
        return torch.zeros_like(parameter)
    noise = torch.randn(parameter.shape, generator=generator).to(parameter)
    if layer and name == "weight":
        return noise * math.sqrt(2 / parameter[0].numel())
    spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
    return noise * spread + float(parameter.mean())


@torch.no_grad()
def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of all batch normalisations to those of some images; other modules stay in evaluation mode.

    Args:
        network: Without batch normalisation nothing is computed.
        batches: Inputs of the network.
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return
    kept = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True  # None: the mean over all batches
    for images in batches:
        network(images)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum, norm.training = momentum, False
