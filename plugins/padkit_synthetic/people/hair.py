"""Hair: the silhouette around the skull, the hairline on the face, and strands from the parting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import Floats, bump, floats, smoothstep
from padkit_synthetic.people.canvas import Field, Layers, Textures, Window, looked_up
from padkit_synthetic.people.identity import Identity


@dataclass(frozen=True, slots=True)
class Fall:
    """The shape of a person's hair [T, H, W].

    Attributes:
        outline: Mask of everything within the silhouette.
        front: Mask of the hair before the head.
        rise: The same with a wide edge, so that hair ends on the skin without a step.
        strands: Texture along the strands, about zero mean and unit deviation.
        dome: Height of the hair.
        grey: How much the hair has the colour of the temples; None where that is no other colour.
        window: The part of the picture that these arrays cover; there is no hair elsewhere.
    """

    outline: Floats
    front: Floats
    rise: Floats
    strands: Floats
    dome: Floats
    grey: Floats | None
    window: Window

    def within(self, mask: Floats) -> Fall:
        """Return the rows in which `mask` is not empty."""
        rows = np.flatnonzero(mask.any((0, 2)))
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 1)
        frames, outer, columns = self.window
        part = (slice(None), slice(top, bottom))
        return Fall(
            outline=self.outline[part],
            front=self.front[part],
            rise=self.rise[part],
            strands=self.strands[part],
            dome=self.dome[part],
            grey=None if self.grey is None else self.grey[part],
            window=(frames, slice(outer.start + top, outer.start + bottom), columns),
        )


def _strands(person: Identity, field: Field, tiles: Textures) -> Floats:
    """Return the texture along the strands: they start at the parting and hang down at the sides."""
    hair, crown = person.hair, person.shape.head_height + person.hair.top
    fallen = np.clip(field.y + crown, 0, 3)
    across = (field.x - hair.part) / (0.30 + fallen / (1 + 0.9 * fallen))
    if hair.parted:
        across += float(0.30 * np.sign(hair.part)) * field.y * smoothstep(field.y, 0.1, -0.3)
    across += (0.05 * hair.curl) * np.sin(field.y * 13 + 3 * field.x)
    straight = looked_up(tiles.strands, across * 0.62 + 0.5, field.y * 0.25 + 0.2 * field.side + 0.5)
    if hair.top < 0.05 and hair.end < 0.2:
        # Short hair stands up: only its tips are visible.
        return floats(0.3 * straight + 0.8 * looked_up(tiles.grain, field.x * 0.7, field.y * 0.45))
    if hair.curl < 0.3:
        return straight
    curled = looked_up(tiles.curls, field.x * 0.5, field.y * 0.5)
    return floats(straight + hair.curl * (curled - straight))


def _outline(person: Identity, field: Field, strands: Floats, lumps: Floats) -> Floats:
    """Return the mask of the silhouette."""
    face, hair = person.shape, person.hair
    radius = np.sqrt(field.skull)
    high = smoothstep(field.y, 0.0, -0.75 * face.head_height)
    swept = 1 + float(0.35 * np.sign(-hair.part)) * np.clip(field.x * 1.6, -1, 1) if hair.parted else 1.0
    volume = hair.side + (hair.top * swept - hair.side) * high
    around = volume - (radius - 1) * (face.head_width + (face.head_height - face.head_width) * high)
    # Below the ears hair hangs straight, whatever the form of the jaw.
    wave = 0.02 * np.sin(field.y * (5 + 6 * hair.curl) + np.sign(field.x))
    below = face.head_width + hair.side + wave - field.side
    flare = 0.12 if hair.end > 0.9 else -0.05
    below += flare * np.clip(field.y - 0.1, 0, 1)
    distance = np.where(field.y > 0, below, around)
    distance += (0.008 + 0.035 * hair.curl * min(1.0, 8 * hair.top)) * lumps + 0.007 * strands
    mask = field.inside(distance, 0.016)
    ends = hair.end - field.y + 0.03 * strands + 0.04 * lumps - 0.25 * np.clip(field.side - face.head_width, 0, 1)
    return floats(mask * field.inside(ends, 0.03))


def _front(person: Identity, field: Field, strands: Floats, lumps: Floats) -> tuple[Floats, Floats]:
    """Return sharp and wide masks of the hair before the head: outside an opening, round like a forehead."""
    face, hair = person.shape, person.hair
    line = hair.hairline - hair.recession * bump(np.square((field.side - 0.52 * face.head_width) * (1 / 0.17)))
    if hair.fringe > 0:
        opened = bump(np.square((field.x - hair.part) * (1 / 0.16))) if hair.parted else 0.0
        line += hair.fringe * (1 - 0.9 * opened)
    # A fringe ends in locks, a grown hairline in single hairs.
    hanging = min(1.0, 8 * hair.fringe)
    edge = (0.006 + 0.012 * hanging) * strands + 0.012 * lumps
    wide = face.head_width * (0.90 if hair.end < 0.2 else 0.84)
    up = np.clip((face.eye_y - field.y) / (face.eye_y - line), 0, 3)
    out = field.side * (1 / wide)
    blunt = 2.4 if hair.recession > 0.1 else 3.0
    reach = (up * up * up + out * out * out) if blunt == 3.0 else up * up * np.sqrt(np.sqrt(up)) + out * out * out
    over = (reach - 1) * (0.28 * (face.eye_y - hair.hairline))
    # Hair before the ears ends in a point (sideburn) or hangs on.
    beside = field.side - (wide + (0.0 if hair.end > 0.2 else 0.35) * np.clip(field.y - face.eye_y, 0, 1))
    over = np.where(field.y < face.eye_y, over + edge, beside + 0.3 * edge)
    return field.inside(over, 0.028 - 0.01 * hanging), field.inside(over - 0.09, 0.13)


def fallen(person: Identity, field: Field, tiles: Textures) -> Fall | None:
    """Return the shape of a person's hair; None for a bald head."""
    face, hair = person.shape, person.hair
    if hair.bald:
        return None
    # Ends waver by their strands and lumps.
    _, rows, _ = field.where(side=(0.0, 9.0), y=(-9.0, hair.end + 0.32))
    window = (slice(None), rows, slice(None))
    field = field.part(window)
    strands = _strands(person, field, tiles)
    lumps = looked_up(tiles.blotches, field.x * 0.35, field.y * 0.35 + 0.3)
    outline = _outline(person, field, strands, lumps)
    front, rise = _front(person, field, strands, lumps)
    grey = None
    if hair.temples is not hair.colour:
        grey = smoothstep(field.side - 0.35 * field.y, 0.42, 0.72) * smoothstep(strands, -1.6, 0.2)
    swollen = np.clip(1.03 + 0.5 * hair.top - field.skull, 0, 1)
    dome = face.depth * np.sqrt(swollen) + 0.2 * hair.side + 0.02
    dome += (0.010 + 0.008 * hair.curl) * strands + 0.012 * lumps
    return Fall(outline, outline * front, outline * rise, strands, floats(dome), grey, window)


