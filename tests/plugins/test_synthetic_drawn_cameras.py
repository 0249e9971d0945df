"""Drawn cameras: another one for every session, of the base's kind, wide enough, and never one that shows no face."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from optics import IDEAL, SIZE, live

from padkit.errors import PluginError
from padkit_synthetic import delivery
from padkit_synthetic.camera import Camera, capture
from padkit_synthetic.drawn.cameras import (
    COARSEST,
    FINEST,
    KINDS,
    LARGEST_BLUR,
    LEAST_LIGHT,
    draw_camera,
    finer_quality,
    kind_of,
    merging,
)
from padkit_synthetic.imaging import generator, resized
from padkit_synthetic.world import DOMAINS, SOURCE_CAMERAS

BASES = {camera.name: camera for domain in DOMAINS for camera in domain.cameras} | {c.name: c for c in SOURCE_CAMERAS}
COUNT = 300


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Camera]]:
    return {name: [draw_camera(base, generator(5, n)) for n in range(COUNT)] for name, base in BASES.items()}


def test_every_camera_of_the_world_is_of_a_kind():
    found = {name: next(word for word, kind in KINDS.items() if kind is kind_of(base)) for name, base in BASES.items()}
    assert found == {
        "office-laptop": "laptop",
        "phone-front-a": "phone",
        "phone-front-b": "phone",
        "webcam-usb": "webcam",
        "hall-terminal": "terminal",
        "unknown-kiosk": "terminal",
        "source-compact": "source",
        "source-phone": "source",
    }
    with pytest.raises(ValueError, match=r"'ideal' is of no known kind"):
        kind_of(IDEAL)


@pytest.mark.parametrize("name", BASES)
def test_values_are_within_the_ranges_of_the_kind_and_fill_them(name, drawn):
    cameras, kind = drawn[name], kind_of(BASES[name])
    for value in ("exposure", "flare", "saturation", "contrast", "full_well"):
        low, high = getattr(kind, value)
        found = np.array([getattr(camera, value) for camera in cameras])
        assert (found[:, 0] == found[:, 1]).all(), "one session, one value"
        assert low <= found.min() <= low + 0.1 * (high - low) < low + 0.8 * (high - low) <= found.max() <= high
    for value in ("rows", "flicker", "gamma"):
        low, high = getattr(kind, value)
        found = np.array([getattr(camera.session, value) for camera in cameras])
        assert low <= found.min() <= low + 0.1 * (high - low) < high - 0.1 * (high - low) <= found.max() <= high
    assert {camera.name for camera in cameras} == {name}
    assert {camera.crosstalk for camera in cameras} == {BASES[name].crosstalk}


def test_exposure_and_white_balance_err_both_ways_and_mostly_little(drawn):
    for name, cameras in drawn.items():
        stops = np.array([camera.session.stops for camera in cameras])
        warmth = np.array([camera.session.warmth for camera in cameras])
        assert np.abs(stops).max() <= 1.5
        assert np.abs(np.median(stops)) < 0.15
        assert (np.abs(stops) < 0.75).mean() > 0.7
        assert stops.min() < -2 * kind_of(BASES[name]).stops
        assert stops.max() > 2 * kind_of(BASES[name]).stops or stops.max() == 1.5
        assert -0.4 < warmth.min() < -0.15 < 0.15 < warmth.max() < 0.4


def test_faces_have_60_to_500_photosites_before_crops_of_128_pixels(drawn):
    cameras = [camera for some in drawn.values() for camera in some]
    faces = np.array([0.75 * 128 * c.resolution[0] * c.session.merged for c in cameras])
    assert 57 < faces.min() < 62
    assert faces.max() > 470
    assert all(c.session.merged == 1 or 1 <= c.resolution[0] < 1.5 + 1e-9 for c in cameras)
    assert max(c.resolution[0] for c in cameras) <= FINEST
    assert 0.1 < np.mean([c.session.merged > 1 for c in cameras]) < 0.7


@pytest.mark.parametrize(
    ("resolution", "expected"),
    [(0.5, (1, 0.5)), (1.6, (1, 1.6)), (1.7, (2, 1.0)), (2.0, (2, 1.0)), (2.6, (2, 1.3)), (4.8, (4, 1.2))],
)
def test_fine_sensors_merge_photosites(resolution, expected):
    assert merging(resolution) == pytest.approx(expected)


def test_blur_and_noise_of_fine_sensors_shrink_with_them(drawn):
    fine = [camera for camera in drawn["phone-front-a"] if camera.session.merged > 2]
    coarse = [camera for camera in drawn["phone-front-a"] if camera.session.merged == 1]
    for mean in (
        lambda some: np.mean([c.defocus for c in some]),
        lambda some: np.mean([c.delivery.luma for c in some]),
    ):
        assert mean(fine) < 0.6 * mean(coarse)


def test_bounds_keep_the_face_visible(drawn):
    for cameras in drawn.values():
        for camera in cameras:
            session, fineness = camera.session, camera.resolution[0] * camera.session.merged
            assert camera.full_well[0] * fineness**2 * 2 ** min(session.stops, 0) > LEAST_LIGHT - 1e-6
            assert camera.defocus[0] / camera.resolution[0] <= LARGEST_BLUR + 1e-9
            if fineness < 1:
                assert camera.delivery.quantiser <= COARSEST + 6 * np.log2(fineness) + 0.5
    webcams = drawn["webcam-usb"]
    assert min(camera.full_well[0] for camera in webcams) < 100
    assert max(camera.delivery.quantiser for camera in webcams) >= 36
    assert max(camera.defocus[0] / camera.resolution[0] for camera in webcams) > 1.7


def test_jpeg_before_a_reduction_is_as_much_milder():
    """libjpeg's steps: 5000 / q percent below quality 50, 200 - 2 q above."""
    assert finer_quality(25, 1) == 25
    assert finer_quality(80, 1) == pytest.approx(80)
    assert finer_quality(25, 2) == pytest.approx(50)  # 200 % -> 100 %
    assert finer_quality(25, 4) == pytest.approx(75)  # 200 % -> 50 %
    assert finer_quality(60, 2) == pytest.approx(80)  # 80 % -> 40 %
    assert finer_quality(10, 2) == pytest.approx(20)  # 500 % -> 250 %


