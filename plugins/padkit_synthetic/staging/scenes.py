"""Backgrounds and lights of a place, drawn once per presentation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from padkit_synthetic.imaging import (
    Floats,
    between,
    blackbody,
    blurred,
    enlarged,
    floats,
    linear_from_hex,
    smooth_noise,
)
from padkit_synthetic.people.faces import Light

# Side of the sheet on which a room is painted before the lens blurs it.
ROOM = 64
WALLS = ("e8e4dc", "dcd6c8", "cfd4d6", "d9c9b0", "b9c4c0", "c9bfc4", "a9b4bf", "d8d3b8")
WOODS = ("7a5a3c", "5a4030", "a98a62", "c2a988", "d8d2c6", "3c3430")
CLOTHS = ("6f7a86", "8a7f74", "5c6658", "7d5a52", "b5aa98", "46505e", "93878c")
THINGS = ("7c3b34", "39506b", "4d5f49", "b49a5e", "d8d2c4", "2f3136", "8b6f5a", "6c6f78", "a5604a", "9aa3a0")
LEAVES = ("34502f", "4a6a3c", "6a8450", "2c4029")


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
        clutter: How full the room is: up to a third as many pieces of furniture, plus one; 0 is a bare wall.
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


def _bar(albedo: Floats, rows: tuple[int, int], columns: tuple[int, int], colour: Floats) -> None:
    """Paint a rectangle on `albedo` [3, ROOM, ROOM], clipped to it."""
    down = slice(max(0, rows[0]), max(0, rows[1]))
    across = slice(max(0, columns[0]), max(0, columns[1]))
    albedo[:, down, across] = colour[:, None, None]


def _drawn(palette: tuple[str, ...], rng: np.random.Generator) -> Floats:
    """Return a colour [3] of `palette`, a little lighter or darker."""
    return floats(linear_from_hex(palette[int(rng.integers(len(palette)))]) * between(rng, (0.7, 1.15)))


def _shelf(albedo: Floats, rng: np.random.Generator) -> None:
    """Paint a shelf with books and boxes."""
    left, wide, top = int(rng.integers(-6, ROOM - 8)), int(rng.integers(14, 30)), int(rng.integers(-4, 14))
    board = _drawn(WOODS, rng)
    for level in range(int(rng.integers(2, 5))):
        floor = top + 12 * (level + 1)
        _bar(albedo, (floor - 11, floor), (left, left + wide), board * 0.35)
        column = left + 1
        while column < left + wide - 2:
            book, tall = int(rng.integers(1, 4)), int(rng.integers(5, 11))
            _bar(albedo, (floor - tall, floor), (column, min(column + book, left + wide - 1)), _drawn(THINGS, rng))
            column += book + int(rng.random() < 0.15)
        _bar(albedo, (floor, floor + 1), (left, left + wide), board)


def _door(albedo: Floats, rng: np.random.Generator) -> None:
    """Paint a door in its frame."""
    left, top, wide = int(rng.integers(-8, ROOM - 6)), int(rng.integers(-6, 10)), int(rng.integers(15, 24))
    leaf = _drawn(WOODS + WALLS, rng)
    _bar(albedo, (top - 2, ROOM), (left - 2, left + wide + 2), leaf * 0.75)
    _bar(albedo, (top, ROOM), (left, left + wide), leaf)
    for start in (top + 4, top + 28):
        _bar(albedo, (start, start + 18), (left + 4, left + wide - 4), leaf * 0.82)


def _curtain(albedo: Floats, rng: np.random.Generator) -> None:
    """Paint a curtain with folds."""
    left, wide = int(rng.integers(-10, ROOM - 6)), int(rng.integers(10, 26))
    folds = 1 + 0.22 * np.sin(np.arange(ROOM) * between(rng, (0.9, 1.7)) + between(rng, (0.0, 6.0)))
    cloth = _drawn(CLOTHS, rng)
    start, stop = max(left, 0), min(left + wide, ROOM)
    albedo[:, :, start:stop] = cloth[:, None, None] * floats(folds)[None, None, start:stop]


def _picture(albedo: Floats, rng: np.random.Generator) -> None:
    """Paint a picture on the wall."""
    left, top = int(rng.integers(-4, ROOM - 8)), int(rng.integers(-4, 26))
    wide, tall = int(rng.integers(9, 20)), int(rng.integers(9, 20))
    _bar(albedo, (top, top + tall), (left, left + wide), _drawn(WOODS, rng))
    _bar(albedo, (top + 1, top + tall - 1), (left + 1, left + wide - 1), _drawn(WALLS, rng))
    _bar(albedo, (top + 3, top + tall - 3), (left + 3, left + wide - 3), _drawn(THINGS, rng))
    _bar(albedo, (top + tall // 2, top + tall - 3), (left + 3, left + wide - 3), _drawn(THINGS, rng))


def _plant(albedo: Floats, rng: np.random.Generator) -> None:
    """Paint a plant."""
    middle, top = between(rng, (0.0, ROOM)), between(rng, (8.0, 44.0))
    for _ in range(9):
        at_x, at_y = middle + 6 * rng.uniform(-1, 1), top + 9 * rng.uniform(-1, 1)
        lean = np.float32(rng.uniform(-1.2, 1.2))
        # No leaf is longer or wider.
        rows, columns = _around(at_y, 7), _around(at_x, 10)
        across = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - np.float32(at_x)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(at_y)
        leaf = np.square(across + lean * down) * 0.30 + np.square(down) * 0.022 < 1
        albedo[:, rows, columns][:, leaf] = _drawn(LEAVES, rng)[:, None]


def _around(middle: float, reach: int) -> slice:
    """Return the rows or columns of the sheet that are at most `reach` from `middle`."""
    return slice(max(0, math.ceil(middle - reach)), max(0, min(ROOM, math.floor(middle + reach) + 1)))


def _desk(albedo: Floats, rng: np.random.Generator) -> None:
    """Paint furniture along the lower edge."""
    top = int(rng.integers(42, 58))
    _bar(albedo, (top, ROOM), (0, ROOM), _drawn(WOODS + CLOTHS, rng))
    left, wide = int(rng.integers(-4, ROOM - 8)), int(rng.integers(8, 22))
    _bar(albedo, (top - int(rng.integers(4, 14)), top), (left, left + wide), _drawn(THINGS, rng))


THINGS_IN_ROOMS = (_shelf, _door, _curtain, _picture, _plant, _desk)


def draw_background(place: Place, light: Light, size: int, rng: np.random.Generator) -> Floats:
    """Return the radiance [3, size, size] of the background: a room, out of focus."""
    tint = linear_from_hex(WALLS[int(rng.integers(len(WALLS)))])
    wall = tint * (between(rng, place.wall) / float(tint[1]))
    albedo = np.empty((3, ROOM, ROOM), np.float32)
    albedo[:] = wall[:, None, None]
    for _ in range(int(rng.integers(0, 2 + place.clutter // 3)) if place.clutter else 0):
        THINGS_IN_ROOMS[int(rng.integers(len(THINGS_IN_ROOMS)))](albedo, rng)
    ramp = np.linspace(-1, 1, ROOM, dtype=np.float32)
    falloff = 1 + 0.3 * rng.uniform(-1, 1) * ramp[None, :] + 0.2 * rng.uniform(-1, 1) * ramp[:, None]
    falloff += 0.05 * smooth_noise(rng, 5, ROOM)
    radiance = albedo * floats(falloff) * (0.7 * light.key + light.ambient)[:, None, None]
    if rng.random() < place.window:
        left, top = int(rng.integers(-12, ROOM - 10)), int(rng.integers(-16, 16))
        wide, tall = int(rng.integers(14, 30)), int(rng.integers(24, 44))
        sky = between(rng, (1.0, 2.4)) * np.array([0.92, 1.0, 1.1], np.float32)
        _bar(radiance, (top, top + tall), (left, left + wide), sky)
        _bar(radiance, (top + tall // 2 - 1, top + tall // 2 + 1), (left, left + wide), 0.4 * wall)
        _bar(radiance, (top, top + tall), (left + wide // 2 - 1, left + wide // 2 + 1), 0.4 * wall)
    radiance = blurred(radiance, between(rng, (0.8, 2.6)))
    return np.stack([np.clip(enlarged(plane, size), 0.002, None) for plane in radiance])
