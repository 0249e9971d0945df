"""A real face for face finders: the public-domain portrait of an astronaut that scikit-image ships (NASA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

# In the portrait: where the eyes are (seen with one's own), and a box from forehead to chin.
EYES = (75.0, 101.0, 119.0, 103.0)
BOX = (40.0, 60.0, 112.0, 120.0)
SIDE = 256


def portrait(scale: float = 1.0) -> NDArray[np.uint8]:
    """Return the head, uint8 RGB [256, 256, 3] times `scale`."""
    head = Image.fromarray(data.astronaut()[:SIDE, 128 : 128 + SIDE])
    return np.asarray(head.resize((round(SIDE * scale), round(SIDE * scale)), Image.Resampling.LANCZOS))