def test_a_share_of_the_sessions_is_filmed_and_compressed_twice(drawn):
    for name, cameras in drawn.items():
        kind = kind_of(BASES[name])
        for share, wanted in (("quantiser", kind.filmed), ("again", kind.again)):
            found = np.mean([getattr(camera.delivery, share) > 0 for camera in cameras])
            assert found == pytest.approx(wanted, abs=3 * (wanted * (1 - wanted) / COUNT) ** 0.5 + 0.001)
        assert all(0 <= c.delivery.quantiser <= kind.quantiser[1] for c in cameras)


def test_kernels_and_subsamplings_vary(drawn):
    cameras = [camera for some in drawn.values() for camera in some]
    kernels = {kernel for camera in cameras for kernel in camera.delivery.kernels}
    assert kernels == {"box", "bilinear", "bicubic", "lanczos", "points"}
    assert {camera.delivery.subsampling for camera in cameras} == {"4:4:4", "4:2:2", "4:2:0"}
    for camera in cameras:
        (first, last), output = camera.delivery.kernels, camera.delivery.output
        assert 0.49 < output * camera.resolution[0] < 1.61
        assert not (output > 1 and first in ("box", "points", "lanczos"))
        assert not (output * camera.resolution[0] < 1 and last in ("box", "points", "lanczos"))
    twice = [c for c in cameras if c.delivery.output > 1.01 and c.delivery.output * c.resolution[0] > 1]
    assert len(twice) > 0.03 * len(cameras), "enlarged, then reduced"


def test_the_key_decides_and_video_changes_the_compression_alone():
    base = BASES["webcam-usb"]
    changed = 0
    for number in range(60):
        first, second = generator(6, number), generator(6, number)
        filmed, plain = draw_camera(base, first), draw_camera(base, second, video=False)
        assert filmed == draw_camera(base, generator(6, number))
        assert plain.delivery.quantiser == 0
        assert replace(filmed, delivery=replace(filmed.delivery, quantiser=0)) == plain
        assert first.random() == second.random()
        changed += filmed != plain
    assert 8 < changed < 35
    assert draw_camera(base, generator(1)) != draw_camera(base, generator(2))


def test_without_a_video_library_the_first_camera_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    delivery.h264_encoder.cache_clear()
    try:
        with pytest.raises(PluginError, match=r"pip install 'padkit\[video\]'"):
            draw_camera(BASES["hall-terminal"], generator(1))
        assert draw_camera(BASES["hall-terminal"], generator(1), video=False).delivery.quantiser == 0
    finally:
        delivery.h264_encoder.cache_clear()


def portrait() -> np.ndarray:
    """Return a drawn face [96, 96, 3]: skin, eyes, mouth, hair and a wall."""
    y, x = np.mgrid[0:96, 0:96] / 96.0
    picture = np.full((96, 96, 3), (150, 145, 140), np.uint8)
    picture[((x - 0.5) / 0.36) ** 2 + ((y - 0.47) / 0.44) ** 2 < 1] = (60, 45, 40)
    picture[((x - 0.5) / 0.29) ** 2 + ((y - 0.52) / 0.38) ** 2 < 1] = (205, 155, 130)
    for centre in (0.38, 0.62):
        picture[((x - centre) / 0.06) ** 2 + ((y - 0.45) / 0.03) ** 2 < 1] = (40, 35, 35)
    picture[((x - 0.5) / 0.12) ** 2 + ((y - 0.73) / 0.03) ** 2 < 1] = (150, 70, 75)
    return picture


@pytest.mark.parametrize("name", ["office-laptop", "phone-front-a", "webcam-usb", "hall-terminal", "source-phone"])
def test_every_camera_shows_the_face(name):
    """Correlation of the delivered picture's luma with the scene's."""
    face, found = portrait(), []
    wanted = resized(face, SIZE)[..., 1].astype(float)
    for number in range(12):
        rng = generator(7, number)
        camera = draw_camera(BASES[name], rng)
        side = camera.side(SIZE, rng)
        frame = capture(live(face, side), side, camera, SIZE, rng)[0]
        assert frame.shape == (SIZE, SIZE, 3)
        found.append(np.corrcoef(frame[..., 1].astype(float).ravel(), wanted.ravel())[0, 1])
    assert min(found) > 0.75


@pytest.mark.parametrize("size", [64, 112])
def test_clips_of_any_size_come_out_alike_twice(size):
    kinds = set()
    for number in range(20):
        first, second = (draw_camera(BASES["webcam-usb"], generator(8, number)) for _ in range(2))
        side = first.side(size, generator(1))
        assert side % 2 == 0
        clip = np.repeat(live(portrait(), side), 2, axis=0)
        frames = [capture(clip, side, camera, size, generator(9, number)) for camera in (first, second)]
        assert frames[0].shape == (2, size, size, 3)
        assert (frames[0] == frames[1]).all()
        assert (frames[0][0] != frames[0][1]).any(), "noise is new in every frame"
        kinds.add((first.delivery.quantiser > 0, first.session.merged > 1))
    assert len(kinds) == 4
