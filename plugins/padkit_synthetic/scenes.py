"""What stands behind and shines on a face: backgrounds and lights of a place, drawn once per presentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.faces import Light
from padkit_synthetic.imaging import Floats, between, blackbody, enlarged, smooth_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place where faces are captured.

    Attributes:
        kelvin: Range of the lamp's colour temperature.
        surround_kelvin: Range of the ambient light's colour temperature.
        azimuth: Range of the lamp's horizontal angle in radians, 0 = from the camera.
        elevation: Range of its vertical angle in radians.
        ambient: Range of the ambient share of the light.
        softness: Range of the shadow edge's softness.
        clutter: Number of things in the background; 0 is a bare wall.
        wall: Range of the wall's albedo.
        window: Probability of a bright window in the background.
    """

    kelvin: tuple[float, float]
    surround_kelvin: tuple[float, float]
    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    ambient: tuple[float, float]
    softness: tuple[float, float] = (0.08, 0.2)
    clutter: int = 0
    wall: tuple[float, float] = (0.3, 0.7)
    window: float = 0.0


def draw_light(place: Place, rng: np.random.Generator) -> Light:
    """Return the light of one capture session."""
    side, up = between(rng, place.azimuth), between(rng, place.elevation)
    share = between(rng, place.ambient)
    direction = (np.sin(side) * np.cos(up), -np.sin(up), np.cos(side) * np.cos(up))
    return Light(
        direction=(float(direction[0]), float(direction[1]), float(direction[2])),
        key=blackbody(between(rng, place.kelvin)) * (1 - share),
        ambient=blackbody(between(rng, place.surround_kelvin)) * share,
        softness=between(rng, place.softness),
    )


def draw_background(place: Place, light: Light, size: int, rng: np.random.Generator) -> Floats:
    """Return the radiance [3, size, size] of the background, out of focus."""
    coarse = 40
    tint = rng.uniform(0.85, 1.1, 3).astype(np.float32)
    albedo = np.ones((3, coarse, coarse), np.float32) * (between(rng, place.wall) * tint)[:, None, None]
    for _ in range(place.clutter):
        left, top = rng.integers(0, coarse, 2)
        wide, tall = rng.integers(3, 16, 2)
        albedo[:, top : top + tall, left : left + wide] = rng.uniform(0.03, 0.75, (3, 1, 1)).astype(np.float32)
    ramp = np.linspace(-1, 1, coarse, dtype=np.float32)
    falloff = 1 + 0.3 * rng.uniform(-1, 1) * ramp[None, :] + 0.2 * rng.uniform(-1, 1) * ramp[:, None]
    falloff += 0.06 * smooth_noise(rng, 5, coarse)
    light_on_wall = 0.7 * light.key + light.ambient
    radiance = albedo * falloff * light_on_wall[:, None, None]
    if rng.random() < place.window:
        left, top = rng.integers(-8, coarse - 6, 2)
        wide, tall = rng.integers(8, 20, 2)
        sky = between(rng, (1.2, 3.0))
        radiance[:, max(top, 0) : top + tall, max(left, 0) : left + wide] = sky * np.array([[[0.92]], [[1.0]], [[1.1]]])
    return np.stack([np.clip(enlarged(plane, size), 0.002, None) for plane in radiance])
