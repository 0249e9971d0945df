"""The features of a face, each painted as albedo, height and gloss: skin, ears, neck, nose, mouth and beard."""

from __future__ import annotations

import numpy as np

from padkit_synthetic.imaging import Floats, bump, floats, smoothstep
from padkit_synthetic.people.canvas import Field, Layers, Textures, looked_up
from padkit_synthetic.people.identity import Identity, Motion

CREASE = (0.44, 0.31, 0.29)
TEETH = np.array([0.74, 0.71, 0.64], np.float32)
GUMLESS_DARK = np.array([0.035, 0.012, 0.010], np.float32)


def paint_body(layers: Layers, person: Identity, field: Field) -> None:
    """Paint the neck in the shade of the chin, and the clothing."""
    face = person.shape
    chin = face.head_height
    window = field.where(side=(0.0, 9.0), y=(0.3, 9.0))
    layers, field = layers.part(window), field.part(window)
    wide = face.head_width * (0.66 - 0.22 * face.jaw)
    x, y = field.body_x, field.body_y
    side = np.abs(x)
    reach = wide + 0.9 * np.square(np.clip(y - 0.82, 0, 1))
    neck = field.inside(reach - side, 0.012)
    layers.paint(person.skin, neck)
    layers.raise_to(floats(-0.35 + 0.3 * np.sqrt(np.clip(1.02 - np.square(side / reach), 0, 1))), neck)
    shade = smoothstep(field.y, chin + 0.22, chin - 0.02) * (0.75 + 0.25 * smoothstep(side, wide, 0.3 * wide))
    layers.tint((0.46, 0.37, 0.34), neck * shade)
    collar = np.square(side * (1 / (wide + 0.05))) + np.square((y - 0.88) * (1 / 0.17)) - 1
    slope = y - (0.88 + 0.22 * side)
    cloth = field.inside(np.minimum(slope, 0.1 * collar), 0.01)
    layers.paint(person.clothing, cloth)
    layers.raise_to(floats(-0.22 - 0.25 * np.square(x) + 0.06 * np.clip(y - 0.9, 0, 1)), cloth)
    layers.cover_with(np.maximum(neck, cloth))


def paint_ears(layers: Layers, person: Identity, field: Field) -> None:
    """Paint the ears beside the head, between brow and nose."""
    face = person.shape
    middle, tall, wide = 0.5 * (face.eye_y - 0.06 + face.nose_y), 0.20 + 0.03 * person.age, 0.085
    window = field.where(
        side=(face.head_width - 0.1, face.head_width + 0.15), y=(middle - 1.2 * tall, middle + 1.2 * tall)
    )
    whole, field = layers.part(window), field.part(window)
    layers = whole.copied()
    lean = 0.10 * (field.y - middle)
    across = (field.side - (face.head_width * 0.985 - lean)) * (1 / wide)
    down = (field.y - middle) * (1 / floats(tall))
    squared = across * across + down * down
    ear = field.inside((1 - np.sqrt(squared)) * wide, 0.01)
    layers.paint(person.skin, ear)
    layers.tint((0.90, 0.72, 0.70), ear)
    inner = bump(np.square((squared - 0.25) * 3.0))
    layers.tint((0.55, 0.42, 0.40), 0.7 * ear * inner)
    layers.raise_to(floats(0.02 + 0.05 * bump(np.square((squared - 0.7) * 3))), ear)
    layers.cover_with(ear)
    whole.become(layers)


