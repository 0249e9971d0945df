"""Eyes, eyebrows and glasses, each painted as albedo, height and gloss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit_synthetic.imaging import bump, floats, smoothstep
from padkit_synthetic.people.canvas import Field, Layers, Textures, looked_up
from padkit_synthetic.people.identity import Identity, Motion

SCLERA = np.array([0.46, 0.42, 0.395], np.float32)
CREASE = (0.40, 0.28, 0.26)


def paint_eyes(
    layers: Layers, person: Identity, motion: Motion, field: Field, lamp: tuple[float, float, float]
) -> None:
    """Paint eyeballs, irises with a reflection of the lamp, lids, lashes, and furrows and bags under the eyes."""
    face = person.shape
    window = field.where(
        side=(face.eye_x - 2.1 * face.eye_width, face.eye_x + 2.1 * face.eye_width),
        y=(face.eye_y - 0.16, face.eye_y + 0.22),
    )
    whole, field = layers.part(window), field.part(window)
    layers = whole.copied()
    across = (field.side - face.eye_x) * (1 / face.eye_width)
    down = field.y - face.eye_y - (face.eye_slant * face.eye_width) * across
    arc = np.clip(1 - across * across, 0, 1)
    # The upper lid peaks towards the nose, the lower one towards the temple: an almond.
    peak = np.sqrt(arc) * (0.45 + 0.55 * arc)
    opened = face.eye_height * (1 - 0.30 * motion.smile)
    lower = (0.62 - 0.25 * motion.smile) * opened * arc * (1 + 0.25 * across)
    upper = -opened * peak * (1 - 0.18 * across)
    upper = upper + (0.9 * lower - upper) * motion.blink

    socket = bump(np.square(across * 0.75) + np.square((down + 0.025) * (1 / 0.075)))
    layers.tint((0.86, 0.79, 0.78), socket * 0.8)
    ball = field.inside(np.minimum(down - upper, lower - down)) * (arc > 0)
    round_off = 1 - 0.30 * across * across
    shaded = floats(round_off * (0.5 + 0.5 * smoothstep(down - upper, -0.005, 0.045)))
    sclera = SCLERA * (0.72 + 0.5 * float(person.skin[1]))
    layers.paint(sclera[None, :, None, None] * shaded[:, None], ball)
    corner = bump(np.square((across + 0.92) * 7)) * ball
    layers.paint(np.array([0.40, 0.17, 0.14], np.float32), 0.7 * corner)

    radius = face.iris_radius
    centre_x = field.x - np.sign(field.x) * face.eye_x - motion.gaze_x * radius
    centre_y = field.y - face.eye_y - motion.gaze_y * radius + 0.10 * opened
    reach = np.sqrt(centre_x * centre_x + centre_y * centre_y) * (1 / radius)
    iris = ball * field.inside((1 - reach) * radius)
    tone = floats((0.45 + 0.75 * bump(np.square((reach - 0.62) * 3.2))) * (0.55 + 0.45 * shaded))
    layers.paint(person.iris[None, :, None, None] * tone[:, None], iris)
    layers.paint(np.full(3, 0.006, np.float32), ball * field.inside((0.40 - reach) * radius))
    glint_x, glint_y = centre_x - float(0.35 * radius * np.sign(lamp[0] + 1e-3)), centre_y + 0.35 * radius
    glint = bump((glint_x * glint_x + glint_y * glint_y) * (1 / (0.20 * radius) ** 2)) * ball
    layers.paint(np.full(3, 1.1, np.float32), 0.9 * glint)
    np.multiply(layers.gloss, 1 - 0.8 * ball, out=layers.gloss)

    outer = np.clip(0.65 + 0.45 * across, 0.2, 1.3)
    ends = smoothstep(np.abs(across), 1.14, 0.92)
    edge = np.where(np.abs(across) < 1, upper, 0.0)
    lash = bump(np.square((down - edge + 0.004) * (1 / (0.009 + 0.008 * face.lashes))) / outer) * ends
    layers.paint(np.full(3, 0.012, np.float32), np.clip((0.62 + 0.35 * face.lashes) * lash, 0, 1))
    rim = bump(np.square((down - lower) * (1 / 0.010))) * smoothstep(np.abs(across), 1.05, 0.8) * (1 - 0.6 * iris)
    layers.tint(CREASE, 0.6 * rim)
    _paint_lids(layers, person, motion, across, down, edge, arc)
    whole.become(layers)


def _paint_lids(
    layers: Layers,
    person: Identity,
    motion: Motion,
    across: NDArray[Any],
    down: NDArray[Any],
    edge: NDArray[Any],
    arc: NDArray[Any],
) -> None:
    face, age = person.shape, person.age
    fold = (edge - face.lid_fold - 0.008) * (1 - 0.25 * age * np.clip(across, 0, 1))
    above = np.square((down - fold) * (1 / 0.010))
    layers.tint(CREASE, (0.45 + 0.2 * age) * bump(above) * smoothstep(np.abs(across), 1.2, 0.7))
    # The furrow under the eye and the bag above it.
    root = np.sqrt(arc)
    line = 0.055 + 0.055 * root
    furrow = bump(np.square((down - line) * (1 / 0.016))) * smoothstep(np.abs(across + 0.1), 1.15, 0.6)
    layers.tint(CREASE, (0.06 + 0.74 * age + 0.10 * motion.smile * (1 - age)) * furrow)
    bag = bump(np.square((down - 0.7 * line) * (1 / 0.03))) * root
    layers.height += (0.004 + 0.016 * age + 0.012 * motion.smile) * bag
    layers.tint((0.80, 0.66, 0.68), 0.75 * age * bag)
    # Crow's feet fan out from the outer corner.
    away = across - 1.15
    fan = np.square(np.sin((down - 0.01) * (48 / (1 + 0.9 * np.clip(away, 0, 2)))))
    feet = fan * fan * smoothstep(away, -0.1, 0.15) * smoothstep(away, 0.85, 0.35) * (np.abs(down) < 0.085)
    layers.tint(CREASE, (0.78 * age + 0.04 * motion.smile * (1 - age)) * feet)


def paint_brows(layers: Layers, person: Identity, motion: Motion, field: Field, tiles: Textures) -> None:
    """Paint the eyebrows: hairs that lean outwards, dense in the middle, tapering to the temple."""
    face = person.shape
    window = field.where(side=(0.0, face.eye_x + 1.4 * face.brow_length), y=(-0.45, face.eye_y + 0.02))
    layers, field = layers.part(window), field.part(window)
    along = (field.side - face.eye_x - 0.01) * (1 / face.brow_length)
    # The arch rises gently from the nose and drops to the temple: a level look.
    bend = np.square(along - 0.25) * (0.25 + 0.75 * floats(along > 0.25))
    height = face.eye_y - face.brow_gap + face.brow_arch * (bend - 0.15) - face.brow_tilt * np.clip(-along, 0, 1)
    height = height - 0.012 * motion.smile
    thick = face.brow_weight * np.clip(1.15 - 0.42 * along, 0.45, 1.5)
    strands = looked_up(tiles.strands, field.side * 1.3 + 1.1 * field.y, field.side * 0.2)
    squared = np.square((field.y - height) / thick)
    brow = bump(squared * squared) * smoothstep(np.abs(along), 1.15, 0.75)
    mask = np.clip(brow * (0.84 + 0.12 * strands), 0, 0.93)
    layers.paint(0.3 * (person.hair.colour + person.hair.temples), mask)
    layers.height += 0.008 * floats(mask)


def paint_glasses(layers: Layers, person: Identity, field: Field) -> None:
    """Paint the frame of the glasses with its shadow; the lenses shine a little."""
    face = person.shape
    window = field.where(side=(0.0, face.head_width), y=(face.eye_y - 0.24, face.eye_y + 0.28))
    layers, field = layers.part(window), field.part(window)
    wide = min(face.eye_width * 1.5, face.eye_x - 0.045)
    tall = 0.125 + 0.02 * (1 - face.frame_round)
    across, down = np.abs(field.side - face.eye_x), field.y - (face.eye_y + 0.02)
    lens_x, lens_y = across * (1 / wide), np.abs(down) * (1 / tall)
    circle = np.sqrt(lens_x * lens_x + lens_y * lens_y)
    squared = np.sqrt(
        np.sqrt(lens_x**2 * lens_x**2 * lens_x**2 * lens_x**2 + lens_y**2 * lens_y**2 * lens_y**2 * lens_y**2)
    )
    box = np.sqrt(squared)
    reach = circle + face.frame_round * (box - circle)
    weight = face.frame_weight
    rim = field.inside(0.5 * weight - np.abs(reach - 1) * tall, 0.006)
    bridge = field.inside(0.5 * weight - np.abs(down + 0.045 + 0.5 * np.square(field.side)), 0.006)
    bridge *= field.side < face.eye_x - wide + 0.01
    temple = field.inside(0.5 * weight - np.abs(down + 0.03), 0.006) * (field.side > face.eye_x + wide - 0.01)
    mask = np.maximum(rim, np.maximum(bridge, temple * (field.skull < 1)))
    below = bump(np.square((reach - 1.12) * 9)) * (down > 0)
    layers.tint((0.72, 0.66, 0.64), 0.6 * below)
    layers.paint(person.frame, mask)
    layers.height += 0.03 * mask
    layers.gloss += 0.10 * mask + 0.05 * (reach < 0.95) * smoothstep(down + 0.6 * field.x, 0.05, -0.15)
