"""Portraits from parameters: a height field with albedo, lit by one lamp and its surroundings, in linear light.

A pixel is traced back through the head's pose to *canonical* coordinates (x to the right, y downwards, origin between nose
and eyes, the tight crop spanning -1..1), where every feature is an analytic function; so no mesh is needed and one person
costs a few milliseconds a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.identity import Identity, Motion
from padkit_synthetic.imaging import Floats, blurred, bump, enlarged, generator, smoothstep

TILE = 256


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


@dataclass(slots=True)
class _Layers:
    """Albedo [T, 3, H, W], height, gloss and coverage [T, H, W] while the layers of a portrait pile up."""

    albedo: Floats
    height: Floats
    gloss: Floats
    cover: Floats

    def paint(self, colour: Floats, mask: Floats) -> None:
        """Lay a colour [3] or [T, 3, H, W] over the albedo where `mask` is 1."""
        if colour.ndim == 1:
            colour = colour[None, :, None, None]
        self.albedo += (colour - self.albedo) * mask[:, None]


@dataclass(frozen=True, slots=True)
class _Field:
    """Canonical coordinates [T, H, W] of every pixel, `side` = |x|, and the size of a pixel in those units."""

    x: Floats
    y: Floats
    side: Floats
    skull: Floats
    pixel: float

    def inside(self, distance: Floats) -> Floats:
        """Return a mask with an edge one pixel wide where the signed `distance` (canonical units) is positive."""
        return np.clip(distance * np.float32(0.7 / self.pixel) + np.float32(0.5), 0, 1)


def _skull(person: Identity, x: Floats, y: Floats) -> Floats:
    """Return the squared radius of the head's outline: below 1 inside."""
    lower = np.clip((y - 0.02) * np.float32(1.0 / person.head_height), 0, 1.2)
    width = np.float32(person.head_width) * (1 - np.float32(person.jaw) * lower * lower)
    reach_x, reach_y = x / width, y * np.float32(1.0 / person.head_height)
    return reach_x * reach_x + reach_y * reach_y


def _field(person: Identity, motion: Motion, size: int, view: float) -> _Field:
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1) * np.float32(view)
    across, down = axis[None, None, :], axis[None, :, None]
    cosine, sine = np.cos(motion.roll) / motion.scale, np.sin(motion.roll) / motion.scale
    turned_x = cosine * (across - motion.shift_x) + sine * (down - motion.shift_y)
    turned_y = cosine * (down - motion.shift_y) - sine * (across - motion.shift_x)
    x, y = turned_x, turned_y
    for _ in range(2):
        depth = np.float32(person.depth) * np.sqrt(np.clip(1 - _skull(person, x, y), 0, 1))
        x = (turned_x - depth * np.sin(motion.yaw)) / np.cos(motion.yaw)
        y = (turned_y - depth * np.sin(motion.pitch)) / np.cos(motion.pitch)
    return _Field(x=x, y=y, side=np.abs(x), skull=_skull(person, x, y), pixel=2.0 * view / size)


def _textures(person: Identity) -> tuple[Floats, Floats]:
    """Return skin blotches and fine grain, tiles [TILE, TILE] of about zero mean and unit deviation."""
    rng = generator(person.texture_seed)
    blotches = sum(enlarged(rng.standard_normal((n, n), np.float32), TILE) for n in (9, 22, 60)) / 1.7
    return np.asarray(blotches, np.float32), rng.standard_normal((TILE, TILE), np.float32)


def _looked_up(tile: Floats, x: Floats, y: Floats) -> Floats:
    column = (x * TILE).astype(np.int32) & (TILE - 1)
    row = (y * TILE).astype(np.int32) & (TILE - 1)
    return tile.ravel().take((row << 8) | column)


