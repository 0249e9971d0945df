"""The features of a face, each painted as albedo, height and gloss: from behind the head to the glasses."""

from __future__ import annotations

import numpy as np

from padkit_synthetic.canvas import Field, Layers, looked_up, skull
from padkit_synthetic.identity import Identity, Motion
from padkit_synthetic.imaging import Floats, bump, smoothstep


def paint_behind(layers: Layers, person: Identity, field: Field) -> None:
    """Lay hair behind the head, neck, clothing and ears over the background."""
    face = person.shape
    y, side = field.y, field.side
    if person.hair_length > 0.3:
        outer = face.head_width + face.hair_volume + 0.04
        flow = outer * (1 + 0.08 * np.sin(y * 4)) - side
        curtain = field.inside(flow) * (y < person.hair_length) * (y > -0.2)
        layers.paint(person.hair * 0.8, curtain.astype(np.float32))
        layers.cover = np.maximum(layers.cover, curtain)
    neck = field.inside((face.head_width * 0.62) - side) * (y > 0.4)
    layers.paint(person.skin * 0.6, neck)
    shoulders = field.inside(y - 0.93 - 0.16 * (side - 0.3) * (side > 0.3))
    layers.paint(person.clothing, shoulders)
    across = (side - (face.head_width * 0.99)) * (1 / 0.085)
    down = (y - (face.eye_y + 0.12)) * (1 / 0.17)
    ear = field.inside((1 - across * across - down * down) * 0.06)
    layers.paint(person.skin * 0.9, ear)
    layers.height += 0.12 * ear * np.sqrt(np.clip(1 - across * across - down * down, 0, 1))
    layers.cover = np.maximum(np.maximum(layers.cover, ear), np.maximum(neck, shoulders))


def paint_nostrils(layers: Layers, person: Identity, field: Field, skin: Floats) -> None:
    """Darken the nostrils."""
    face = person.shape
    across = (field.side - (face.nose_width * 0.48)) * (1 / 0.032)
    down = (field.y - (face.nose_y + 0.05)) * (1 / 0.016)
    layers.paint(skin * 0.12, 0.85 * bump(across * across + down * down))


def paint_mouth(layers: Layers, person: Identity, motion: Motion, field: Field) -> None:
    """Lay lips, the line between them, and teeth in an open mouth."""
    face = person.shape
    width = face.mouth_width * (1 + 0.22 * motion.smile)
    across = field.x / width
    arc = np.clip(1 - across * across, 0, 1)
    middle = field.y - face.mouth_y + motion.smile * 0.075 * (across * across - 0.35)
    gap = 0.05 * motion.mouth_open * arc
    cupid = 1 - 0.28 * bump(np.square(field.x * (1 / 0.03)))
    top = -gap * 0.5 - face.lip_upper * np.sqrt(arc) * cupid
    bottom = gap + face.lip_lower * np.sqrt(arc)
    lips = field.inside(np.minimum(middle - top, bottom - middle)) * (arc > 0)
    layers.paint(person.lips, (0.9 * lips).astype(np.float32))
    layers.gloss += 0.05 * lips
    hole = field.inside(np.minimum(middle + gap * 0.5, gap - middle)) * (arc > 0.02) * (motion.mouth_open > 0.02)
    layers.paint(np.array([0.035, 0.012, 0.01], np.float32), hole.astype(np.float32))
    teeth = hole * smoothstep(middle - 0.3 * gap, 0.012, -0.012) * (motion.mouth_open > 0.25)
    layers.paint(np.array([0.6, 0.56, 0.5], np.float32), teeth.astype(np.float32))
    line = bump(np.square(middle * (1 / 0.009))) * (np.abs(across) < 1.05) * (1 - hole)
    layers.paint(person.lips * 0.25, (0.75 * line).astype(np.float32))


def paint_eyes(layers: Layers, person: Identity, motion: Motion, field: Field, skin: Floats) -> None:
    """Lay eyeballs, irises, lids and what lies under tired eyes."""
    face = person.shape
    x, y, side = field.x, field.y, field.side
    across = (side - face.eye_x) * (1 / face.eye_width)
    down = y - face.eye_y - (face.eye_slant * face.eye_width) * across
    arc = np.clip(1 - across * across, 0, 1)
    opened = face.eye_height * (1 - motion.blink) * (1 - 0.22 * motion.smile)
    upper, lower = -opened * arc, 0.75 * opened * arc
    white = field.inside(np.minimum(down - upper, lower - down)) * (arc > 0)
    layers.paint(np.array([0.46, 0.42, 0.40], np.float32), white)
    toward = np.sign(x) * motion.gaze_x * face.iris_radius
    centre_x = side - face.eye_x - toward
    centre_y = y - face.eye_y - motion.gaze_y * face.iris_radius + 0.004
    reach = np.sqrt(centre_x * centre_x + centre_y * centre_y)
    layers.paint(person.iris, white * field.inside(face.iris_radius - reach))
    layers.paint(np.full(3, 0.01, np.float32), white * field.inside((0.42 * face.iris_radius) - reach))
    layers.gloss += 0.3 * white
    lid = bump(np.square((down - upper) * (1 / 0.016))) * (np.abs(across) < 1.08)
    lid = np.maximum(lid, 0.4 * bump(np.square((down - lower) * (1 / 0.013))) * (np.abs(across) < 1.0))
    layers.paint(np.minimum(skin * 0.16, 0.03).astype(np.float32), (0.85 * lid).astype(np.float32))
    crease = bump(np.square((down - upper + 0.035) * (1 / 0.012))) * (np.abs(across) < 1.0)
    bag = bump(np.square((down - 0.085 * np.sqrt(arc)) * 50)) * (np.abs(across) < 0.9)
    tired = crease * 0.4 + bag * (0.05 if person.young else 0.3)
    layers.paint(skin * 0.45, tired.astype(np.float32))