def paint_skin(layers: Layers, person: Identity, motion: Motion, field: Field, head: Floats, tiles: Textures) -> None:
    """Paint the skin of the head: redder where blood is near, blotchy, freckled, spotted or stubbly.

    Args:
        layers: The part of the portrait that holds the head; painted in place.
        person: The person.
        motion: What the person does.
        field: The same part of the coordinates.
        head: Mask [T, H, W] of the head.
        tiles: The person's textures.
    """
    face, age = person.shape, person.age
    blotches = looked_up(tiles.blotches, field.x * 0.45, field.y * 0.45)
    tint = blotches * face.blotches * (1 + 0.5 * age)
    apple = np.square((field.side - 1.25 * face.eye_x) * 5) + np.square((field.y - face.nose_y + 0.06) * 6)
    tip = np.square(field.x * 8) + np.square((field.y - face.nose_y) * 9)
    rosy = 0.9 * bump(apple) * (1 + 0.3 * motion.smile) + 0.7 * bump(tip)
    skin = np.empty_like(layers.albedo)
    for channel, (vary, blush) in enumerate(((0.5, 0.02), (1.0, 0.20), (0.9, 0.19))):
        skin[:, channel] = person.skin[channel] * (1 + vary * tint - blush * rosy)
    layers.paint(skin, head)
    layers.polish(face.oiliness, head)
    layers.cover_with(head)
    if face.freckles > 0 and age < 0.5:
        across = bump(np.square((field.y - 0.16) * 3.2)) * smoothstep(field.side, 0.6, 0.3)
        spots = smoothstep(_grain(field, tiles), 1.1, 1.9) * across * head
        layers.tint((0.62, 0.48, 0.42), face.freckles * spots)
    if age > 0.5:
        patches = smoothstep(looked_up(tiles.blotches, field.x * 0.8 + 0.4, field.y * 0.8), 1.25, 1.7)
        layers.tint((0.74, 0.63, 0.56), 0.7 * patches * head * smoothstep(field.side, 0.15, 0.35))
    if face.stubble > 0:
        shadow = face.stubble * beard_region(person, field) * (0.8 + 0.25 * _grain(field, tiles))
        layers.tint((0.55, 0.60, 0.66), floats(np.clip(shadow, 0, 1)) * head)


def _grain(field: Field, tiles: Textures) -> Floats:
    """Return the fine grain of the skin [T, H, W], which only freckles and stubble show."""
    return looked_up(tiles.grain, field.x * 0.4, field.y * 0.4)


def paint_wrinkles(layers: Layers, person: Identity, motion: Motion, field: Field) -> None:
    """Paint lines of the forehead and folds beside nose and mouth, by age and by the smile."""
    face, age = person.shape, person.age
    if age > 0.3:
        window = field.where(side=(0.0, 0.5), y=(-0.62, face.eye_y - face.brow_gap))
        part, brow = field.part(window), layers.part(window)
        bend = part.y - 0.10 * np.square(part.x - 0.05) - 0.012 * np.sin(part.x * 9 + face.head_width * 90)
        upper = face.eye_y - face.brow_gap - 0.065
        lines = np.zeros_like(part.y)
        for number, weight in enumerate((0.8, 1.0, 0.75)):
            lines += weight * bump(np.square((bend - upper + 0.088 * number) * (1 / 0.018)))
        lines *= smoothstep(part.side, 0.44, 0.2)
        brow.tint(CREASE, np.clip(age * 0.95 * lines, 0, 1))
        brow.height -= 0.009 * age * lines
        glabella = bump(np.square((part.side - 0.045) * 90)) * bump(np.square((part.y - upper - 0.08) * 18))
        brow.tint(CREASE, 0.6 * age * glabella)
    start, end = face.nose_y - 0.03, face.mouth_y + 0.02 + 0.07 * age
    widest = 1.57 * face.mouth_width + 0.3
    window = field.where(side=(0.0, widest), y=(start - 0.07, max(end + 0.06, face.mouth_y + 0.21)))
    layers, field = layers.part(window), field.part(window)
    side, y = field.side, field.y
    corner = face.mouth_width * (1.12 + 0.25 * motion.smile) + 0.04
    down = np.clip((y - start) * (1 / (end - start)), 0, 1)
    path = face.nose_width * 1.02 + (corner - face.nose_width) * (down * (1.45 - 0.45 * down))
    fold = side - path
    along = smoothstep(y, start - 0.06, start + 0.05) * smoothstep(y, end + 0.05, end - 0.05)
    depth = 0.05 + 0.72 * age + 0.26 * motion.smile * (1 - 0.5 * age)
    crease = bump(np.square(fold * (1 / 0.023))) * along
    layers.tint(CREASE, np.clip(depth * crease, 0, 0.95))
    swell = bump(np.square((fold - 0.075) * (1 / 0.06))) * along
    layers.height += (0.006 + 0.022 * age + 0.024 * motion.smile) * swell - (0.004 + 0.014 * age) * crease
    if age > 0.3:
        line = bump(np.square((side - corner - 0.15 * (y - face.mouth_y)) * (1 / 0.014)))
        line *= smoothstep(y, face.mouth_y + 0.01, face.mouth_y + 0.05) * smoothstep(
            y, face.mouth_y + 0.2, face.mouth_y + 0.1
        )
        layers.tint(CREASE, 0.75 * age * line * (1 - 0.5 * motion.smile))