def _shape(person: Identity, motion: Motion, field: _Field) -> Floats:
    """Return the height of the skin [T, H, W] over the plane of the head's outline."""
    x, y, side = field.x, field.y, field.side
    height = np.float32(person.depth) * np.sqrt(np.clip(1 - field.skull, 0, 1))
    ramp = smoothstep(y, person.eye_y - 0.06, person.nose_y)
    ramp *= bump(np.square(np.clip(y - np.float32(person.nose_y), 0, 1) * np.float32(1 / 0.06)))
    width = np.float32(person.nose_width) * (
        np.float32(person.nose_bridge) + np.float32(0.95 - person.nose_bridge) * ramp
    )
    height += np.float32(person.nose_height) * ramp * bump(np.square(x / width))
    spots = (
        (person.nose_width * 0.85, person.nose_y, 0.045, 0.05, 0.05),
        (person.eye_x, person.eye_y, person.eye_width * 1.15, 0.10, -0.075),
        (person.eye_x, person.eye_y, person.eye_width * 0.8, 0.055, 0.035),
        (person.eye_x * 0.85, person.eye_y - person.brow_gap, 0.17, 0.055, person.brow_ridge),
        (person.eye_x * 1.25, person.nose_y - 0.06, 0.15, 0.13, person.cheek),
        (0.0, person.head_height - 0.14, 0.12, 0.09, person.chin),
        (0.0, person.mouth_y + 0.09 + person.lip_lower, 0.16, 0.03, -0.025),
    )
    for at_x, at_y, wide, tall, rise in spots:
        across, down = (side - np.float32(at_x)) * np.float32(1 / wide), (y - np.float32(at_y)) * np.float32(1 / tall)
        height += np.float32(rise) * bump(across * across + down * down)
    lips = bump(np.square((y - np.float32(person.mouth_y)) * np.float32(1 / 0.07)) + np.square(x * np.float32(1 / 0.2)))
    height += np.float32(0.045) * lips
    fold = (side - (np.float32(person.nose_width * 0.9) + np.float32(0.42) * (y - np.float32(person.nose_y)))) * 28
    depth = np.float32(0.006 if person.young else 0.022) + np.float32(0.016) * motion.smile
    height -= (
        depth
        * bump(fold * fold)
        * smoothstep(y, person.nose_y - 0.06, person.nose_y + 0.06)
        * (1 - smoothstep(y, person.mouth_y - 0.02, person.mouth_y + 0.1))
    )
    if not person.young:
        waves = np.sin((y + np.float32(0.25) * x * x) * 75) * bump(np.square((y + 0.42) * 7)) * (side < 0.4)
        height += np.float32(0.006) * waves.astype(np.float32)
    return height


def _background(layers: _Layers, person: Identity, motion: Motion, field: _Field) -> None:
    """Lay hair behind the head, neck, clothing and ears over the background."""
    x, y, side = field.x, field.y, field.side
    if person.hair_length > 0.3:
        outer = person.head_width + person.hair_volume + 0.04
        flow = np.float32(outer) * (1 + 0.08 * np.sin(y * 4)) - side
        curtain = field.inside(flow) * (y < person.hair_length) * (y > -0.2)
        layers.paint(person.hair * np.float32(0.8), curtain.astype(np.float32))
        layers.cover = np.maximum(layers.cover, curtain)
    neck = field.inside(np.float32(person.head_width * 0.62) - side) * (y > 0.4)
    layers.paint(person.skin * np.float32(0.6), neck)
    shoulders = field.inside(y - np.float32(0.93) - np.float32(0.16) * (side - 0.3) * (side > 0.3))
    layers.paint(person.clothing, shoulders)
    across = (side - np.float32(person.head_width * 0.99)) * np.float32(1 / 0.085)
    down = (y - np.float32(person.eye_y + 0.12)) * np.float32(1 / 0.17)
    ear = field.inside((1 - across * across - down * down) * np.float32(0.06))
    layers.paint(person.skin * np.float32(0.9), ear)
    layers.height += 0.12 * ear * np.sqrt(np.clip(1 - across * across - down * down, 0, 1))
    layers.cover = np.maximum(np.maximum(layers.cover, ear), np.maximum(neck, shoulders))