def paint_brows(layers: Layers, person: Identity, field: Field) -> None:
    """Lay the eyebrows."""
    face = person.shape
    along = (field.side - face.eye_x) * (1 / face.brow_length)
    height = (face.eye_y - face.brow_gap) + face.brow_arch * (along - 0.25) ** 2
    thick = face.brow_weight * np.clip(1.15 - 0.5 * along, 0.4, 2)
    brow = bump(np.square((field.y - height) / thick)) * smoothstep(np.abs(along), 1.15, 0.9)
    layers.paint(person.hair * 0.55, np.clip(1.2 * brow, 0, 0.92))


def paint_beard(layers: Layers, person: Identity, field: Field, grain: Floats) -> None:
    """Lay beard and moustache over the lower face."""
    face = person.shape
    below = smoothstep(field.y + 0.5 * np.square(field.side - 0.45), face.nose_y + 0.06, face.nose_y + 0.2)
    cheeks = smoothstep(field.side + 0.7 * (field.y - face.mouth_y), 0.12, 0.3)
    under = smoothstep(field.y, face.mouth_y + 0.06, face.mouth_y + 0.14)
    moustache = bump(np.square((field.y - (face.mouth_y - 0.075)) * 24)) * (field.side < 0.24)
    mask = np.clip(below * np.maximum(cheeks, under) + moustache, 0, 1) * (field.skull < 1.02)
    strands = looked_up(grain, field.x * 0.6, field.y * 0.35)
    mask = np.clip(mask * (0.8 + 0.22 * strands), 0, 0.95).astype(np.float32)
    layers.paint(person.hair * 0.75, mask)
    layers.height += 0.012 * mask * (1 + 0.5 * strands)


def paint_hair(layers: Layers, person: Identity, field: Field, grain: Floats) -> None:
    """Lay the hair of crown and sides over the head."""
    face = person.shape
    if person.bald:
        return
    x, y = field.x, field.y
    volume = 1 + face.hair_volume * 1.6
    outer = skull(person, x * (1 / volume), (y + 0.03) * (1 / volume))
    line = face.hairline + face.hair_arch * (x - face.hair_part) ** 2
    edge = 0.02 * looked_up(grain, x * 0.5, y * 0.08)
    temple = np.sqrt(1 - np.square(np.clip(y * (1 / face.head_height), -0.98, 0)))
    sides = np.abs(x) - 0.88 * face.head_width * temple + 0.5 * edge
    sides = np.minimum(sides, max(person.hair_length, -0.25) - y)
    front = field.inside(0.5 * np.maximum(line - y + edge, sides))
    mask = front * field.inside((1 - outer) * 0.35) * (outer < 1.15)
    strands = looked_up(grain, x * 0.9 + 0.05 * y, y * 0.06 + 0.15 * x)
    shade = np.clip(1 + 0.22 * strands, 0.4, 1.7)
    layers.paint(person.hair[None, :, None, None] * shade[:, None], mask)
    dome = face.depth * np.sqrt(np.clip(1.02 - outer, 0, 1)) + 0.014 * strands
    layers.height += (dome + (0.4 * face.hair_volume) - layers.height) * mask
    layers.gloss += 0.02 * mask
    layers.cover = np.maximum(layers.cover, mask)


def paint_glasses(layers: Layers, person: Identity, field: Field) -> None:
    """Lay the frame of the glasses; the lenses shine a little."""
    face = person.shape
    across = np.abs(field.side - face.eye_x) * (1 / (face.eye_width * 1.5))
    down = np.abs(field.y - (face.eye_y + 0.02)) * (1 / (0.12 + 0.03 * face.frame_round))
    circle = np.sqrt(across * across + down * down)
    reach = circle + face.frame_round * (np.maximum(across, down) - circle)
    rim = bump(np.square((reach - 1) * 8))
    bridge = bump(np.square((field.y - (face.eye_y - 0.01)) * 50)) * (field.side < face.eye_x - face.eye_width * 1.4)
    temple = bump(np.square((field.y - face.eye_y) * 50)) * (field.side > face.eye_x + face.eye_width * 1.45)
    mask = np.clip(1.5 * np.maximum(rim, np.maximum(bridge, temple * (field.skull < 1))), 0, 1).astype(np.float32)
    layers.paint(person.frame, mask)
    layers.gloss += 0.15 * mask + 0.03 * (reach < 1)
