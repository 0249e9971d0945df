"""What may be done to an image: pixels moved, and its style (colour, contrast, spectrum), each within a bound.

Domains are told by what a camera and a room do to every image: noise and sharpness (the amplitude spectrum), white
balance and exposure (the channels' offsets), tone (their contrast). A change of single pixels that is too small to see
removes none of these; a change of the style does, and is as hard to see, for nothing moves within the image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.errors import SettingsError

BANDS = 8
Parameters = Mapping[str, Tensor]
Axes = Literal["rgb", "opponent"]
# Brightness, red against blue, green against both: orthonormal, so that lengths and distances are those of RGB.
_OPPONENT = ((1 / 3**0.5,) * 3, (1 / 2**0.5, 0.0, -1 / 2**0.5), (1 / 6**0.5, -2 / 6**0.5, 1 / 6**0.5))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far each parameter of a perturbation may go from 0, where it changes nothing; 0 leaves the parameter out.

    Attributes:
        epsilon: Pixels: what is added to each value, images being in [0, 1].
        colour: What is added to a whole channel.
        contrast: Natural logarithm of the factor on a channel's deviation from its mean.
        spectrum: Natural logarithm of the factor on a channel's amplitudes in a band of frequencies. The bands, `BANDS`
            overlapping ones, an octave or less each, share all frequencies but 0.
        grid: Side of the grid that the pixels' part is drawn on, then resized to the image; None is the image's own.
            A coarse grid is a low-frequency perturbation; one of a teacher's input size survives the teacher's resize.
        axes: What "channel" means above, but for the pixels' part: `rgb`, or `opponent`, brightness and two differences
            of colours. Only there can noise and saturation of the colours be changed beside sharpness of the picture,
            which is what tells cameras apart.

    Raises:
        SettingsError: A bound is out of range, or nothing is left to perturb.
    """

    epsilon: float
    colour: float = 0.0
    contrast: float = 0.0
    spectrum: float = 0.0
    grid: int | None = None
    axes: Axes = "rgb"

    def __post_init__(self) -> None:
        for name in ("epsilon", "colour"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise SettingsError(f"aligner.{name} {value} must lie in [0, 1], as images do; 4/255 is usual.")
        for name in ("contrast", "spectrum"):
            if not 0 <= (value := getattr(self, name)) <= 2:
                raise SettingsError(f"aligner.{name} {value} is the logarithm of a factor and must lie in [0, 2].")
        if self.grid is not None and self.grid < 1:
            raise SettingsError(f"aligner.grid {self.grid} must be at least 1; leave it out for the image's own.")
        if not self.limits():
            raise SettingsError("aligner.epsilon, colour, contrast and spectrum are all 0; use --aligner none.")

    def limits(self) -> dict[str, float]:
        """Return the bounds that are not 0, by name."""
        names = ("spectrum", "contrast", "colour", "epsilon")
        return {name: value for name in names if (value := float(getattr(self, name)))}

    def none(self, images: Tensor) -> dict[str, Tensor]:
        """Return the parameters that change nothing, for `images` [B, 3, H, W]."""
        number, channels, height, width = images.shape
        size = (height, width) if self.grid is None else (self.grid, self.grid)
        shapes = {"spectrum": (BANDS,), "contrast": (1, 1), "colour": (1, 1), "epsilon": size}
        return {name: _like(images, images.new_zeros(number, channels, *shapes[name])) for name in self.limits()}

    def drawn(self, images: Tensor, kind: Literal["uniform", "sign"]) -> dict[str, Tensor]:
        """Return random parameters: uniform within the bounds, or each at plus or minus its bound."""
        found = {}
        for name, nothing in self.none(images).items():
            noise = torch.empty_like(nothing, memory_format=torch.contiguous_format).uniform_(-1, 1)
            found[name] = _like(nothing, self.limits()[name] * (noise if kind == "uniform" else noise.sign()))
        return found


def _like(images: Tensor, parameters: Tensor) -> Tensor:
    """Return `parameters` laid out as `images` are: operations on mixed layouts take three times as long."""
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    return parameters.contiguous(memory_format=torch.channels_last) if last else parameters


def apply(images: Tensor, parameters: Parameters, axes: Axes = "rgb") -> Tensor:
    """Return `images` [B, 3, H, W] perturbed, in [0, 1]: spectrum, contrast and colour first, then the pixels.

    Differentiable in the parameters, whose names and shapes are those of `Bounds.none`; `axes` is that of `Bounds`.
    """
    with torch.autocast(images.device.type, enabled=False):  # half precision is coarser than the perturbation
        return _applied(images.float(), parameters, axes)


def _applied(images: Tensor, parameters: Parameters, axes: Axes) -> Tensor:
    styled = axes == "opponent" and any(name in parameters for name in ("spectrum", "contrast", "colour"))
    turn = _turn(images.device) if styled else images
    found = torch.einsum("kc,bchw->bkhw", turn, images) if styled else images
    if (gains := parameters.get("spectrum")) is not None:
        factors = torch.einsum("bcn,nhw->bchw", gains, bands(*images.shape[-2:], images.device)).exp()
        found = torch.fft.irfft2(torch.fft.rfft2(found.contiguous()) * factors, s=images.shape[-2:])
    if (contrast := parameters.get("contrast")) is not None:
        mean = found.mean(dim=(2, 3), keepdim=True)
        found = mean + (found - mean) * contrast.exp()
    if (colour := parameters.get("colour")) is not None:
        found = found + colour
    if styled:
        found = torch.einsum("kc,bkhw->bchw", turn, found)
    if (pixels := parameters.get("epsilon")) is not None:
        if pixels.shape[-2:] != images.shape[-2:]:
            pixels = F.interpolate(pixels, size=images.shape[-2:], mode="bilinear", align_corners=False)
        found = found + pixels
    return found.clamp(0, 1)


@lru_cache(maxsize=8)
def _turn(device: torch.device) -> Tensor:
    return torch.tensor(_OPPONENT, device=device)


@lru_cache(maxsize=8)
def bands(height: int, width: int, device: torch.device) -> Tensor:
    """Return [BANDS, height, width // 2 + 1], the share of each band in each frequency of `torch.fft.rfft2`.

    Hats over the logarithm of the radius, from the lowest frequency to the highest along an axis, which the last band
    keeps up to the corner. They sum to 1 everywhere but at frequency 0, the mean, where they are 0.
    """
    down = torch.fft.fftfreq(height, device=device)
    across = torch.fft.rfftfreq(width, device=device)
    radius = (down[:, None].square() + across.square()).sqrt() * 2  # 1 is the highest along an axis
    lowest = 2 / max(height, width)
    place = (radius.clamp(min=lowest).log() / -math.log(lowest) + 1).clamp(0, 1) * (BANDS - 1)
    shares: Tensor = (1 - (place - torch.arange(BANDS, device=device)[:, None, None]).abs()).clamp(min=0)
    shares[:, 0, 0] = 0
    return shares