def _eyes(layers: _Layers, person: Identity, motion: Motion, field: _Field, skin: Floats) -> None:
    x, y, side = field.x, field.y, field.side
    across = (side - np.float32(person.eye_x)) * np.float32(1 / person.eye_width)
    down = y - np.float32(person.eye_y) - np.float32(person.eye_slant * person.eye_width) * across
    arc = np.clip(1 - across * across, 0, 1)
    opened = np.float32(person.eye_height) * (1 - motion.blink) * (1 - 0.22 * motion.smile)
    upper, lower = -opened * arc, np.float32(0.75) * opened * arc
    white = field.inside(np.minimum(down - upper, lower - down)) * (arc > 0)
    layers.paint(np.array([0.62, 0.58, 0.55], np.float32), white)
    toward = np.sign(x) * motion.gaze_x * np.float32(person.iris_radius)
    centre_x = side - np.float32(person.eye_x) - toward
    centre_y = y - np.float32(person.eye_y) - motion.gaze_y * np.float32(person.iris_radius) + 0.004
    reach = np.sqrt(centre_x * centre_x + centre_y * centre_y)
    layers.paint(person.iris, white * field.inside(np.float32(person.iris_radius) - reach))
    layers.paint(np.full(3, 0.01, np.float32), white * field.inside(np.float32(0.42 * person.iris_radius) - reach))
    layers.gloss += 0.35 * white
    lid = bump(np.square((down - upper) * np.float32(1 / 0.016))) * (np.abs(across) < 1.08)
    lid = np.maximum(lid, 0.4 * bump(np.square((down - lower) * np.float32(1 / 0.013))) * (np.abs(across) < 1.0))
    layers.paint(np.minimum(skin * 0.16, 0.03).astype(np.float32), (0.85 * lid).astype(np.float32))
    crease = bump(np.square((down - upper + 0.035) * np.float32(1 / 0.012))) * (np.abs(across) < 1.0)
    bag = bump(np.square((down - 0.085 * np.sqrt(arc)) * 50)) * (np.abs(across) < 0.9)
    tired = crease * 0.4 + bag * (0.05 if person.young else 0.3)
    layers.paint(skin * np.float32(0.45), tired.astype(np.float32))


def _brows(layers: _Layers, person: Identity, field: _Field) -> None:
    along = (field.side - np.float32(person.eye_x)) * np.float32(1 / person.brow_length)
    height = np.float32(person.eye_y - person.brow_gap) + np.float32(person.brow_arch) * (along - 0.25) ** 2
    thick = np.float32(person.brow_weight) * np.clip(1.15 - 0.5 * along, 0.4, 2)
    brow = bump(np.square((field.y - height) / thick)) * smoothstep(np.abs(along), 1.15, 0.9)
    layers.paint(person.hair * np.float32(0.55), np.clip(1.2 * brow, 0, 0.92))


def _mouth(layers: _Layers, person: Identity, motion: Motion, field: _Field) -> None:
    width = np.float32(person.mouth_width) * (1 + 0.22 * motion.smile)
    across = field.x / width
    arc = np.clip(1 - across * across, 0, 1)
    middle = field.y - np.float32(person.mouth_y) + motion.smile * np.float32(0.075) * (across * across - 0.35)
    gap = np.float32(0.05) * motion.mouth_open * arc
    cupid = 1 - 0.28 * bump(np.square(field.x * np.float32(1 / 0.03)))
    top = -gap * 0.5 - np.float32(person.lip_upper) * np.sqrt(arc) * cupid
    bottom = gap + np.float32(person.lip_lower) * np.sqrt(arc)
    lips = field.inside(np.minimum(middle - top, bottom - middle)) * (arc > 0)
    layers.paint(person.lips, (0.9 * lips).astype(np.float32))
    layers.gloss += 0.05 * lips
    hole = field.inside(np.minimum(middle + gap * 0.5, gap - middle)) * (arc > 0.02) * (motion.mouth_open > 0.02)
    layers.paint(np.array([0.035, 0.012, 0.01], np.float32), hole.astype(np.float32))
    teeth = hole * smoothstep(middle - 0.3 * gap, 0.012, -0.012) * (motion.mouth_open > 0.25)
    layers.paint(np.array([0.6, 0.56, 0.5], np.float32), teeth.astype(np.float32))
    line = bump(np.square(middle * np.float32(1 / 0.009))) * (np.abs(across) < 1.05) * (1 - hole)
    layers.paint(person.lips * np.float32(0.25), (0.75 * line).astype(np.float32))


