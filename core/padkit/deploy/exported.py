"""What is exported: a detector that takes uint8 crops, or a whole photograph and a face box, and gives P(bona fide)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from padkit.data.preparation.squares import FILTER_REACH
from padkit.deploy.bundle import CropPolicy
from padkit.errors import SettingsError
from padkit.networks.detector import Detector

CUBIC = -0.5  # Pillow's bicubic (Keys, 1981)
FIXED = 2.0**22  # Pillow's weights of 8-bit pictures are whole multiples of 1 / FIXED


class OfCrops(nn.Module):
    """Crops in, scores out; everything between, normalisation too, is in the graph."""

    def __init__(self, detector: Detector, temperature: float = 1.0) -> None:
        super().__init__()
        self.detector = detector
        self.temperature = temperature

    def forward(self, crops: Tensor) -> Tensor:
        """Return P(bona fide) [B], float32, of crops uint8 RGB [B, S, S, 3]."""
        # Without `contiguous` torch keeps the order of the crops in memory, and its exporter traces that as strides.
        return self.score(crops.permute(0, 3, 1, 2).contiguous().float() / 255)

    def score(self, images: Tensor) -> Tensor:
        """Return P(bona fide) [B] of images [B, 3, S, S], RGB in [0, 1]."""
        return self.detector.judge(images, self.temperature)[1]


class OfPhotograph(OfCrops):
    """A photograph and the box of a face in, one score out; the crop is cut in the graph, as in training.

    Args:
        detector: The detector.
        size: Side of its crops in pixels.
        crop: How they are cut.
        temperature: See `Bundle`.

    Raises:
        SettingsError: The crops are aligned by the eyes, which a box does not tell.
    """

    def __init__(self, detector: Detector, size: int, crop: CropPolicy, temperature: float = 1.0) -> None:
        super().__init__(detector, temperature)
        if crop.align:
            raise SettingsError(
                "a photograph and a box tell no eyes, and this model's crops are aligned by them; export crops."
            )
        self.size = size
        self.margin = crop.margin
        self.drop = crop.drop

    def forward(self, photograph: Tensor, box: Tensor) -> Tensor:  # type: ignore[override]
        """Return P(bona fide) [1], float32.

        Args:
            photograph: uint8 RGB [H, W, 3], upright.
            box: float32 [4], left, top, width and height of the face in its pixels.
        """
        crop = self.cut(photograph.float(), box)
        return self.score(crop.permute(2, 0, 1)[None].contiguous() / 255)

    def cut(self, photograph: Tensor, box: Tensor) -> Tensor:
        """Return the crop [S, S, 3], whole numbers in [0, 255], as `padkit.data.preparation.squares.cut` cuts it."""
        left, top, width, height = box.double().unbind()
        side = torch.maximum(width, height) * (1 + 2 * self.margin)
        across = self._weights(left + width / 2, side, photograph.shape[1])
        down = self._weights(top + height / 2 - self.drop * side, side, photograph.shape[0])
        # Pillow resizes across and then down, and rounds after each.
        narrow = _rounded(torch.einsum("sw,hwc->hsc", across, photograph.double()))
        return _rounded(torch.einsum("sh,hwc->swc", down, narrow)).float()

    def _weights(self, middle: Tensor, side: Tensor, length: int) -> Tensor:
        """Return the weights [S, length] of a line's pixels in each pixel of the crop, whole multiples of 1 / FIXED.

        Bicubic and antialiased. Pixels beyond the picture repeat its edge, so their weights belong to the edge's pixel.
        """
        # `cut` looks at no pixel further away than this, and counts from the first.
        reach = side / 2 + FILTER_REACH
        first, stop = (middle - reach).floor(), (middle + reach).ceil()
        # Pillow takes the ends of a line in single precision and computes in double precision.
        start, end = ((middle + sign * side / 2 - first).float() for sign in (-1, 1))
        scale = (end - start).double() / self.size
        centres = first + start.double() + (torch.arange(self.size, dtype=torch.float64) + 0.5) * scale
        pixels = torch.arange(-2 * length, 3 * length)
        weights = _cubic((pixels + 0.5 - centres[:, None]) / scale.clamp(min=1))
        weights = torch.where((pixels >= first) & (pixels < stop), weights, 0.0)
        weights = weights / weights.sum(dim=1, keepdim=True)
        weights = (weights.abs() * FIXED + 0.5).floor() * weights.sign()
        inside = weights[:, 2 * length : 3 * length]
        before = weights[:, : 2 * length].sum(dim=1, keepdim=True)
        after = weights[:, 3 * length :].sum(dim=1, keepdim=True)
        middle_part = inside[:, 1:-1]
        return torch.cat([inside[:, :1] + before, middle_part, inside[:, -1:] + after], dim=1)


def _rounded(sums: Tensor) -> Tensor:
    """Return whole grey values of sums of fixed-point weights times grey values; both are exact in double precision."""
    return (sums / FIXED + 0.5).floor().clamp(0, 255)


def _cubic(distance: Tensor) -> Tensor:
    x = distance.abs()
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * CUBIC - 4 * CUBIC
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
