"""Renders portraits from parameters: a height field with albedo, lit by a lamp and its surroundings, in linear light.

A pixel is traced back through the head's pose to canonical coordinates (see `canvas`), where every feature is an
analytic function; so no mesh is needed and a frame takes a few milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import Floats, blurred, bump, floats, smoothstep
from padkit_synthetic.people.canvas import Field, Layers, Window, doubled, halved, textures, traced
from padkit_synthetic.people.eyes import paint_brows, paint_eyes, paint_glasses
from padkit_synthetic.people.features import (
    paint_beard,
    paint_body,
    paint_ears,
    paint_mouth,
    paint_nose,
    paint_skin,
    paint_wrinkles,
)
from padkit_synthetic.people.hair import fallen, paint_hair, paint_hair_behind
from padkit_synthetic.people.identity import Identity, Motion


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Illumination of a scene.

    Attributes:
        direction: Towards the lamp, unit vector (x right, y down, z to the camera).
        key: Linear RGB [3] of the lamp's irradiance.
        ambient: Linear RGB [3] of the surroundings' irradiance.
        softness: Width of the shadow's edge; 0.02 is a bare bulb, 0.2 a window.
    """

    direction: tuple[float, float, float]
    key: Floats
    ambient: Floats
    softness: float = 0.1


def relief(person: Identity, motion: Motion, field: Field) -> Floats:
    """Return the height of the skin [T, H, W] over the plane of the head's outline."""
    face, age = person.shape, person.age
    x, y, side = field.x, field.y, field.side
    height = face.depth * np.sqrt(np.clip(1 - field.skull, 0, 1))
    window = field.where(side=(0.0, 1.9 * face.nose_width), y=(face.eye_y - 0.4, face.nose_y + 0.13))
    height[window] += _nose(person, x[window], y[window])
    smile = motion.smile
    gap, apple = face.brow_gap, face.nose_y - 0.09
    # At (side, y), with half sizes, and how high: a negative rise is a hollow.
    spots = (
        (face.nose_width * 0.80, face.nose_y + 0.005, face.nose_width * 0.38, 0.055, 0.055),
        (face.eye_x * 0.92, face.eye_y - 0.01, face.eye_width * 1.25, 0.095, -0.065),
        (face.eye_x, face.eye_y, face.eye_width * 0.85, 0.055, 0.035),
        (face.eye_x * 0.90, face.eye_y - gap + 0.02, 0.17, 0.06, face.brow_ridge + 0.012),
        (face.head_width * 0.80, face.eye_y - 0.22, 0.12, 0.17, -0.035),
        (face.eye_x * 1.55, apple, 0.14, 0.11, face.cheek),
        (face.eye_x * 1.35, face.mouth_y - 0.06, 0.11, 0.13, -face.cheek_hollow * (1 + 0.6 * age)),
        (face.eye_x * 1.10, apple + 0.03 - 0.04 * smile, 0.13, 0.10, 0.012 + 0.05 * smile),
        (0.0, face.mouth_y, 0.23, 0.14, 0.05),
        (0.0, face.head_height - 0.13, 0.14, 0.09, face.chin),
        (0.0, face.mouth_y + 0.05 + face.lip_lower, 0.14, 0.035, -0.022),
        (0.33, face.mouth_y + 0.15, 0.10, 0.09, 0.045 * age),
    )
    # They are smooth: half the resolution is enough.
    side, y = halved(side), halved(y)
    broad = np.zeros_like(y)
    for at_x, at_y, wide, tall, rise in spots:
        across, down = (side - at_x) * (1 / wide), (y - at_y) * (1 / tall)
        across *= across
        down *= down
        across += down
        broad += rise * bump(across)
    return floats(height + doubled(broad))


def _nose(person: Identity, x: Floats, y: Floats) -> Floats:
    """Return the height of the nose over the face."""
    face = person.shape
    ramp = smoothstep(y, face.eye_y - 0.08, face.nose_y)
    ramp *= bump(np.square(np.clip(y - face.nose_y, 0, 1) * (1 / 0.055)))
    width = face.nose_width * (face.nose_bridge + (0.72 - face.nose_bridge) * ramp)
    root = 0.25 * bump(np.square((y - face.eye_y) * 5))
    return floats(face.nose_height * (root + ramp) * bump(np.square(x / width)))


def _shadow(height: Floats, light: Light, pixel: float) -> Floats:
    """Return how much of the lamp each point sees [T, H, W], by a few steps towards it over the height field."""
    right, down, out = light.direction
    flat = float(np.hypot(right, down))
    if flat < 0.05:
        return np.ones_like(height)
    hidden = np.zeros_like(height)
    reach = 2 + int(0.42 / pixel)
    frames, tall, wide = height.shape
    padded = np.full((frames, tall + 2 * reach, wide + 2 * reach), -1.0, np.float32)
    padded[:, reach : reach + tall, reach : reach + wide] = height
    edge = 1 / (0.30 + 1.2 * light.softness)
    for distance in (0.05, 0.10, 0.17, 0.27, 0.40):
        left = reach + round(distance * right / flat / pixel)
        top = reach + round(distance * down / flat / pixel)
        steep = padded[:, top : top + tall, left : left + wide] - height
        steep *= edge / distance
        steep -= edge * out / flat
        np.maximum(hidden, steep, out=hidden)
    np.minimum(hidden, 1, out=hidden)
    return 1 - 0.8 * blurred(hidden, (0.012 + 0.16 * light.softness) / pixel)


