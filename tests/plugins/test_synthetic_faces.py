from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from padkit_synthetic.imaging import Floats, generator, luminance
from padkit_synthetic.people.canvas import Layers, doubled, halved, textures, traced
from padkit_synthetic.people.faces import Light, _slopes, render
from padkit_synthetic.people.hairstyles import FINE_SHARES, STURDY_SHARES, STYLES, draw_hair
from padkit_synthetic.people.identity import SHAPE_RANGES, STURDY, Identity, draw_identity, draw_motion
from padkit_synthetic.staging.scenes import THINGS_IN_ROOMS, draw_background
from padkit_synthetic.world import DOMAINS

SIZE = 64
EVEN = Light(direction=(-0.3, -0.4, 0.866), key=np.full(3, 0.6, np.float32), ambient=np.full(3, 0.4, np.float32))
WALL = np.full((3, SIZE, SIZE), 0.2, np.float32)


def portrait(person: Identity, smile: bool = False) -> Floats:
    """Return the radiance [3, SIZE, SIZE] of a person who looks into the camera."""
    motion = draw_motion(generator(1), 1, smile)
    still = replace(motion, blink=np.zeros_like(motion.blink), mouth_open=np.full_like(motion.mouth_open, 0.6 * smile))
    return render(person, still, EVEN, WALL)[0]


def person(number: int, **changes: object) -> Identity:
    return replace(draw_identity(generator(31, number)), **changes)


def change(first: Floats, second: Floats) -> Floats:
    """Return the relative change of luminance [SIZE, SIZE]."""
    before, after = luminance(first), luminance(second)
    return np.abs(after - before) / (0.5 * (before + after) + 0.01)


def rows(who: Identity, top: float, bottom: float) -> slice:
    """Return the rows of the picture between two heights of the face; the pose moves the face by a few pixels."""
    return slice(max(0, round((top + 1) * SIZE / 2)), min(SIZE, round((bottom + 1) * SIZE / 2)))


@pytest.mark.parametrize("number", range(6))
def test_a_smile_changes_the_mouth_more_than_the_forehead(number):
    who = person(number, beard=False, glasses=False)
    changed = change(portrait(who), portrait(who, smile=True))
    mouth = changed[rows(who, who.shape.mouth_y - 0.12, who.shape.mouth_y + 0.16), 22:42].mean()
    forehead = changed[rows(who, -0.5, who.shape.eye_y - 0.25), 22:42].mean()
    assert mouth > 0.12
    assert mouth > 3 * forehead


@pytest.mark.parametrize("number", range(6))
def test_a_smile_shows_teeth(number):
    who = person(number, beard=False)
    mouth = rows(who, who.shape.mouth_y - 0.12, who.shape.mouth_y + 0.16)
    closed, open_mouth = (luminance(portrait(who, smile))[mouth, 24:40].max() for smile in (False, True))
    assert open_mouth > 1.1 * closed


@pytest.mark.parametrize("number", range(6))
def test_a_beard_covers_the_lower_face_only(number):
    who = person(number, beard=False, shape=replace(person(number).shape, stubble=0.0))
    changed = change(portrait(who), portrait(replace(who, beard=True)))
    lower = changed[rows(who, who.shape.mouth_y - 0.05, who.shape.head_height), 16:48].mean()
    upper = changed[rows(who, -0.6, 0.0)].mean()
    assert lower > 0.1
    assert lower > 20 * upper


def test_glasses_stand_out_from_every_skin():
    for number in range(24):
        who = person(number, glasses=False)
        changed = change(portrait(who), portrait(replace(who, glasses=True)))
        around = rows(who, who.shape.eye_y - 0.2, who.shape.eye_y + 0.24)
        assert (changed[around, 12:52] > 0.3).mean() > 0.10, number
        assert changed[rows(who, 0.65, 0.95)].max() < 0.05, number