def _lay(layers: Layers, person: Identity, fall: Fall, mask: Floats, shade: float) -> None:
    # Light scatters between light hairs: they shade each other less.
    depth = (0.20 + 0.14 * person.hair.curl) * (1 - 0.55 * float(person.hair.colour[1]) ** 0.5)
    tone = floats(shade * np.clip(1 + depth * fall.strands, 0.35, 1.8))
    colour, temples = person.hair.colour, person.hair.temples
    if fall.grey is None:
        layers.paint(colour[None, :, None, None] * tone[:, None], mask)
        return
    grey = fall.grey[:, None]
    blend = colour[None, :, None, None] * (1 - grey) + temples[None, :, None, None] * grey
    layers.paint(blend * tone[:, None], mask)


def paint_hair_behind(layers: Layers, person: Identity, field: Field, fall: Fall | None) -> None:
    """Paint the hair behind the head and the neck, and a bun."""
    if fall is None:
        return
    layers, field = layers.part(fall.window), field.part(fall.window)
    _lay(layers, person, fall, fall.outline, 0.42)
    layers.cover_with(fall.outline)
    layers.raise_to(-0.25, fall.outline)
    bun = person.hair.bun
    if bun > 0:
        top = person.shape.head_height + person.hair.top + 0.15 * bun
        squared = (np.square(field.x) + np.square((field.y + top) * 1.15)) * (1 / bun**2)
        mask = field.inside((1 - np.sqrt(squared)) * bun + 0.01 * fall.strands, 0.02)
        _lay(layers, person, fall, mask, 0.85)
        layers.raise_to(0.15 * np.sqrt(np.clip(1 - squared, 0, 1)), mask)
        layers.cover_with(mask)


def paint_hair(layers: Layers, person: Identity, field: Field, fall: Fall | None) -> None:
    """Paint the hair before the head; it shades the skin next to it."""
    if fall is None:
        return
    fall = fall.within(fall.rise)
    layers, field = layers.part(fall.window), field.part(fall.window)
    _lay(layers, person, fall, fall.front, 1.0)
    # Locks beside the face are in the shade of those above them.
    low = fall.front * smoothstep(field.y, 0.0, 0.9)
    layers.tint((0.6, 0.6, 0.6), low)
    layers.raise_to(fall.dome, fall.rise)
    sheen = 0.045 * (1 - 0.75 * person.hair.curl) * float(0.25 + 1.5 * person.hair.colour.mean())
    layers.polish(sheen * np.clip(1 + 0.7 * fall.strands, 0, 2.2), fall.front)
    layers.cover_with(fall.front)