def _slopes(height: Floats, pixel: float) -> tuple[Floats, Floats]:
    """Return the rise of a height field [T, H, W] per unit of length across and down, by central differences."""
    across, down = np.empty(height.shape, np.float32), np.empty(height.shape, np.float32)
    # All rows in one line; at the ends of a row the difference is one-sided.
    line, result = height.reshape(-1), across.reshape(-1)
    np.subtract(line[2:], line[:-2], out=result[1:-1])
    result[1:-1] /= 2 * pixel
    np.subtract(height[:, 2:], height[:, :-2], out=down[:, 1:-1])
    down[:, 1:-1] /= 2 * pixel
    for place, (high, low) in ((0, (1, 0)), (-1, (-1, -2))):
        across[..., place] = (height[..., high] - height[..., low]) / pixel
        down[:, place] = (height[:, high] - height[:, low]) / pixel
    return across, down


def _shaded(layers: Layers, light: Light, pixel: float) -> Floats:
    """Return the radiance [T, 3, H, W].

    Lambert with a wrap per channel (light that travels inside skin), Blinn highlights, ambient light dimmed in hollows.
    """
    height = layers.height
    slope_x, slope_y = _slopes(height, pixel)
    for slope in (slope_x, slope_y):
        np.clip(slope, -1.8, 1.8, out=slope)
    scale = slope_x * slope_x
    scale += slope_y * slope_y
    scale += 1
    np.sqrt(scale, out=scale)
    np.reciprocal(scale, out=scale)
    right, down, out = light.direction
    facing = slope_x * -right
    facing -= slope_y * down
    facing += out
    facing *= scale
    small = halved(height)
    shadow = doubled(_shadow(small, light, 2 * pixel))
    hollow = doubled(np.clip(1 + 2.0 * (small - blurred(small, 0.045 / pixel)), 0.5, 1.1))
    ambient = (0.80 + 0.20 * slope_y * scale) * hollow
    half = np.array([right, down, out + 1], np.float32)
    half /= np.linalg.norm(half)
    angle = slope_x * -half[0]
    angle -= slope_y * half[1]
    angle += half[2]
    angle *= scale
    np.clip(angle, 0, 1, out=angle)
    angle -= 1
    angle *= 22
    shine = np.exp(angle, out=angle)
    shine *= shadow
    shine *= layers.gloss
    result = np.empty_like(layers.albedo)
    for channel, wrap in enumerate((0.34, 0.20, 0.14)):
        lamp = facing + wrap
        lamp *= 1 / (1 + wrap)
        np.clip(lamp, 0, 1, out=lamp)
        lamp *= shadow
        lamp *= float(light.key[channel])
        lamp += ambient * float(light.ambient[channel])
        lamp *= layers.albedo[:, channel]
        np.add(lamp, shine * float(light.key[channel]), out=result[:, channel])
    return result


def _blank(person: Identity, shape: tuple[int, ...]) -> Layers:
    """Return empty layers.

    The albedo is not black, so that the edge of a layer is not darkened twice, by its albedo and by its coverage.
    """
    outer = person.skin if person.hair.bald else person.hair.colour
    albedo = np.empty((shape[0], 3, *shape[1:]), np.float32)
    albedo[:] = outer[None, :, None, None]
    empty = np.zeros((3, *shape), np.float32)
    return Layers(albedo, *empty)


def _even(window: Window) -> Window:
    """Return a window, enlarged to even rows and columns of an even picture, so that it can be halved."""
    frames, rows, columns = window
    return (
        frames,
        slice(rows.start // 2 * 2, (rows.stop + 1) // 2 * 2),
        slice(columns.start // 2 * 2, (columns.stop + 1) // 2 * 2),
    )


def render(person: Identity, motion: Motion, light: Light, background: Floats, view: float = 1.0) -> Floats:
    """Return the radiance of a clip, linear RGB [T, 3, S, S] >= 0.

    Args:
        person: The person.
        motion: What the person does in each of T frames.
        light: The scene's illumination.
        background: Radiance [3, S, S] behind the person; S is even.
        view: Half the side of the picture in units of the tight crop's half side; above 1 shows more surroundings.
    """
    field = traced(person, motion, background.shape[-1], view)
    tiles = textures(person.texture_seed)
    layers = _blank(person, field.x.shape)
    fall = fallen(person, field, tiles)
    paint_hair_behind(layers, person, field, fall)
    paint_body(layers, person, field)
    paint_ears(layers, person, field)
    bounds = person.shape.head_width + 0.05, person.shape.head_height + 0.05
    window = _even(field.where(side=(0.0, bounds[0]), y=(-bounds[1], bounds[1])))
    part = field.part(window)
    head = part.inside((1 - np.sqrt(part.skull)) * person.shape.head_width)
    paint_skin(layers.part(window), person, motion, part, head, tiles)
    layers.part(window).raise_to(relief(person, motion, part), head)
    paint_wrinkles(layers, person, motion, field)
    paint_nose(layers, person, field)
    if person.beard:
        paint_beard(layers, person, field, tiles)
    paint_mouth(layers, person, motion, field)
    paint_eyes(layers, person, motion, field, light.direction)
    paint_brows(layers, person, motion, field, tiles)
    if person.glasses:
        paint_glasses(layers, person, field)
    paint_hair(layers, person, field, fall)
    result = np.empty_like(layers.albedo)
    result[:] = background
    # Nothing above the person needs light; an even number of rows can be halved.
    rows = np.flatnonzero(layers.cover.any((0, 2)))
    lit = slice(max(0, (int(rows[0]) - 2) // 2 * 2) if rows.size else 0, None)
    radiance = _shaded(layers.part((slice(None), lit, slice(None))), light, field.pixel)
    radiance -= background[:, lit]
    radiance *= layers.cover[:, None, lit]
    result[:, :, lit] += radiance
    return result
