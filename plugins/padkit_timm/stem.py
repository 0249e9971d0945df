"""Stems for small images: less subsampling before the first stage, with the same weights."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from padkit.errors import SettingsError

STEMS = ("conv1", "maxpool", "conv_stem", "stem")  # what timm calls the layers before the first stage


def shrink(net: Any, stride: int, who: str) -> int:
    """Lower the stride of a convolutional network's stem to `stride`, in place; return by what factor.

    A ResNet's stem has stride 4: a convolution of stride 2 and a max-pooling of stride 2. With 2 the pooling goes, with
    1 the convolution has stride 1 as well: the stem for small images of He et al. (arXiv 1512.03385, section 4.2,
    CIFAR-10), with the 7x7 kernel kept. EfficientNet and MobileNet have 2 and take 1; ConvNeXt's patches of 4x4 pixels
    have 4 and may overlap, 2. No parameter changes its shape, so weights fit as before; every map is larger by the
    factor, and computing takes its square.

    Args:
        net: A timm model.
        stride: Input pixels per cell after the stem, a power of 2.
        who: What an error calls the option.

    Raises:
        SettingsError: The network has no such stem, or cannot have this stride.
    """
    layers = [
        (name, module)
        for name, module in net.named_modules()
        if name.partition(".")[0] in STEMS and _stride(module) > 1
    ]
    own = math.prod(_stride(module) for _, module in layers)
    possible = [own]
    while layers and possible[-1] > stride:
        name, module = layers[-1]
        if not _halve(net, name, module):
            break
        possible.append(possible[-1] // 2)
        if _stride(module) == 1 or not isinstance(module, nn.Conv2d):
            layers.pop()
    if possible[-1] != stride:
        shown = " or ".join(map(str, possible)) if own > 1 else "none that can be changed"
        raise SettingsError(f"{who} {stride}: the stem of this model has {shown}; choose it or leave the option out.")
    return own // stride


def _stride(module: nn.Module) -> int:
    stride = getattr(module, "stride", 1)
    return int(stride[0] if isinstance(stride, tuple) else stride)


def _halve(net: Any, name: str, module: nn.Module) -> bool:
    """Halve the stride of one layer and keep its maps centred; False where it cannot be."""
    if not isinstance(module, nn.Conv2d):
        net.set_submodule(name, nn.Identity())
        return True
    kernel, stride = module.kernel_size[0], _stride(module) // 2
    if (kernel - stride) % 2:  # padding on both sides alike would not give size / stride cells
        return False
    module.stride = (stride, stride)
    if kernel % 2 == 0:  # patches side by side become patches that overlap
        module.padding = ((kernel - stride) // 2,) * 2
    return True
