"""Prints that somebody looks through or wears: the attacker shows in the holes and around, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optics import EVEN, PLAIN, SIZE, head_on, plain_picture

from padkit_synthetic.imaging import Bytes, Floats, generator
from padkit_synthetic.people.canvas import doubled
from padkit_synthetic.people.identity import draw_identity
from padkit_synthetic.presentations import attack
from padkit_synthetic.reader import person_scene
from padkit_synthetic.staging.prints import HOLE, Printer, Wearer, _seen, printed
from padkit_synthetic.views import FINER
from padkit_synthetic.world import DOMAINS

FINE = FINER * SIZE
ZOOM = 0.9
PRINTED_EYES = np.array([[0.34, 0.44], [0.66, 0.44]], np.float32)
CUT, MASK = replace(PLAIN, form="cut"), replace(PLAIN, form="mask")
GREY = plain_picture(150)
RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)


def wearer(colour: tuple[float, ...], shift: float = 0.0, pupil: float = 0.015) -> Wearer:
    """Return an attacker of one colour whose eyes have a white pupil; `shift` moves the head by a share of the crop."""
    eyes = np.array([[[0.38 + shift, 0.45], [0.62 + shift, 0.45]]], np.float32)
    radiance = np.empty((1, 3, SIZE, SIZE), np.float32)
    radiance[:] = np.array(colour, np.float32)[:, None, None]
    axis = (np.arange(SIZE) + 0.5) / SIZE
    for x, y in eyes[0]:
        radiance[:, :, np.hypot(axis[None, :] - x, axis[:, None] - y) < pupil] = 1.0
    return Wearer(radiance, eyes, PRINTED_EYES)


def seen(printer: Printer, who: Wearer | None, picture: Bytes = GREY, seed: int = 3) -> Floats:
    """Return the radiance [3, S, S] of the first frame."""
    return printed(picture, printer, EVEN, SIZE, 1.0 if printer.form == "mask" else ZOOM, 1, generator(seed), who)[0]


def differs(first: Floats, second: Floats) -> np.ndarray:
    """Return where [S, S] two radiances differ."""
    return np.abs(first - second).max(axis=0) > 1e-4


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Return the centre (x, y) of a mask, 0..1 across the picture."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean() + 0.5) / mask.shape[1], float(rows.mean() + 0.5) / mask.shape[0]


@pytest.fixture
def square_view(monkeypatch):
    """Hold prints square before the camera, so that places are known."""
    monkeypatch.setattr(
        "padkit_synthetic.staging.prints.aimed", lambda rng, frames, size, zoom, *_: head_on(frames, size, zoom)
    )


def test_without_a_wearer_there_are_no_holes():
    for printer in (CUT, MASK):
        with pytest.raises(ValueError, match="needs a wearer"):
            seen(printer, None)


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_print_differs_from_a_whole_one_in_its_eyes_only(seed):
    whole, cut = seen(replace(CUT, form="flat"), None, seed=seed), seen(CUT, wearer(RED), seed=seed)
    holes = differs(whole, cut)
    apart = 0.32 / ZOOM
    expected = 2 * np.pi * (1.1 * HOLE[0]) * (1.1 * HOLE[1]) * apart**2  # with their frayed edges
    assert holes.mean() == pytest.approx(expected, rel=0.25)
    for half in (holes[:, : FINE // 2], holes[:, FINE // 2 :]):
        assert half.mean() > 0.3 * holes.mean()


def test_holes_lie_where_the_victims_eyes_are_printed(square_view):
    holes = differs(seen(replace(CUT, form="flat"), None), seen(CUT, wearer(RED)))
    for half, (x, y) in zip((slice(0, FINE // 2), slice(FINE // 2, FINE)), PRINTED_EYES, strict=True):
        mask = np.zeros_like(holes)
        mask[:, half] = holes[:, half]
        assert middle(mask) == pytest.approx((0.5 + (x - 0.5) / ZOOM, 0.5 + (y - 0.5) / ZOOM), abs=0.01)


def test_attackers_change_the_holes_and_nothing_else():
    whole = seen(replace(CUT, form="flat"), None)
    red, blue = (seen(CUT, wearer(colour, pupil=0.0)) for colour in (RED, BLUE))
    holes = (red != blue).any(axis=0)
    assert 0.03 < holes.mean() < 0.12
    assert red[:, ~holes] == pytest.approx(whole[:, ~holes], abs=1e-6)
    core = holes & (np.abs(red - whole).max(axis=0) > 0.2)
    assert core.mean() > 0.01
    assert np.median(red[:, core] / red[0, core], axis=1) == pytest.approx(np.array(RED) / RED[0], abs=0.1)
    assert np.median(blue[:, core] / blue[2, core], axis=1) == pytest.approx(np.array(BLUE) / BLUE[2], abs=0.1)


def test_the_attackers_pupils_are_in_the_middle_of_the_holes(square_view):
    dark = replace(wearer(RED), radiance=wearer(RED).radiance * (wearer(RED).radiance == 1.0))
    plane = seen(CUT, dark, plain_picture(0))[1]
    pupils = plane > 0.5 * plane.max()
    assert plane.max() > 0.5
    for half, (x, y) in zip((slice(0, FINE // 2), slice(FINE // 2, FINE)), PRINTED_EYES, strict=True):
        mask = np.zeros_like(pupils)
        mask[:, half] = pupils[:, half]
        assert middle(mask) == pytest.approx((0.5 + (x - 0.5) / ZOOM, 0.5 + (y - 0.5) / ZOOM), abs=0.01)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (1, 60), (33, 12), (54, 54)])
def test_what_shows_in_a_hole_is_the_whole_picture_doubled(top, left):
    radiance = np.random.default_rng(0).random((3, 32, 32), np.float32)
    rows, columns = (start + np.arange(10) for start in (top, left))
    rows, columns = np.meshgrid(rows.clip(0, 63), columns.clip(0, 63), indexing="ij")
    assert np.array_equal(_seen(radiance, rows, columns), doubled(radiance)[:, rows, columns])


def test_the_rim_shades_the_eyes_behind():
    red = seen(CUT, wearer(RED), plain_picture(0))[0]
    assert 0.2 < red.max() < 1.0
    # Radiance 0.9 (1.0 in the pupil): nothing behind the paper is as bright as before it.
    inside = red[red > 0.05]
    assert np.median(inside) < 0.9 * RED[0]


def test_a_mask_shows_the_print_inside_and_the_attacker_outside():
    red, blue = seen(MASK, wearer(RED)), seen(MASK, wearer(BLUE))
    same = ~differs(red, blue)
    assert 0.1 < same.mean() < 0.7, "the mask"
    assert red[:, same].std(axis=0).max() < 0.02, "grey as printed"
    far = np.zeros_like(same)
    far[-8:, :8] = far[-8:, -8:] = True
    assert red[:, far] == pytest.approx(doubled(wearer(RED).radiance[0])[:, far])
    holes = differs(seen(MASK, wearer(RED)), seen(MASK, wearer(RED), plain_picture(90)))
    assert np.array_equal(holes & same, holes & same & ~far)
    assert not (holes & far).any(), "another print changes nothing outside"
    assert (holes & same).sum() > 0.98 * same.sum(), "and everything inside"


def test_through_a_mask_the_attacker_looks():
    for x, y in wearer(RED).eyes[0]:
        row, column = round(y * FINE), round((x + 0.04) * FINE)
        red, blue = (seen(MASK, wearer(colour))[:, row, column] for colour in (RED, BLUE))
        assert red / red[0] == pytest.approx(np.array(RED) / RED[0], abs=0.05)
        assert blue / blue[2] == pytest.approx(np.array(BLUE) / BLUE[2], abs=0.05)


@pytest.mark.parametrize("shift", [-0.06, 0.05])
def test_a_mask_moves_with_the_attackers_head(shift):
    places = []
    for moved in (0.0, shift):
        red, blue = (seen(MASK, wearer(colour, moved)) for colour in (RED, BLUE))
        places.append(middle(~differs(red, blue)))
    assert places[1][0] - places[0][0] == pytest.approx(shift, abs=0.012)
    assert places[1][1] == pytest.approx(places[0][1], abs=0.01)


def test_a_mask_is_bent_around_the_head():
    """Stripes that are evenly spaced on paper lie closer together towards the sides of the face."""
    stripes = np.repeat(127.5 + 100 * np.cos(np.arange(288) * np.pi / 6)[None, :, None], 288, axis=0)
    picture = stripes.repeat(3, axis=2).astype(np.uint8)
    red, blue = (seen(MASK, wearer(colour), picture) for colour in (RED, BLUE))
    row = round(0.6 * FINE)
    inside = np.flatnonzero(~differs(red, blue)[row])
    line = red[1, row, inside[0] : inside[-1] + 1]
    crests = np.flatnonzero(np.diff(np.sign(line - line.mean())) > 0)
    gaps = np.diff(crests)
    assert len(gaps) > 8
    centre = gaps[len(gaps) // 3 : -(len(gaps) // 3)].mean()
    assert 0.5 * (gaps[:2].mean() + gaps[-2:].mean()) < 0.95 * centre


@pytest.mark.parametrize("form", ["cut", "mask"])
def test_presentations_need_known_eyes(form):
    domain = next(d for d in DOMAINS for i in d.instruments if isinstance(i, Printer) and i.form == form)
    instrument = next(i for i in domain.instruments if isinstance(i, Printer) and i.form == form)
    victim, attacker = (
        person_scene(draw_identity(generator(9, n)), domain.place, 1.0, 1.0, smile=False, key=(9, n)) for n in range(2)
    )
    frames = attack(victim, domain, domain.cameras[0], instrument, 64, 2, generator(1), attacker)
    assert frames.shape == (2, 64, 64, 3)
    for scene, behind in (
        (victim, None),
        (replace(victim, eyes=None), attacker),
        (victim, replace(attacker, eyes=None)),
    ):
        with pytest.raises(ValueError, match="places of the victim's and the attacker's eyes"):
            attack(scene, domain, domain.cameras[0], instrument, 64, 2, generator(1), behind)
