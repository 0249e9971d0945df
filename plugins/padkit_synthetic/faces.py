"""Portraits from parameters: a height field with albedo, lit by one lamp and its surroundings, in linear light.

A pixel is traced back through the head's pose to canonical coordinates (see `canvas`), where every feature is an
analytic function; so no mesh is needed and a frame costs a few milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.canvas import Field, Layers, looked_up, textures, traced
from padkit_synthetic.features import (
    paint_beard,
    paint_behind,
    paint_brows,
    paint_eyes,
    paint_glasses,
    paint_hair,
    paint_mouth,
    paint_nostrils,
)
from padkit_synthetic.identity import Identity, Motion
from padkit_synthetic.imaging import Floats, blurred, bump, floats, smoothstep


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
    face = person.shape
    x, y, side = field.x, field.y, field.side
    height = face.depth * np.sqrt(np.clip(1 - field.skull, 0, 1))
    ramp = smoothstep(y, face.eye_y - 0.06, face.nose_y)
    ramp *= bump(np.square(np.clip(y - face.nose_y, 0, 1) * (1 / 0.06)))
    width = face.nose_width * (face.nose_bridge + (0.95 - face.nose_bridge) * ramp)
    height += face.nose_height * ramp * bump(np.square(x / width))
    spots = (
        (face.nose_width * 0.85, face.nose_y, 0.045, 0.05, 0.05),
        (face.eye_x, face.eye_y, face.eye_width * 1.15, 0.10, -0.075),
        (face.eye_x, face.eye_y, face.eye_width * 0.8, 0.055, 0.035),
        (face.eye_x * 0.85, face.eye_y - face.brow_gap, 0.17, 0.055, face.brow_ridge),
        (face.eye_x * 1.25, face.nose_y - 0.06, 0.15, 0.13, face.cheek),
        (0.0, face.head_height - 0.14, 0.12, 0.09, face.chin),
        (0.0, face.mouth_y + 0.09 + face.lip_lower, 0.16, 0.03, -0.025),
    )
    for at_x, at_y, wide, tall, rise in spots:
        across, down = (side - at_x) * (1 / wide), (y - at_y) * (1 / tall)
        height += rise * bump(across * across + down * down)
    lips = bump(np.square((y - face.mouth_y) * (1 / 0.07)) + np.square(x * (1 / 0.2)))
    height += 0.045 * lips
    fold = (side - ((face.nose_width * 0.9) + 0.42 * (y - face.nose_y))) * 28
    depth = (0.006 if person.young else 0.022) + 0.016 * motion.smile
    height -= (
        depth
        * bump(fold * fold)
        * smoothstep(y, face.nose_y - 0.06, face.nose_y + 0.06)
        * (1 - smoothstep(y, face.mouth_y - 0.02, face.mouth_y + 0.1))
    )
    if not person.young:
        waves = np.sin((y + 0.25 * x * x) * 75) * bump(np.square((y + 0.42) * 7)) * (side < 0.4)
        height += 0.006 * waves.astype(np.float32)
    return floats(height)


def _shadow(height: Floats, light: Light, pixel: float) -> Floats:
    """Return how much of the lamp each point sees [T, H, W]: a few steps towards it over the height field."""
    right, down, out = light.direction
    flat = float(np.hypot(right, down))
    if flat < 0.05:
        return np.ones_like(height)
    hidden = np.zeros_like(height)
    for distance in (0.07, 0.15, 0.27):
        shift_x, shift_y = round(distance * right / flat / pixel), round(distance * down / flat / pixel)
        ahead = np.roll(height, (-shift_y, -shift_x), axis=(-2, -1))
        rise = distance * out / flat
        np.maximum(hidden, np.clip((ahead - height - rise) * (1 / (0.35 * light.softness + 0.02)), 0, 1), out=hidden)
    return 1 - 0.85 * blurred(hidden, 0.03 / pixel * light.softness * 10)


def _shaded(layers: Layers, field: Field, light: Light, person: Identity) -> Floats:
    """Return the radiance [T, 3, H, W].

    Lambert with a wrap per channel (light that travels inside skin), Blinn highlights, ambient light dimmed in hollows.
    """
    face = person.shape
    height = layers.height
    slope_y, slope_x = np.gradient(height, field.pixel, axis=(-2, -1))
    slope_x, slope_y = np.clip(slope_x, -2.5, 2.5), np.clip(slope_y, -2.5, 2.5)
    scale = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    right, down, out = light.direction
    facing = (out - slope_x * right - slope_y * down) * scale
    shadow = _shadow(height, light, field.pixel)
    hollow = np.clip(1 + 2.2 * (height - blurred(height, 0.09 / field.pixel)), 0.45, 1.1)
    ambient = (0.78 + 0.22 * slope_y * scale) * hollow
    half = np.array([right, down, out + 1], np.float32)
    half /= np.linalg.norm(half)
    shine = np.exp(-26 * (1 - np.clip((half[2] - slope_x * half[0] - slope_y * half[1]) * scale, 0, 1))) * shadow
    shine *= layers.gloss + face.oiliness
    result = np.empty_like(layers.albedo)
    for channel, wrap in enumerate((0.30, 0.16, 0.10)):
        lamp = np.clip((facing + wrap) * (1 / (1 + wrap)), 0, 1) * shadow * light.key[channel]
        result[:, channel] = layers.albedo[:, channel] * (lamp + ambient * light.ambient[channel])
        result[:, channel] += shine * light.key[channel]
    return result


def render(person: Identity, motion: Motion, light: Light, background: Floats, view: float = 1.0) -> Floats:
    """Return the radiance of a clip, linear RGB [T, 3, S, S] >= 0.

    Args:
        person: Who.
        motion: What the person does in each of T frames.
        light: The scene's illumination.
        background: Radiance [3, S, S] behind the person.
        view: Half the side of the picture in units of the tight crop's half side; above 1 shows more surroundings.
    """
    face = person.shape
    size = background.shape[-1]
    field = traced(person, motion, size, view)
    blotches, grain = textures(person.texture_seed)
    shape = field.x.shape
    empty = np.zeros(shape, np.float32)
    # Not black: the edge of a layer must not be darkened twice, by its albedo and by its cover.
    outer = person.hair if person.hair_length > 0.3 else person.skin
    albedo = np.broadcast_to(outer[None, :, None, None], (shape[0], 3, *shape[1:])).copy()
    layers = Layers(albedo, empty, np.zeros_like(empty), np.zeros_like(empty))
    paint_behind(layers, person, field)

    head = field.inside((1 - np.sqrt(field.skull)) * face.head_width)
    tint = looked_up(blotches, field.x * 0.45, field.y * 0.45) * face.blotches
    skin = person.skin[None, :, None, None] * (
        1 + tint[:, None] * np.array([0.5, 1.0, 0.9], np.float32)[None, :, None, None]
    )
    rosy = 0.5 * bump(np.square((field.side - face.eye_x) * 5) + np.square((field.y - 0.2) * 6))
    skin[:, 1:] *= 1 - 0.25 * rosy[:, None]
    layers.paint(skin, head)
    layers.height += (relief(person, motion, field) - layers.height) * head
    layers.cover = np.maximum(layers.cover, head)
    if person.beard:
        paint_beard(layers, person, field, grain)
    paint_nostrils(layers, person, field, skin)
    paint_mouth(layers, person, motion, field)
    paint_eyes(layers, person, motion, field, skin)
    paint_brows(layers, person, field)
    paint_hair(layers, person, field, grain)
    if person.glasses:
        paint_glasses(layers, person, field)

    radiance = _shaded(layers, field, light, person)
    return np.asarray(background[None] + (radiance - background[None]) * layers.cover[:, None], np.float32)
