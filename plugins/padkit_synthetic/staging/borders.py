"""Where a hand-held print or screen ends: its edge, bezel or white margin, and what lies behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from padkit_synthetic.imaging import Floats, enlarged, floats
from padkit_synthetic.views import View

Sides = tuple[float, float, float, float]
Behind = Callable[[], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """The edges of an instrument; lengths are half sides of the camera's crop, from the middle of the shown picture.

    A border cuts the picture off and never scales it, so the face keeps its size and place.

    Attributes:
        edges: Where the picture ends to the left, to the right, above and below; beyond 1 an edge is out of sight,
            unless the instrument is tilted.
        margin: Width of what surrounds the picture: unprinted paper, or a screen's black bars.
        bezel: Width of the frame around the screen; 0 for paper.
        albedo: Linear reflectance RGB of the bezel.
        corner: Radius of the corners.
    """

    edges: Sides
    margin: float = 0.0
    bezel: float = 0.0
    albedo: tuple[float, float, float] = (0.02, 0.02, 0.02)
    corner: float = 0.0


@dataclass(frozen=True, slots=True)
class Cover:
    """How much of each sample is filled, [T, S, S] in [0, 1]: by the picture, by the surface with its margin, by all.

    Attributes:
        picture: The shown picture.
        surface: The paper or the screen, the picture's margin included.
        whole: The instrument, its bezel included.
    """

    picture: Floats
    surface: Floats
    whole: Floats


def covered(view: View, zoom: float, border: Border | None) -> Cover | None:
    """Return what fills each sample, or None if no edge is in sight.

    Args:
        view: The places on the instrument.
        zoom: Share of the picture that fills the crop.
        border: The edges; None is an instrument without end.
    """
    if border is None:
        return None
    left, right, top, bottom = border.edges
    scale = np.float32(2 / zoom)

    def past(places: Floats, first: float, last: float) -> Floats:
        """Return how far places lie beyond the nearer of two opposite edges."""
        from_middle = (places - np.float32(0.5)) * scale - np.float32((last - first) / 2)
        return floats(np.abs(from_middle) - np.float32((first + last) / 2))

    beyond_x, beyond_y = past(view.u, left, right), past(view.v, top, bottom)
    beyond = np.maximum(beyond_x, beyond_y)
    if beyond.max() <= 0:
        return None
    # A sample is 2/S wide, so an edge runs from full to none over one sample.
    sharp = np.float32(view.u.shape[-1] / 2)

    def filled(distance: Floats) -> Floats:
        return floats(np.clip(np.float32(0.5) - distance * sharp, 0, 1))

    outer = beyond - np.float32(border.margin)
    if border.corner:
        inset = np.float32(border.corner - border.margin)
        corners = (beyond_x > -inset) & (beyond_y > -inset)
        round_x, round_y = beyond_x[corners] + inset, beyond_y[corners] + inset
        outer[corners] = np.sqrt(round_x * round_x + round_y * round_y) - np.float32(border.corner)
    picture = filled(beyond)
    surface = filled(outer) if border.margin or border.corner else picture
    whole = filled(outer - np.float32(border.bezel)) if border.bezel else surface
    return Cover(picture, surface, whole)


def before(radiance: Floats, cover: Cover | None, behind: Behind | None) -> Floats:
    """Return the instrument's radiance [T, 3, S, S] before what lies behind it; changed in place.

    Args:
        radiance: The instrument, as if it had no end.
        cover: Where it is; None is everywhere.
        behind: Returns the radiance [F, 3, R, R] of what lies behind, at any resolution; the last of F frames stays.
            It is asked only if an edge is in sight.

    Raises:
        ValueError: An edge is in sight and nothing lies behind.
    """
    if cover is None:
        return radiance
    if behind is None:
        raise ValueError("an instrument with a border needs something behind it")
    size = radiance.shape[-1]
    room, far = behind(), np.empty((0, 0), np.float32)
    for channel in range(3):
        for frame in range(radiance.shape[0]):
            if frame < len(room):
                far = enlarged(room[frame, channel], size, Image.Resampling.BILINEAR)
            plane = radiance[frame, channel]
            plane -= far
            plane *= cover.whole[frame]
            plane += far
    return radiance
