"""Recapture: who is changed, how often, with which label; a function of its key alone; the face stays where it was."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from padkit.data.augmentation import draw_generator
from padkit.errors import DataError, SettingsError
from padkit_synthetic.imaging import generator, resized
from padkit_synthetic.photographs.scene import photograph_scene
from padkit_synthetic.recapture import Recapture

IMAGE = resized(generator(5).integers(0, 255, (9, 9, 3), np.uint8), 64)


def drawn(augmentation: Recapture, label: int, count: int) -> tuple[int, int, int]:
    """Return how many of `count` draws left the image alone, made an attack of it, or passed a camera only."""
    untouched = attacks = cameras = 0
    for number in range(count):
        image, new = augmentation(IMAGE, label, draw_generator(0, number))
        assert image.shape == IMAGE.shape
        assert image.dtype == np.uint8
        same = np.array_equal(image, IMAGE)
        untouched += same and new == label
        attacks += not same and new == 0
        cameras += not same and new == 1
    return untouched, attacks, cameras


def test_attacks_are_left_alone():
    assert drawn(Recapture(share=0.5, live_share=0.5), 0, 50) == (50, 0, 0)


def test_shares_of_bona_fide_images():
    untouched, attacks, cameras = drawn(Recapture(share=0.3, live_share=0.1), 1, 400)
    assert untouched + attacks + cameras == 400
    assert 90 <= attacks <= 150  # 120 expected, deviation 9
    assert 22 <= cameras <= 58  # 40 expected, deviation 6
    assert drawn(Recapture(share=1, live_share=0), 1, 10) == (0, 10, 0)
    assert drawn(Recapture(share=0, live_share=1), 1, 10) == (0, 0, 10)
    assert drawn(Recapture(share=0, live_share=0), 1, 10) == (10, 0, 0)


def test_the_defaults_are_moderate():
    defaults = {n: p.default for n, p in inspect.signature(Recapture).parameters.items()}
    assert (defaults["share"], defaults["live_share"]) == (0.25, 0.25)


def test_a_function_of_seed_and_draw_alone():
    first = Recapture(share=1, live_share=0)
    again = pickle.loads(pickle.dumps(first))
    before = IMAGE.copy()
    pictures = [first(IMAGE, 1, draw_generator(0, number))[0] for number in range(4)]
    for number in (3, 1, 0, 2):
        assert np.array_equal(again(IMAGE, 1, draw_generator(0, number))[0], pictures[number])
    assert np.array_equal(before, IMAGE)
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(first(IMAGE, 1, draw_generator(1, 0))[0], pictures[0])


@pytest.mark.parametrize("world", [3, 4])
def test_the_face_keeps_its_size(world):
    """A bright disc on dark ground keeps its area, or size alone would tell a recaptured image."""
    axis = np.linspace(-1, 1, 128)
    square = axis[:, None] ** 2 + axis[None, :] ** 2
    disc = np.where((square < 0.3)[..., None], 230, 25).astype(np.uint8)
    disc = np.repeat(disc, 3, axis=2)
    for options in ({"share": 1, "live_share": 0}, {"share": 0, "live_share": 1}):
        areas = []
        for number in range(24):
            grey = Recapture(**options, world=world)(disc, 1, draw_generator(2, number))[0].mean(axis=2)
            # Halfway between the disc's middle and the dark ring around it; what is bright beyond is paper or a room.
            ring = np.percentile(grey[(square > 0.3) & (square < 0.5)], 20)
            parts, _ = ndimage.label(grey > (grey[56:72, 56:72].mean() + ring) / 2)
            areas.append((parts == parts[64, 64]).mean() / (0.3 * np.pi / 4))
        assert 0.93 < np.median(areas) < 1.07, (options, areas)


def test_attack_types_and_settings_are_those_asked_for():
    assert {domain.name for domain in Recapture(settings="hall+webcam").domains} == {"hall", "webcam"}
    assert {domain.name for domain in Recapture().domains} >= {"office", "phone", "webcam", "hall"}
    assert all(domain.drawn for domain in Recapture().domains)
    assert not any(domain.drawn for domain in Recapture(world=3).domains)
    assert [Recapture(video=video).domains[0].video for video in (False, True)] == [False, True]
    assert Recapture(attacks="print").attacks == ("print",)


@pytest.mark.parametrize("side", [32, 112, 300])
def test_any_side(side):
    image, label = Recapture(share=1, live_share=0)(resized(IMAGE, side), 1, draw_generator(0, 0))
    assert (image.shape, label) == ((side, side, 3), 0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"share": -0.1}, "share -0.1"),
        ({"share": 0.8, "live_share": 0.3}, "together more than 1"),
        ({"share": float("nan")}, "share nan"),
        ({"attacks": "print+masks"}, "attack type 'masks' is unknown"),
        ({"attacks": "print+print"}, "each once"),
        ({"settings": "offic"}, "Did you mean 'office'"),
    ],
)
def test_wrong_settings_are_one_line(options, says):
    with pytest.raises(SettingsError, match=says) as caught:
        Recapture(**options)
    assert "\n" not in str(caught.value)


def test_an_image_that_is_not_square_is_refused():
    with pytest.raises(DataError, match="64x32"):
        Recapture(share=1, live_share=0)(IMAGE[:32], 1, draw_generator(0, 0))


def test_what_lies_beyond_the_border_is_mirrored():
    from padkit_synthetic.people.faces import Light

    light = Light(key=np.ones(3, np.float32), ambient=np.zeros(3, np.float32), direction=np.zeros(3), softness=0.1)
    left_white = np.zeros((64, 64, 3), np.uint8)
    left_white[:, :32] = 255
    (wide,) = photograph_scene(left_white, framing=1.0).render(64, light, 1, 1.25)
    assert wide[:, :, 0].min() > 0.9
    assert wide[:, :, -1].max() < 0.1


def test_no_torch():
    code = "import sys, padkit_synthetic.recapture as r; r.Recapture(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
