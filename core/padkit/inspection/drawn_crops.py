"""Crops that are drawn, encoded as tables hold them: what speed is measured with where no prepared table is at hand."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from padkit.data.media.pictures import encode_png

DOMAINS = 3
GRAIN = 3.0  # standard deviation of the noise, in grey levels: PNG files then are about as long as those of faces


class DrawnTable:
    """Stands for a `padkit.data.table.frames.FrameTable` of smooth pictures with a camera's grain.

    Args:
        count: Crops.
        size: Their side in pixels.
        seed: Of their content.
    """

    def __init__(self, count: int, size: int, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._encoded = [encode_png(_drawn(size, generator)) for _ in range(count)]
        rows = np.arange(count)
        self.label: NDArray[np.int64] = rows % 2
        self.domain_index: NDArray[np.int64] = rows // 2 % DOMAINS

    def __len__(self) -> int:
        return len(self._encoded)

    def column(self, name: str) -> NDArray[Any]:
        """Return the column `label`, the only one that training reads."""
        return {"label": self.label}[name]

    def encoded(self, row: int) -> bytes:
        """Return the crop in `row` as a PNG file."""
        return self._encoded[row]

    def image(self, row: int) -> NDArray[np.uint8]:
        """Return the crop in `row`: uint8 RGB [3, H, W]."""
        with Image.open(io.BytesIO(self._encoded[row])) as image:
            return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


def _drawn(size: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32)
    grain = generator.normal(0, GRAIN, smooth.shape)
    return (smooth + grain).clip(0, 255).astype(np.uint8)
