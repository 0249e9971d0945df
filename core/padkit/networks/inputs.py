"""Prepares images as input of a network: resizes and standardises them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import SettingsError

HALF = (0.5, 0.5, 0.5)


def check_share(share: float, what: str) -> float:
    """Return the central share of an image's side that a network looks at, if it lies in (0, 1].

    Raises:
        SettingsError: It does not; `what` names it.
    """
    if not 0 < share <= 1:
        raise SettingsError(f"{what} {share} is a share of the image's side and must lie in (0, 1].")
    return share


def central(images: Tensor, share: float) -> Tensor:
    """Return the middle of images [B, 3, H, W]: `share` of each side, in whole pixels and at least one; 1 keeps all.

    On a feature map [B, C, h, w] it gives the cells that look at that part of the image.
    """
    if share == 1:
        return images
    height, width = images.shape[-2:]
    rows, columns = max(round(share * height), 1), max(round(share * width), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    return images[..., top : top + rows, left : left + columns]


def resize(images: Tensor, size: int | None) -> Tensor:
    """Resize images [B, 3, H, W] to `size` x `size` pixels; None keeps them."""
    if size is not None and images.shape[-2:] != (size, size):
        images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return images


def normalise(
    images: Tensor, size: int | None = None, mean: tuple[float, ...] = HALF, std: tuple[float, ...] = HALF
) -> Tensor:
    """Resize images [B, 3, H, W] in [0, 1] to `size` x `size` pixels (None: keep) and standardise each channel.

    The default maps [0, 1] to [-1, 1].
    """
    images = resize(images, size)
    if len(set(mean)) == len(set(std)) == 1:  # plain numbers: a tensor would be copied to the device each time
        return torch.rsub(images, -mean[0] / std[0], alpha=-1 / std[0])  # one pass in place of two
    return (images - images.new_tensor(mean).view(1, -1, 1, 1)) / images.new_tensor(std).view(1, -1, 1, 1)


class Standardise(nn.Module):
    """(x - mean) / std of each channel of images, with constants that lie on the device and in no state dict.

    Args:
        mean, std: One number per channel, of RGB in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return `images` [B, C, H, W], standardised."""
        return (images - self.mean) / self.std


def on_device(values: Tensor, like: Tensor) -> Tensor:
    """Return small `values` of the host on the device of `like`, in its precision, without waiting for the device."""
    if like.device.type == "cuda":
        values = values.pin_memory()
    return values.to(device=like.device, dtype=like.dtype, non_blocking=True)


def network_input(images: Tensor, size: int) -> Tensor:
    """Return uint8 images [B, 3, H, W] as networks take them: [B, 3, size, size], RGB in [-1, 1], channels last."""
    return normalise(images.float() / 255, size).contiguous(memory_format=torch.channels_last)