def test_age_lines_the_face_and_thins_the_lips():
    who = replace(person(3, glasses=False, beard=False))
    young, old = (portrait(replace(who, age=age)) for age in (0.0, 1.0))
    brow = who.shape.eye_y - who.shape.brow_gap
    assert change(young, old)[rows(who, brow - 0.25, brow - 0.05), 24:40].mean() > 0.04
    people = [draw_identity(generator(77, number)) for number in range(400)]
    lips = {kind: np.mean([p.shape.lip_upper for p in people if p.young is kind]) for kind in (True, False)}
    assert lips[True] > 1.3 * lips[False]
    assert all(p.age < 0.2 if p.young else p.age > 0.6 for p in people)


def test_the_old_are_mostly_but_not_always_grey():
    people = [draw_identity(generator(78, number)) for number in range(600)]
    old = [p.hair.group == "grey" for p in people if not p.young]
    young = [p.hair.group == "grey" for p in people if p.young]
    assert 0.6 < np.mean(old) < 0.97
    assert np.mean(young) < 0.05


def test_every_attribute_is_common_enough_to_learn():
    people = [draw_identity(generator(79, number)) for number in range(600)]
    for name in ("dark_hair", "fair_hair", "glasses", "beard", "young"):
        assert 0.12 < np.mean([name in p.attributes(smile=False) for p in people]) < 0.7, name
    assert {len(p.attributes(smile=True)) - len(p.attributes(smile=False)) for p in people} == {1}


def test_hair_styles_differ():
    who = person(5, glasses=False, beard=False)
    pictures = {}
    for name in (*STYLES, "bald"):
        drawn = (draw_hair(generator(9, n), young=True, sturdy=n % 2, darkness=0.3) for n in range(3000))
        style = next(hair for hair in drawn if hair.style == name)
        pictures[name] = portrait(replace(who, hair=replace(style, colour=who.hair.colour, temples=who.hair.colour)))
    names = list(pictures)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            assert change(pictures[first], pictures[second]).mean() > 0.01, (first, second)


def test_tables_of_the_population_fit_together():
    assert len(STURDY_SHARES) == len(FINE_SHARES) == len(STYLES)
    assert sum(STURDY_SHARES) == pytest.approx(1)
    assert sum(FINE_SHARES) == pytest.approx(1)
    assert set(STURDY) <= set(SHAPE_RANGES)


def test_radiance_of_two_hundred_people_is_finite_and_positive():
    for number in range(200):
        who = draw_identity(generator(41, number))
        motion = draw_motion(generator(42, number), 1, smile=number % 2 == 0, restless=1.5)
        image = render(who, motion, EVEN, WALL)
        assert np.isfinite(image).all(), number
        assert image.min() >= 0, number
        assert image.max() < 2, number
        assert image.dtype == np.float32


def test_ears_and_chin_lie_inside_the_tight_crop():
    for number in range(100):
        face = draw_identity(generator(43, number)).shape
        assert face.head_width + 0.12 < 0.95
        assert face.mouth_y + face.lip_lower + 0.05 < face.head_height < 0.95
        assert face.eye_y < face.nose_y < face.mouth_y
        assert face.eye_x + face.eye_width < 0.95 * face.head_width
        assert face.eye_x - face.eye_width > 0.05


