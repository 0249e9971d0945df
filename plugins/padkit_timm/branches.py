"""Residual branches that are on from the first step."""

from __future__ import annotations

import torch
from torch import nn

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
# What timm calls the factors that scale a whole branch: layer scale (CaiT, ConvNeXt, DeiT III, BEiT, EdgeNeXt) and the
# gains of networks without normalisation (NFNet).
SCALES = frozenset({"gamma", "gamma_1", "gamma_2", "gamma_xca", "gamma1", "gamma2", "scale", "gain", "skipinit_gain"})
OFF = 0.01  # a factor below it hides its branch


@torch.no_grad()
def wake(net: nn.Module) -> list[str]:
    """Set every factor that switches a residual branch off to 1, in place, and return their names.

    y = x + gamma * f(x): timm starts the last gamma of a branch at 0 (`zero_init_last`; ResNet, RegNet, LeViT; Goyal et
    al., arXiv 1706.02677, section 5.1) or its layer scale at 1e-6 to 1e-5 (ConvNeXt, DeiT III, BEiT v2; Touvron et al.,
    arXiv 2103.17239). That helps the 100 thousand steps of ImageNet. In the few hundred steps that a detector is
    trained from scratch gamma hardly moves, df/dw is proportional to it, and the network stays its stem and shortcuts.

    This goes by what the parameters are, not by flags of families: the affine weight of a normalisation, or a
    parameter that timm uses as the scale of a branch, whose values are all below 0.01. It draws no random number, so
    all other weights start as timm draws them. Additive parameters that start at 0 (biases, position biases) and
    ConvNeXt V2's response normalisation, x + 0 * f(x) inside a branch that is on, stay.
    """
    woken = []
    for place, module in net.named_modules():
        own = dict(module.named_parameters(recurse=False))
        names = {"weight"} if isinstance(module, NORMS) else SCALES
        for name in sorted(names & own.keys()):
            if bool((own[name].abs() < OFF).all()):
                own[name].fill_(1.0)
                woken.append(f"{place}.{name}")
    return woken
