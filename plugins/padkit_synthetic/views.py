"""Views: the place of each sample of the camera's picture on a hand-held print or screen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import Floats, Indices, between, floats

# Instruments are evaluated on a grid this many times as fine as the sensor's.
FINER = 2


@dataclass(frozen=True, slots=True)
class View:
    """Positions on the instrument and its bending.

    Attributes:
        u, v: [T, S, S], 0..1 across the shown picture.
        slope_x, slope_y: [T, S, S] or broadcastable, rise of the surface towards the camera per unit of length.
    """

    u: Floats
    v: Floats
    slope_x: Floats
    slope_y: Floats

    def cells(self, count: int) -> Indices:
        """Return flat indices [T, S, S] into a raster of `count` x `count` pixels; outside it, of the nearest edge."""
        column, row = self.u * count, self.v * count
        for places in (column, row):
            np.clip(places, 0, count - 1, out=places)
            np.floor(places, out=places)
        # Whole numbers below 2^24, so exact.
        row *= count
        row += column
        return row.astype(np.intp)

    def facing(self, direction: tuple[float, float, float]) -> Floats:
        """Return the cosine [T, S, S] between the surface's normal and `direction`, at least 0.05."""
        right, down, out = direction
        length = np.sqrt(1 + self.slope_x * self.slope_x + self.slope_y * self.slope_y)
        return floats(np.clip((out - self.slope_x * right - self.slope_y * down) / length, 0.05, 1))

    def frame(self, number: int) -> View:
        """Return the view in one frame, T = 1."""
        part = slice(number, number + 1)
        bend_x, bend_y = (slope[part] if len(slope) > 1 else slope for slope in (self.slope_x, self.slope_y))
        return View(self.u[part], self.v[part], bend_x, bend_y)

    def coarser(self) -> View:
        """Return every other sample of the view."""
        bend_x, bend_y = (
            np.ascontiguousarray(slope[:, ::2, ::2] if slope.shape[-2] > 1 else slope[..., ::2])
            for slope in (self.slope_x, self.slope_y)
        )
        return View(self.u[:, ::2, ::2], self.v[:, ::2, ::2], bend_x, bend_y)


def aimed(
    rng: np.random.Generator,
    frames: int,
    size: int,
    zoom: float,
    bend: float = 0.0,
    along: float = 0.0,
    freely: float = 1.0,
) -> View:
    """Return the view of a hand-held instrument.

    It is tilted, turned and shifted at random (a homography) and shakes a little from frame to frame.

    Args:
        rng: Source of randomness.
        frames: Number of frames T.
        size: Side S of the grid.
        zoom: Share of the shown picture that fills the camera's crop.
        bend: Largest displacement by bending as a cylinder, share of the crop; 0 is a rigid plane.
        along: Direction across the cylinder's axis in radians, 0 = sideways.
        freely: Factor on how far it is tilted, turned and shifted.
    """
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1)[None]
    x, y = axis[:, None, :], axis[:, :, None]

    def track(spread: float, shake: float) -> Floats:
        middle = min(max(rng.standard_normal(), -2.0), 2.0) * spread
        return np.asarray(middle + shake * rng.standard_normal(frames), np.float32).reshape(-1, 1, 1)

    turn = track(0.05 * freely, 0.008)
    tilt_x, tilt_y = track(0.07 * freely, 0.008), track(0.07 * freely, 0.008)
    shift_x, shift_y = track(0.02 * freely, 0.006), track(0.02 * freely, 0.006)
    nearness = tilt_y * y + (1 + tilt_x * x)
    np.divide(zoom * (1 + track(0.03, 0.004)), nearness, out=nearness)
    cosine, sine = 0.5 * np.cos(turn), 0.5 * np.sin(turn)
    u, v = floats(x * cosine + y * sine), floats(y * cosine - x * sine)
    u *= nearness
    u += 0.5 + 0.5 * shift_x
    v *= nearness
    v += 0.5 + 0.5 * shift_y
    flat = np.zeros((1, 1, 1), np.float32)
    if not bend:
        return View(u, v, flat, flat)
    curve, middle = between(rng, (-bend, bend)), between(rng, (-0.6, 0.6))
    across, down = math.cos(along), math.sin(along)
    bent = (2 * across) * u
    if down:
        bent += (2 * down) * v
    bent -= across + down + middle
    moved = np.square(bent, out=nearness)
    moved -= 0.3
    moved *= 0.5 * curve
    # A curve that moves the picture by c q^2 has a slope of about 2 c q, because the camera sees bending foreshortened.
    bent *= 2 * curve
    if not down:
        u += moved
        return View(u, v, bent, flat)
    u += across * moved
    v += down * moved
    return View(u, v, floats(across * bent), floats(down * bent))


def resolved(cycles: float, degrees: float = 0.0) -> float:
    """Return the contrast, in [0, 1], that a wave keeps when each fine sample averages over its own square.

    Without it a wave finer than the samples would alias into moire of full contrast, which no camera shows.

    Args:
        cycles: Waves per fine sample.
        degrees: Direction of the wave.
    """
    angle = np.radians(degrees)
    return float(abs(np.sinc(cycles * np.cos(angle)) * np.sinc(cycles * np.sin(angle))))