def test_a_turned_head_moves_the_nose_more_than_the_ears():
    who = person(2)
    motion = draw_motion(generator(3), 1, smile=False, restless=0.0)
    turned = replace(motion, yaw=np.full_like(motion.yaw, 0.25))
    straight, side = (traced(who, m, SIZE, 1.0) for m in (motion, turned))
    nose = round((who.shape.nose_y + 1) * SIZE / 2)
    shift = straight.x - side.x
    assert shift[0, nose, SIZE // 2] > 0.12
    assert abs(shift[0, nose, round((1 - who.shape.head_width) * SIZE / 2)]) < 0.06
    assert np.isfinite(side.x).all()


def test_portraits_depend_on_the_seed_alone():
    who, again = draw_identity(generator(5)), draw_identity(generator(5))
    first = portrait(who)
    textures.cache_clear()
    assert np.array_equal(first, portrait(again))


def test_a_window_holds_every_pixel_within_its_bounds():
    who = person(4)
    field = traced(who, draw_motion(generator(2), 2, smile=False), SIZE, 1.2)
    bounds = ((0.0, 0.3), (-0.2, 0.1)), ((0.2, 0.5), (-0.9, 0.9)), ((0.0, 9.0), (0.4, 9.0)), ((5.0, 6.0), (0, 1))
    for side, y in bounds:
        held = (field.side >= side[0]) & (field.side <= side[1]) & (field.y >= y[0]) & (field.y <= y[1])
        window = field.where(side=side, y=y)
        assert held[window].sum() == held.sum()
        assert held[window].size > 0


def test_halving_then_doubling_keeps_a_smooth_plane():
    ramp = np.broadcast_to(np.arange(16, dtype=np.float32), (2, 16, 16))
    assert halved(ramp)[0, 0] == pytest.approx(np.arange(8) * 2 + 0.5)
    assert doubled(halved(ramp))[..., 1:-1] == pytest.approx(ramp[..., 1:-1], abs=1e-6)


def test_doubling_takes_a_quarter_from_each_neighbour_and_continues_the_border():
    plane = generator(3).random((2, 5, 7), np.float32)
    wider = np.pad(plane, [(0, 0), (1, 1), (1, 1)], mode="edge").repeat(2, 1).repeat(2, 2)
    down = 0.75 * wider[:, 2:-2] + 0.25 * np.where(np.arange(10)[:, None] % 2, wider[:, 4:], wider[:, :-4])
    both = 0.75 * down[..., 2:-2] + 0.25 * np.where(np.arange(14) % 2, down[..., 4:], down[..., :-4])
    assert doubled(plane) == pytest.approx(both, abs=1e-6)


def test_slopes_are_central_differences():
    height = generator(3).random((2, 9, 12), np.float32)
    across, down = _slopes(height, 0.03)
    assert np.array_equal(across, np.gradient(height, 0.03, axis=-1))
    assert np.array_equal(down, np.gradient(height, 0.03, axis=-2))


def test_what_is_painted_on_a_copy_comes_back():
    layers = Layers(*(np.zeros(shape, np.float32) for shape in ((1, 3, 6, 6), (1, 6, 6), (1, 6, 6), (1, 6, 6))))
    part = layers.part((slice(None), slice(1, 3), slice(2, 5)))
    copy = part.copied()
    copy.paint(np.ones(3, np.float32), np.ones((1, 2, 3), np.float32))
    copy.cover_with(np.ones((1, 2, 3), np.float32))
    assert not layers.albedo.any()
    part.become(copy)
    assert layers.albedo.sum() == 18
    assert layers.cover.sum() == 6


@pytest.mark.parametrize("thing", THINGS_IN_ROOMS)
def test_every_piece_of_furniture_shows_and_stays_an_albedo(thing):
    changed = []
    for seed in range(20):
        room = np.full((3, 64, 64), 0.5, np.float32)
        thing(room, generator(seed))
        assert 0 <= room.min() <= room.max() <= 1.3
        changed.append((room != 0.5).any(0).mean())
    assert np.mean(changed) > 0.03


def test_backgrounds_are_positive_and_muted():
    saturation = []
    for number in range(40):
        place = DOMAINS[number % len(DOMAINS)].place
        room = draw_background(place, EVEN, 48, generator(51, number))
        assert room.shape == (3, 48, 48)
        assert room.dtype == np.float32
        assert room.min() > 0
        saturation.append(((room.max(0) - room.min(0)) / room.max(0)).mean())
    assert np.mean(saturation) < 0.45