def _nostrils(layers: _Layers, person: Identity, field: _Field, skin: Floats) -> None:
    across = (field.side - np.float32(person.nose_width * 0.48)) * np.float32(1 / 0.032)
    down = (field.y - np.float32(person.nose_y + 0.05)) * np.float32(1 / 0.016)
    layers.paint(skin * np.float32(0.12), 0.85 * bump(across * across + down * down))


def _beard(layers: _Layers, person: Identity, field: _Field, grain: Floats) -> None:
    below = smoothstep(field.y + 0.5 * np.square(field.side - 0.45), person.nose_y + 0.06, person.nose_y + 0.2)
    cheeks = smoothstep(field.side + 0.7 * (field.y - person.mouth_y), 0.12, 0.3)
    under = smoothstep(field.y, person.mouth_y + 0.06, person.mouth_y + 0.14)
    moustache = bump(np.square((field.y - np.float32(person.mouth_y - 0.075)) * 24)) * (field.side < 0.24)
    mask = np.clip(below * np.maximum(cheeks, under) + moustache, 0, 1) * (field.skull < 1.02)
    strands = _looked_up(grain, field.x * 0.6, field.y * 0.35)
    mask = np.clip(mask * (0.8 + 0.22 * strands), 0, 0.95).astype(np.float32)
    layers.paint(person.hair * np.float32(0.75), mask)
    layers.height += 0.012 * mask * (1 + 0.5 * strands)


def _hair(layers: _Layers, person: Identity, field: _Field, grain: Floats) -> None:
    if person.bald:
        return
    x, y, side = field.x, field.y, field.side
    volume = 1 + person.hair_volume * 1.6
    outer = _skull(person, x * np.float32(1 / volume), (y + 0.03) * np.float32(1 / volume))
    line = np.float32(person.hairline) + np.float32(person.hair_arch) * (x - np.float32(person.hair_part)) ** 2
    edge = 0.02 * _looked_up(grain, x * 0.5, y * 0.08)
    sides = side - np.float32(person.head_width) * (0.9 - 0.16 * np.clip(-y, 0, 1)) + 0.5 * edge
    sides = np.minimum(sides, np.float32(max(person.hair_length, -0.25)) - y)
    front = field.inside(0.5 * np.maximum(line - y + edge, sides))
    mask = front * field.inside((1 - outer) * np.float32(0.35)) * (outer < 1.15)
    strands = _looked_up(grain, x * 0.9 + 0.05 * y, y * 0.06 + 0.15 * x)
    shade = np.clip(1 + 0.22 * strands, 0.4, 1.7)
    layers.paint(person.hair[None, :, None, None] * shade[:, None], mask)
    dome = np.float32(person.depth) * np.sqrt(np.clip(1.02 - outer, 0, 1)) + 0.02 * strands
    layers.height += (dome + np.float32(0.4 * person.hair_volume) - layers.height) * mask
    layers.gloss += 0.03 * mask
    layers.cover = np.maximum(layers.cover, mask)


def _glasses(layers: _Layers, person: Identity, field: _Field) -> None:
    across = np.abs(field.side - np.float32(person.eye_x)) * np.float32(1 / (person.eye_width * 1.5))
    down = np.abs(field.y - np.float32(person.eye_y + 0.02)) * np.float32(1 / (0.12 + 0.03 * person.frame_round))
    circle = np.sqrt(across * across + down * down)
    reach = circle + np.float32(person.frame_round) * (np.maximum(across, down) - circle)
    rim = bump(np.square((reach - 1) * 8))
    bridge = bump(np.square((field.y - np.float32(person.eye_y - 0.01)) * 50)) * (
        field.side < person.eye_x - person.eye_width * 1.4
    )
    temple = bump(np.square((field.y - np.float32(person.eye_y)) * 50)) * (
        field.side > person.eye_x + person.eye_width * 1.45
    )
    mask = np.clip(1.5 * np.maximum(rim, np.maximum(bridge, temple * (field.skull < 1))), 0, 1).astype(np.float32)
    layers.paint(person.frame, mask)
    layers.gloss += 0.15 * mask + 0.03 * (reach < 1)