def paint_nose(layers: Layers, person: Identity, field: Field) -> None:
    """Darken the nostrils, the crease around the wings and the underside of the nose."""
    face = person.shape
    window = field.where(side=(0.0, 0.32), y=(face.nose_y - 0.2, face.nose_y + 0.2))
    layers, field = layers.part(window), field.part(window)
    wing = face.nose_width
    under = bump(np.square((field.y - face.nose_y - 0.062) * (1 / 0.028)) + np.square(field.x / wing))
    layers.tint((0.70, 0.58, 0.56), 0.75 * under)
    across = (field.side - wing * 0.46) * (1 / (0.30 * wing))
    down = (field.y - (face.nose_y + 0.045) - 0.12 * (field.side - 0.46 * wing)) * (1 / 0.017)
    layers.paint(person.skin * np.array([0.10, 0.06, 0.06], np.float32), 0.85 * bump(across * across + down * down))
    ala = (field.side - wing * 0.78) * (1 / (0.30 * wing))
    height = (field.y - face.nose_y) * (1 / 0.062)
    ring = np.sqrt(ala * ala + height * height)
    crease = bump(np.square((ring - 1) * 4.5)) * smoothstep(field.side, 0.72 * wing, wing)
    layers.tint(CREASE, 0.55 * crease)
    philtrum = bump(np.square((field.side - 0.028) * 60)) * bump(np.square((field.y - face.nose_y - 0.11) * 22))
    layers.tint((0.85, 0.75, 0.74), 0.35 * philtrum)


