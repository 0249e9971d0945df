"""Varies a batch of images on its device: mirror, shift, zoom and light."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.networks.inputs import on_device


def vary_lightly(images: Tensor) -> Tensor:
    """Vary a batch on its device: mirror, shift, zoom in a little, change brightness, contrast and saturation lightly.

    Random numbers come from torch's global CPU generator, one row per image, so that the same seed varies an image in
    the same way on every device and with gradient accumulation.

    Args:
        images: float [B, 3, H, W], RGB in [0, 1].

    Returns:
        float [B, 3, H, W] in [0, 1].
    """
    if not len(images):
        return images
    noise = on_device(torch.rand(len(images), 8), images)
    return _jitter(_move(images, noise[:, :5]), noise[:, 5:] * 2 - 1)


def _move(images: Tensor, noise: Tensor, *, reach: float = 0.06, zoom: float = 0.12) -> Tensor:
    """Mirror, shift by up to `reach` of the side and zoom in by up to `zoom`, with reflected borders."""
    flip = 1 - 2 * (noise[:, 0] < 0.5).to(images.dtype)
    zoomed = noise[:, 1] < 0.25
    scale = torch.where(zoomed, 1 - zoom * 4 * noise[:, 1], torch.ones_like(flip))
    shifts = []
    for side, drawn in zip((images.shape[-1], images.shape[-2]), noise[:, 2:4].unbind(1), strict=True):
        pixels = (drawn * 2 - 1) * reach * side
        shifts.append(torch.where(zoomed, pixels, pixels.round()) * 2 / side)
    theta = torch.zeros(len(images), 2, 3, dtype=images.dtype, device=images.device)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale * flip, scale, torch.stack(shifts, dim=1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _jitter(images: Tensor, noise: Tensor, *, strength: float = 0.15) -> Tensor:
    """Scale brightness, contrast and saturation by up to `strength`; `noise` [B, 3] in [-1, 1]."""
    brightness, contrast, saturation = (1 + strength * noise).view(-1, 3, 1, 1, 1).unbind(1)
    images = images * brightness
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * contrast + mean
    red, green, blue = images.unsqueeze(2).unbind(1)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue  # luma of ITU-R BT.601
    return ((images - grey) * saturation + grey).clamp(0, 1)