def _shadow(height: Floats, light: Light, pixel: float) -> Floats:
    """Return how much of the lamp each point sees [T, H, W], by marching a few steps towards it over the height field."""
    right, down, out = light.direction
    flat = float(np.hypot(right, down))
    if flat < 0.05:
        return np.ones_like(height)
    hidden = np.zeros_like(height)
    for distance in (0.07, 0.15, 0.27):
        shift_x, shift_y = round(distance * right / flat / pixel), round(distance * down / flat / pixel)
        ahead = np.roll(height, (-shift_y, -shift_x), axis=(-2, -1))
        rise = np.float32(distance * out / flat)
        np.maximum(
            hidden, np.clip((ahead - height - rise) * np.float32(1 / (0.35 * light.softness + 0.02)), 0, 1), out=hidden
        )
    return 1 - 0.85 * blurred(hidden, 0.03 / pixel * light.softness * 10)


def _shaded(layers: _Layers, field: _Field, light: Light, person: Identity) -> Floats:
    """Return the radiance [T, 3, H, W]: Lambert with a subsurface wrap per channel, Blinn highlights, ambient occlusion."""
    height = layers.height
    slope_y, slope_x = np.gradient(height, np.float32(field.pixel), axis=(-2, -1))
    slope_x, slope_y = np.clip(slope_x, -2.5, 2.5), np.clip(slope_y, -2.5, 2.5)
    scale = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    right, down, out = (np.float32(part) for part in light.direction)
    facing = (out - slope_x * right - slope_y * down) * scale
    shadow = _shadow(height, light, field.pixel)
    hollow = np.clip(1 + 2.2 * (height - blurred(height, 0.09 / field.pixel)), 0.45, 1.1)
    ambient = (0.78 + 0.22 * slope_y * scale) * hollow
    half = np.array([right, down, out + 1], np.float32)
    half /= np.linalg.norm(half)
    shine = np.exp(-26 * (1 - np.clip((half[2] - slope_x * half[0] - slope_y * half[1]) * scale, 0, 1))) * shadow
    shine *= layers.gloss + np.float32(person.oiliness)
    result = np.empty_like(layers.albedo)
    for channel, wrap in enumerate((0.30, 0.16, 0.10)):
        lamp = np.clip((facing + wrap) * np.float32(1 / (1 + wrap)), 0, 1) * shadow * light.key[channel]
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
    size = background.shape[-1]
    field = _field(person, motion, size, view)
    blotches, grain = _textures(person)
    shape = field.x.shape
    empty = np.zeros(shape, np.float32)
    layers = _Layers(np.zeros((shape[0], 3, *shape[1:]), np.float32), empty, np.zeros_like(empty), np.zeros_like(empty))
    _background(layers, person, motion, field)

    head = field.inside((1 - np.sqrt(field.skull)) * np.float32(person.head_width))
    tint = _looked_up(blotches, field.x * 0.45, field.y * 0.45) * np.float32(person.blotches)
    skin = person.skin[None, :, None, None] * (
        1 + tint[:, None] * np.array([0.5, 1.0, 0.9], np.float32)[None, :, None, None]
    )
    rosy = 0.5 * bump(np.square((field.side - np.float32(person.eye_x)) * 5) + np.square((field.y - 0.2) * 6))
    skin[:, 1:] *= 1 - 0.25 * rosy[:, None]
    layers.paint(skin, head)
    layers.height += (_shape(person, motion, field) - layers.height) * head
    layers.cover = np.maximum(layers.cover, head)
    if person.beard:
        _beard(layers, person, field, grain)
    _nostrils(layers, person, field, skin)
    _mouth(layers, person, motion, field)
    _eyes(layers, person, motion, field, skin)
    _brows(layers, person, field)
    _hair(layers, person, field, grain)
    if person.glasses:
        _glasses(layers, person, field)

    radiance = _shaded(layers, field, light, person)
    return np.asarray(background[None] + (radiance - background[None]) * layers.cover[:, None], np.float32)
