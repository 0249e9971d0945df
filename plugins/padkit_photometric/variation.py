"""Varies light, colour and quality of a batch of images on its device.

What one multiplication does (gamma, exposure, cast, contrast) is done for the whole batch with a number of its own for
each image, which torchvision's functions do not take. Blur, resampling, cut-out and the loss of colour are
torchvision's, on the images drawn for them; JPEG is Pillow's, because torchvision's codec is to be removed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from padkit_photometric.reach import Reach

# Code values grow with about this root of the light, so a stop is a factor 2^(1/2.2) in them.
DISPLAY_GAMMA = 2.2
SHORTEST_CUT = 0.3  # of the longest
SEEDS = 2**24  # values that float32 tells apart in [0, 1)


def vary_photometrically(images: Tensor, reach: Reach) -> Tensor:
    """Vary a batch on its device: light and colour of all images, quality of some.

    Random numbers come from torch's global CPU generator, one row per image, so that the same seed varies an image in
    the same way on every device and with gradient accumulation.

    Args:
        images: float [B, 3, H, W], RGB in [0, 1].
        reach: How far.

    Returns:
        float [B, 3, H, W] in [0, 1].
    """
    if not len(images):
        return images
    drawn = torch.rand(len(images), 25)
    images = _lit(images, drawn[:, :6], reach)
    images = _greyed(images, drawn[:, 6] < reach.grey)
    quality: tuple[tuple[bool, Callable[[Tensor, list[float], Reach], Tensor]], ...] = (
        (reach.blur > 0, _blurred), (reach.noise > 0, _noisy), (reach.resampling > 1, _resampled),
        (reach.jpeg < 100, _compressed), (reach.cutout > 0, _covered),
    )  # fmt: skip
    touched = drawn[:, 7:12] < reach.share
    extra = drawn[:, 12:]
    changed: dict[int, Tensor] = {}
    for place, (wanted, change) in enumerate(quality):
        for row in torch.nonzero(touched[:, place]).flatten().tolist() if wanted else ():
            own = extra[row, 2 * place : 2 * place + 5].tolist()  # two numbers each, and five for the last
            changed[row] = change(changed.get(row, images[row]), own, reach)
    if changed:
        rows = list(changed)
        images = images.index_copy(
            0, torch.tensor(rows, device=images.device), torch.stack(list(changed.values())).to(images.dtype)
        )
    return images.clamp(0, 1)


def _lit(images: Tensor, drawn: Tensor, reach: Reach) -> Tensor:
    """Change gamma, exposure, colour cast and contrast of every image; `drawn` [B, 6] in [0, 1)."""
    noise = (drawn * 2 - 1).to(device=images.device, dtype=images.dtype)
    gamma = torch.exp(reach.gamma * noise[:, 0]).view(-1, 1, 1, 1)
    brighter = torch.exp2(reach.exposure * noise[:, 1] / DISPLAY_GAMMA).view(-1, 1)
    gains = torch.exp(reach.cast * noise[:, 2:5])
    gains = (brighter * gains / gains.mean(1, keepdim=True)).view(-1, 3, 1, 1)
    contrast = torch.exp(reach.contrast * noise[:, 5]).view(-1, 1, 1, 1)
    if reach.gamma:
        images = images**gamma
    if reach.exposure or reach.cast:
        images = (images * gains).clamp(0, 1)  # what a sensor clips is lost to the contrast
    if reach.contrast:
        mean = images.mean((1, 2, 3), keepdim=True)
        images = ((images - mean) * contrast + mean).clamp(0, 1)
    return images


def _greyed(images: Tensor, rows: Tensor) -> Tensor:
    if not rows.any():
        return images
    return torch.where(rows.to(images.device).view(-1, 1, 1, 1), F.rgb_to_grayscale(images, 3), images)


def _blurred(image: Tensor, drawn: list[float], reach: Reach) -> Tensor:
    deviation = max(reach.blur * drawn[0], 0.05)
    # Reflection at the border reaches no further than the image.
    half = min(math.ceil(3 * deviation), min(image.shape[-2:]) - 1)
    blurred: Tensor = F.gaussian_blur(image, 2 * half + 1, deviation)
    return blurred


def _noisy(image: Tensor, drawn: list[float], reach: Reach) -> Tensor:
    own = torch.Generator().manual_seed(int(drawn[1] * SEEDS))
    noise = torch.randn(image.shape, generator=own).to(device=image.device, dtype=image.dtype)
    return (image + reach.noise * drawn[0] * noise).clamp(0, 1)


def _resampled(image: Tensor, drawn: list[float], reach: Reach) -> Tensor:
    """Shrink with antialiasing and enlarge again: bilinear in half of the cases, bicubic in the others."""
    height, width = image.shape[-2:]
    factor = reach.resampling ** drawn[0]
    enlarging = InterpolationMode.BILINEAR if drawn[1] < 0.5 else InterpolationMode.BICUBIC
    small = F.resize(image, [max(round(height / factor), 1), max(round(width / factor), 1)], antialias=True)
    enlarged: Tensor = F.resize(small, [height, width], interpolation=enlarging, antialias=False)
    return enlarged.clamp(0, 1)


def _compressed(image: Tensor, drawn: list[float], reach: Reach) -> Tensor:
    quality = round(reach.jpeg + (100 - reach.jpeg) * drawn[0])
    pixels = (image * 255).round().to(device="cpu", dtype=torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    decoded = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
    return decoded.to(device=image.device, dtype=image.dtype) / 255


def _covered(image: Tensor, drawn: list[float], reach: Reach) -> Tensor:
    """Cover a rectangle with one grey."""
    height, width = image.shape[-2:]
    longest = reach.cutout * (SHORTEST_CUT + (1 - SHORTEST_CUT) * torch.tensor(drawn[:2]))
    down, across = max(round(height * float(longest[0])), 1), max(round(width * float(longest[1])), 1)
    top, left = int(drawn[2] * (height - down + 1)), int(drawn[3] * (width - across + 1))
    grey = image.new_full((1, 1, 1), drawn[4])
    covered: Tensor = F.erase(image, top, left, down, across, grey)
    return covered
