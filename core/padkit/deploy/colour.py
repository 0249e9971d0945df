"""Takes a crop's colour cast, brightness and contrast away, to see whether a model judges by them. Imports no torch.

In code values v in [0, 1] of a crop with the channel means m_R, m_G, m_B:

1. **Grey world** (Buchsbaum, 1980): each channel is multiplied by (m_R + m_G + m_B) / (3 m_c), so that all channels get
   one mean. A channel whose mean is below `DARKEST` is taken for one with that mean.
2. **Level**: with mean m and standard deviation s over all pixels and channels, v becomes `MEAN + SPREAD (v - m) / s`.
   A deviation below `DARKEST` is taken for that.
3. Values are clipped to [0, 1] and rounded to 8 bits.

Nothing is linearised: what a network sees are code values. Texture, sharpness and the differences of colour within the
crop remain.
"""

from __future__ import annotations

import numpy as np

from padkit.data.media.pictures import Frame

MEAN, SPREAD = 0.449, 0.226  # of ImageNet's photographs, over its three channels
DARKEST = 1 / 255


def colour_normalised(crop: Frame) -> Frame:
    """Return a crop, uint8 RGB [H, W, 3], with its cast, brightness and contrast set to fixed values."""
    values = crop.astype(np.float32) / 255
    means = np.maximum(values.mean((0, 1)), DARKEST)
    values *= means.mean() / means
    spread = max(float(values.std()), DARKEST)
    levelled = MEAN + SPREAD * (values - values.mean()) / spread
    normalised: Frame = (levelled.clip(0, 1) * 255).round().astype(np.uint8)
    return normalised