def paint_mouth(layers: Layers, person: Identity, motion: Motion, field: Field) -> None:
    """Paint lips with volume, the line between them, and teeth in an open mouth."""
    face = person.shape
    window = field.where(side=(0.0, 1.5 * face.mouth_width + 0.05), y=(face.mouth_y - 0.2, face.mouth_y + 0.24))
    whole, field = layers.part(window), field.part(window)
    layers = whole.copied()
    smile = motion.smile
    width = face.mouth_width * (1 + 0.30 * smile)
    across = field.x / width
    squared = across * across
    arc = np.clip(1 - squared, 0, 1)
    root = np.sqrt(arc)
    # A smile lifts the corners; relaxed corners of old mouths sink a little.
    middle = field.y - face.mouth_y + (0.105 * smile - 0.018 * person.age) * squared - 0.030 * smile
    gap = (0.030 * motion.mouth_open * (1 - smile) + (0.045 + 0.045 * motion.mouth_open) * smile) * arc
    cupid = 1 - 0.24 * bump(np.square(field.x * (1 / 0.032)))
    top = -0.35 * gap - face.lip_upper * (0.25 * root + 0.75 * arc) * cupid * (1 - 0.25 * smile)
    bottom = gap + face.lip_lower * root * (0.35 + 0.65 * root) * (1 - 0.2 * smile)
    lips = field.inside(np.minimum(middle - top, bottom - middle), 0.010) * (arc > 0)
    tone = 1 - 0.18 * floats(middle < 0.5 * gap)
    layers.paint(person.lips[None, :, None, None] * tone[:, None], 0.92 * lips)
    layers.gloss += 0.03 * lips
    upper_roll = bump(np.square((middle - 0.5 * top) * (1 / (0.4 * face.lip_upper + 0.01)))) * root
    lower_roll = bump(np.square((middle - 0.5 * (gap + bottom)) * (1 / (0.4 * face.lip_lower + 0.012)))) * root
    layers.height += 0.018 * upper_roll + 0.032 * lower_roll
    hole = field.inside(np.minimum(middle + 0.35 * gap, gap - middle)) * (gap > 0.004)
    layers.paint(GUMLESS_DARK, hole)
    showing = smoothstep(motion.mouth_open + smile, 0.3, 0.7)
    fill = smoothstep(middle, gap * 0.98, gap * 0.98 - 0.022 * (1 - 0.3 * smile)) if gap.size else hole
    gaps = 1 - 0.08 * bump(np.square(np.sin(field.x * (np.pi / 0.062)) * 5))
    dim = floats((1 - 0.45 * squared) * gaps * np.clip(0.75 + 0.25 * showing, 0, 1))
    layers.paint(
        TEETH[None, :, None, None] * dim[:, None], hole * fill * showing * smoothstep(np.abs(across), 0.97, 0.8)
    )
    line = (
        bump(np.square(middle * (1 / 0.010))) * smoothstep(np.abs(across), 1.06, 0.96) * (1 - np.clip(gap * 60, 0, 1))
    )
    layers.paint(person.lips * 0.18, 0.8 * line)
    corners = bump(np.square((np.abs(across) - 1.03) * 11) + np.square(middle * 38))
    layers.tint(CREASE, 0.55 * corners)
    shadow = bump(np.square((middle - bottom - 0.022) * (1 / 0.020))) * smoothstep(np.abs(across), 0.9, 0.3)
    layers.tint((0.78, 0.68, 0.66), 0.7 * shadow)
    whole.become(layers)


def beard_region(person: Identity, field: Field) -> Floats:
    """Return where a beard grows [T, H, W]: moustache, chin, jaw up to the ears."""
    face = person.shape
    dip = 0.07 * bump(np.square((field.side - 0.27) * (1 / 0.07)))
    line = face.nose_y + 0.085 + dip - 0.95 * np.clip(field.side - 0.37, 0, 0.6)
    grown = smoothstep(field.y - line, -0.03, 0.05)
    soul = bump(np.square((field.side - 0.10) * 18)) * bump(
        np.square((field.y - face.mouth_y - face.lip_lower - 0.03) * 30)
    )
    return floats(grown * (1 - 0.5 * soul))


def paint_beard(layers: Layers, person: Identity, field: Field, tiles: Textures) -> None:
    """Paint beard and moustache over the lower face and beyond the jaw."""
    face = person.shape
    window = field.where(side=(0.0, face.head_width + 0.15), y=(-0.1, face.head_height + 0.3))
    layers, field = layers.part(window), field.part(window)
    strands = looked_up(tiles.strands, field.x * 0.55 / (0.5 + np.clip(field.y, 0, 1)), field.y * 0.5)
    curls = looked_up(tiles.curls, field.x * 0.7, field.y * 0.55)
    texture = 0.65 * strands + 0.28 * curls
    beyond = (0.012 + face.beard_length) * smoothstep(field.y, 0.3, 0.85)
    outline = field.inside((1 - np.sqrt(field.skull)) * face.head_width + beyond + 0.010 * texture, 0.016)
    mask = np.clip(beard_region(person, field) * (0.93 + 0.09 * texture), 0, 0.97) * outline
    tone = floats(np.clip(0.80 + 0.24 * texture, 0.3, 1.5) * (1 - 0.25 * smoothstep(field.y, 0.7, 1.0)))
    layers.paint(person.hair.temples[None, :, None, None] * tone[:, None], mask)
    layers.height += floats(mask) * (0.03 + 0.008 * texture)
    layers.polish(0.006, mask)
    layers.cover_with(mask)
