"""What glass and glossy paper mirror: the room, and windows in it."""

from __future__ import annotations

import numpy as np

from padkit_synthetic.imaging import Floats, between, enlarged, floats, log_between, smooth_noise
from padkit_synthetic.people.faces import Light

# Side of the picture in the mirror, which is out of focus, before it is enlarged.
MIRRORED = 64


def window_seen(across: Floats, down: Floats, rng: np.random.Generator) -> Floats:
    """Return how much of the window in the mirror each sample sees, in [0, 1].

    A window is a bright slanted rectangle, often with a cross of bars. The camera focuses on the surface and not on the
    mirrored window, so that its edges are soft.

    Args:
        across: Places in the mirror, -1..1 across the crop, any shape.
        down: The same downwards.
        rng: Source of randomness.
    """
    wide, tall = between(rng, (0.12, 0.5)), between(rng, (0.2, 0.7))
    at_x, at_y = between(rng, (-1.0, 1.0)), between(rng, (-1.0, 1.0))
    lean, edge, bars = between(rng, (-0.35, 0.35)), log_between(rng, (3.0, 16.0)), rng.random() < 0.6
    off_y = down - np.float32(at_y)
    off_x = across - np.float32(at_x) - np.float32(lean) * off_y
    off_x, off_y = np.abs(off_x), np.abs(off_y)
    seen = np.clip((wide - off_x) * edge, 0, 1) * np.clip((tall - off_y) * edge, 0, 1)
    if bars:
        seen = seen * (1 - 0.8 * np.clip(1 - np.minimum(off_x, off_y) * (4 * edge / 3), 0, 1))
    return floats(seen)


def mirrored(light: Light, share: float, window: float, size: int, rng: np.random.Generator) -> Floats:
    """Return what a screen's glass mirrors [1, 3, size, size]: the blurred room, and a window.

    Glass mirrors about 4 % of the light at each surface (Fresnel), coated glass less; it adds to whatever is shown.

    Args:
        light: Illumination of the room.
        share: Share of the light that the glass mirrors.
        window: Radiance of the window relative to a white sheet in the room; 0 is a room without one.
        size: Side of the result.
        rng: Source of randomness.
    """
    room = np.clip(0.45 + 0.35 * smooth_noise(rng, 5, MIRRORED), 0, 2)
    if window:
        axis = np.linspace(-1, 1, MIRRORED, dtype=np.float32)
        room = room + window * window_seen(axis[None, :], axis[:, None], rng)
    colour = (light.key + light.ambient)[None, :, None, None]
    return floats(share * np.clip(enlarged(floats(room), size), 0, None)[None, None] * colour)
