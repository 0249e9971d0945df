"""How far images are varied: the reach of every variation, and the presets. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from padkit.settings.ranges import LogFactor, Range, Share

Stops = Annotated[float, Range(0, 4)]
BlurPixels = Annotated[float, Range(0, 8)]
NoiseShare = Annotated[float, Range(0, 0.5)]
Shrinking = Annotated[float, Range(1, 8)]
Quality = Annotated[int, Range(1, 100)]
CutoutSide = Annotated[float, Range(0, 0.9)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far each variation goes at most; the defaults change nothing.

    Attributes:
        gamma: Natural logarithm of the largest exponent; the smallest is its reciprocal.
        exposure: Stops, up and down.
        contrast: Natural logarithm of the largest factor.
        cast: Natural logarithm of the largest gain of a colour channel.
        grey: Share of images that lose their colour.
        blur: Largest standard deviation in pixels.
        noise: Largest standard deviation as a share of the range from black to white.
        resampling: Largest factor that an image is shrunk by, before it is enlarged again.
        jpeg: Lowest quality; 100 leaves images alone.
        cutout: Longest side of the part that is covered, as a share of the image's.
        share: Share of images that blur, noise, resampling, JPEG and cut-out change, each drawn by itself.
    """

    gamma: LogFactor = 0.0
    exposure: Stops = 0.0
    contrast: LogFactor = 0.0
    cast: LogFactor = 0.0
    grey: Share = 0.0
    blur: BlurPixels = 0.0
    noise: NoiseShare = 0.0
    resampling: Shrinking = 1.0
    jpeg: Quality = 100
    cutout: CutoutSide = 0.0
    share: Share = 0.3


PRESETS = {
    "none": Reach(),
    "light": Reach(
        gamma=0.2, exposure=0.4, contrast=0.2, cast=0.08, grey=0.05,
        blur=0.7, noise=0.02, resampling=1.5, jpeg=60, cutout=0.2, share=0.15,
    ),
    "strong": Reach(
        gamma=0.6, exposure=1.2, contrast=0.5, cast=0.2, grey=0.2,
        blur=1.5, noise=0.06, resampling=2.5, jpeg=25, cutout=0.4, share=0.3,
    ),
}  # fmt: skip
