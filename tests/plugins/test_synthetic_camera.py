"""Cues of cameras: each stage leaves its trace in the delivered frames, and without the stage there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optics import IDEAL, SIZE, irradiance, linear, live, plain_picture, shot

from padkit_synthetic import camera as chain
from padkit_synthetic.camera import Camera, Session, capture
from padkit_synthetic.delivery import Delivery
from padkit_synthetic.imaging import Bytes, Floats, blurred, generator, luminance, srgb_table
from padkit_synthetic.world import DOMAINS, SOURCE_CAMERAS

FLAT = np.full((1, 3, SIZE, SIZE), 0.4, np.float32)
FIRST, LAST = slice(0, 4), slice(-4, None)


def speckles(seed: int = 1) -> Floats:
    """Return a grey radiance [1, 3, SIZE, SIZE] with structure of every direction and size."""
    plane = np.clip(0.4 + 0.12 * generator(seed).standard_normal((SIZE, SIZE), np.float32), 0.02, 1)
    return np.broadcast_to(plane, (1, 3, SIZE, SIZE)).copy()


def grating(period: float, upright: bool = True) -> Floats:
    """Return a grey radiance [1, 3, SIZE, SIZE] of stripes; upright stripes vary from left to right."""
    wave = (0.4 + 0.3 * np.cos(2 * np.pi * np.arange(SIZE) / period)).astype(np.float32)
    plane = np.broadcast_to(wave[None, :] if upright else wave[:, None], (SIZE, SIZE))
    return np.broadcast_to(plane, (1, 3, SIZE, SIZE)).copy()


def halves() -> Floats:
    """Return a radiance [1, 3, SIZE, SIZE] that is black on the left and white on the right."""
    picture = plain_picture(255)
    picture[:, :48] = 0
    return np.clip(live(picture), 0, 1)


def sharpness(frame: Bytes) -> float:
    return float(np.abs(np.diff(linear(frame)[1], axis=0)).mean() + np.abs(np.diff(linear(frame)[1], axis=1)).mean())


@pytest.mark.parametrize("loss", [0.0, 0.15, 0.3])
def test_lenses_dim_the_corners(loss):
    assert chain.vignetted(np.ones((1, 3, 33, 33), np.float32), loss)[0, 0, 16, 16] == pytest.approx(1)
    plane = linear(shot(FLAT, replace(IDEAL, vignetting=loss)))[1]
    middle, corners = plane[56:72, 56:72].mean(), [plane[r, c].mean() for r in (FIRST, LAST) for c in (FIRST, LAST)]
    assert np.array(corners) / middle == pytest.approx(1 - loss, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_flare_lifts_the_darks_by_a_share_of_the_mean(share):
    plane = linear(shot(halves(), replace(IDEAL, flare=(share, share))))[1]
    dark, bright = plane[:, 8:50].mean(), plane[:, -50:-8].mean()
    assert dark / bright == pytest.approx(0.5 * share / (1 + 0.5 * share), abs=0.006)


def test_shake_smears_in_its_own_direction():
    stripes = {True: grating(8), False: grating(8, upright=False)}
    for angle, smeared in ((0.0, True), (np.pi / 2, False)):
        kept = {upright: chain.shaken(image, 4.0, angle).std() / image.std() for upright, image in stripes.items()}
        # Three positions 2 photosites apart, a quarter of the period: (1 + 2 cos 90 degrees) / 3.
        assert kept[smeared] == pytest.approx(1 / 3, abs=0.01)
        assert kept[not smeared] == pytest.approx(1, abs=0.01)
    assert chain.shaken(stripes[True], 0.0, 0.3) is stripes[True]


def test_shake_takes_nothing_from_the_opposite_border_unless_it_wraps():
    edge = np.zeros((2, 3, 32, 32), np.float32)
    edge[..., :16] = 1
    for angle, image in ((0.0, edge), (np.pi / 2, edge.swapaxes(2, 3).copy())):
        inside, wrapped = (chain.shaken(image, 4.0, angle, wraps=wraps) for wraps in (False, True))
        corners = np.concatenate([inside[..., 0, 0].ravel(), 1 - inside[..., -1, -1].ravel()])
        assert corners.tolist() == pytest.approx([1] * 12, abs=1e-6)
        assert inside[..., 4:-4, 4:-4] == pytest.approx(wrapped[..., 4:-4, 4:-4], abs=1e-6)
        assert wrapped[0, 0, -1, -1] > 0.3
    diagonal = speckles()
    inside, wrapped = (chain.shaken(diagonal, 5.0, 2.2, wraps=wraps) for wraps in (False, True))
    assert inside[..., 4:-4, 4:-4] == pytest.approx(wrapped[..., 4:-4, 4:-4], abs=1e-6)


def test_shake_is_seen_in_the_frame():
    def loss(length: float, seed: int) -> float:
        """Return how differently gradients of opposite directions are kept."""
        plane = linear(shot(speckles(), replace(IDEAL, shake=(length, length)), seed))[1]
        steps = [np.diff(plane, axis=0)[:, 1:], np.diff(plane, axis=1)[1:]]
        steps += [plane[1:, 1:] - plane[:-1, :-1], plane[1:, :-1] - plane[:-1, 1:]]
        kept = [np.mean(step**2) for step in steps]
        return max(np.log(kept[0] / kept[1]) ** 2, np.log(kept[2] / kept[3]) ** 2) ** 0.5

    assert max(loss(0.0, seed) for seed in range(5)) < 0.1
    assert np.mean([loss(4.0, seed) for seed in range(5)]) > 0.3
    still, shaken = (shot(speckles(), replace(IDEAL, shake=(s, s))) for s in (0.0, 4.0))
    assert sharpness(shaken) < 0.8 * sharpness(still)


def test_a_missed_focus_costs_sharpness():
    lens = replace(IDEAL, defocus=(0.6, 0.6))
    found = {
        p: [sharpness(shot(speckles(), replace(lens, misfocus=p), seed)) for seed in range(20)] for p in (0, 0.5, 1)
    }
    assert max(found[1]) < 0.75 * min(found[0])
    missed = np.mean(np.array(found[0.5]) < 0.75 * min(found[0]))
    assert 0.2 < missed < 0.8, "as often as it is said to"


def test_defocus_blurs_as_a_gaussian_of_its_deviation():
    for defocus in (0.5, 1.0):
        kept = (chain.focused(grating(8), defocus, SIZE).std() / grating(8).std()) ** 2
        variance = defocus**2 + chain.APERTURE**2
        assert np.sqrt(kept) == pytest.approx(np.exp(-2 * np.pi**2 * variance / 64), rel=0.03)


def without_mosaic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every photosite all three colours."""
    monkeypatch.setattr(chain, "mosaicked", lambda image: image)
    monkeypatch.setattr(chain, "demosaicked", lambda image: image)


def false_colour(frame: Bytes) -> float:
    return float(np.abs(frame[..., 0].astype(float) - frame[..., 2]).mean())


def test_the_colour_mosaic_gives_fine_grey_structure_false_colours(monkeypatch):
    camera = replace(IDEAL, quality=(100, 100))
    fine, coarse = false_colour(shot(grating(2.3), camera)), false_colour(shot(grating(24), camera))
    uncoloured = chain.demosaicked(chain.mosaicked(FLAT))
    assert uncoloured == pytest.approx(FLAT, abs=1e-6)
    without_mosaic(monkeypatch)
    without = false_colour(shot(grating(2.3), camera))
    base = false_colour(shot(FLAT, camera))
    assert fine - base > 8 * max(without - base, 0.2)
    assert fine - base > 4 * max(coarse - base, 0.2)


@pytest.mark.parametrize(("full_well", "read_noise"), [(800.0, 0.0), (800.0, 8.0), (4000.0, 6.0), (20000.0, 0.0)])
def test_noise_has_the_photon_transfer_curve_of_its_sensor(full_well, read_noise):
    """Variance = signal / full well + (read noise / full well)^2, and the steps' 1/12 (EMVA 1288)."""
    levels = np.linspace(0.1, 0.8, 8)
    variances = []
    for number, level in enumerate(levels):
        field = np.full((1, 256, 256), level, np.float32)
        noisy = chain.sensed(field, full_well, read_noise, generator(7, number))
        assert noisy.mean() == pytest.approx(level, rel=2e-3)
        variances.append(noisy.astype(float).var())
    slope, intercept = np.polyfit(levels, variances, 1)
    assert slope == pytest.approx(1 / full_well, rel=0.03)
    floor = (read_noise / full_well) ** 2 + 1 / 12 / 1023**2
    assert intercept == pytest.approx(floor, abs=0.02 / full_well)


def test_noise_is_seen_in_the_frame_and_is_new_in_every_frame():
    clip = np.repeat(FLAT, 2, axis=0)
    spreads = {}
    for well in (500.0, 1e6):
        first, second = (
            linear(frame)[1]
            for frame in capture(clip, SIZE, replace(IDEAL, full_well=(well, well)), SIZE, generator(3))
        )
        ratio = second / first
        spreads[well] = (ratio / ratio.mean()).std()
    assert spreads[500.0] > 8 * spreads[1e6]


def test_denoising_smooths_the_noise():
    noisy, smooth = (shot(FLAT, replace(IDEAL, full_well=(500, 500), denoise=d))[..., 1].std() for d in (0.0, 1.0))
    assert smooth < 0.6 * noisy


def tinted(red: float, blue: float) -> Floats:
    return speckles() * np.array([red, 1.0, blue], np.float32)[None, :, None, None]


def cast(frame: Bytes) -> tuple[float, float]:
    """Return the frame's colour cast: ln(red/green), ln(blue/green)."""
    means = linear(frame).mean(axis=(1, 2))
    return float(np.log(means[0] / means[1])), float(np.log(means[2] / means[1]))


def test_white_balance_takes_most_of_a_cast_away(monkeypatch):
    warm, cold = tinted(1.4, 0.7), tinted(0.7, 1.4)
    seen = [np.subtract(cast(shot(warm, IDEAL)), cast(shot(cold, IDEAL)))[n] for n in (0, 1)]
    monkeypatch.setattr(chain, "balanced", lambda image, *_: image)
    raw = [np.subtract(cast(shot(warm, IDEAL)), cast(shot(cold, IDEAL)))[n] for n in (0, 1)]
    assert raw == pytest.approx([np.log(2), -np.log(2)], rel=0.05)
    assert np.array(seen) == pytest.approx(0.2 * np.array(raw), abs=0.02)


def test_white_balance_errs_as_much_as_it_is_said_to():
    casts = {}
    for error in (0.0, 0.06):
        camera = replace(IDEAL, balance_error=error)
        casts[error] = np.array([cast(shot(speckles(), camera, seed)) for seed in range(80)]).std(axis=0)
    assert casts[0.0].max() < 0.005
    assert casts[0.06] == pytest.approx(0.06, rel=0.25)


def test_the_tone_curve_is_srgb_and_contrast_an_s():
    codes = np.arange(256)
    light = np.broadcast_to(srgb_table()[None, None, :], (1, 3, 256))
    plain = chain.toned(light, 0.0)[0, 0].astype(int)
    # The steepest part of sRGB takes 12 bits of light by up to two codes a step.
    assert np.abs(plain - codes).max() <= 1
    curved = chain.toned(light, 0.5)[0, 0].astype(int)
    assert (np.diff(curved) >= 0).all()
    assert curved[[0, 255]].tolist() == [0, 255]
    assert abs(curved[128] - 128) <= 1
    assert (curved[30:110] < plain[30:110] - 3).all()
    assert (curved[146:226] > plain[146:226] + 3).all()


def test_contrast_is_seen_in_the_frame():
    spreads = [shot(blurred(speckles(), 2.0), replace(IDEAL, contrast=(c, c)))[..., 1].std() for c in (0.0, 0.6)]
    assert spreads[1] > 1.1 * spreads[0]


def test_developing_scales_the_colours():
    coloured = speckles() * np.array([1.3, 1.0, 0.7], np.float32)[None, :, None, None]
    spread = {}
    for amount in (0.7, 1.0, 1.3):
        red, blue = cast(shot(coloured, replace(IDEAL, saturation=(amount, amount))))
        spread[amount] = red - blue
    assert spread[0.7] < 0.8 * spread[1.0] < 0.8 * 0.85 * spread[1.3]


def test_crosstalk_mixes_the_channels(monkeypatch):
    monkeypatch.setattr(chain, "balanced", lambda image, *_: image)
    monkeypatch.setattr(chain, "saturation_matrix", lambda amount: np.eye(3, dtype=np.float32))
    red = speckles() * np.array([1.0, 0.0, 0.0], np.float32)[None, :, None, None]
    for leak in (0.0, 0.1):
        means = linear(shot(red, replace(IDEAL, crosstalk=leak), 2)).mean(axis=(1, 2))
        assert means[1:] / means[0] == pytest.approx(0.5 * leak / (1 - leak), abs=0.01)


def test_exposure_aims_at_its_level():
    for target in (0.12, 0.3):
        plane = linear(shot(FLAT * 0.1, replace(IDEAL, exposure=(target, target))))
        assert plane.mean() == pytest.approx(target, rel=0.15)


def test_sides_follow_the_distance_and_are_even():
    camera, rng = Camera(name="c", resolution=(0.7, 1.5)), generator(4)
    sides = [camera.side(112, rng) for _ in range(300)]
    assert all(side % 2 == 0 for side in sides)
    assert 0.7 * 112 - 1 <= min(sides) < 0.75 * 112
    assert 1.45 * 112 < max(sides) <= 1.5 * 112 + 1


def test_a_sensor_with_fewer_photosites_delivers_less_detail():
    scene = np.repeat(np.repeat(speckles()[..., ::2, ::2], 2, -1), 2, -2)
    fine = shot(scene, IDEAL)
    coarse = capture(scene, SIZE // 2, IDEAL, SIZE, generator(1))[0]
    assert fine.shape == coarse.shape
    assert sharpness(coarse) < 0.7 * sharpness(fine)


def test_photosites_average_over_their_area():
    checks = np.indices((2 * SIZE, 2 * SIZE)).sum(0) % 2
    scene = np.broadcast_to(checks.astype(np.float32), (1, 3, 2 * SIZE, 2 * SIZE))
    assert irradiance(scene)[..., 4:-4, 4:-4] == pytest.approx(0.5, abs=0.05)


def at(light: Floats = FLAT, seed: int = 1, **session: float) -> Bytes:
    """Return a frame of `light` by an ideal camera in a session with these values."""
    return shot(light, replace(IDEAL, quality=(100, 100), session=Session(**session)), seed)


def test_cameras_of_version_3_have_no_session_of_their_own_and_their_text_is_as_before():
    for camera in (*SOURCE_CAMERAS, *(camera for domain in DOMAINS for camera in domain.cameras)):
        assert (camera.session, camera.delivery) == (Session(), Delivery())
        assert repr(camera).endswith(f"denoise={camera.denoise})")


@pytest.mark.parametrize("stops", [-1.5, -0.5, 0.0, 1.0])
def test_exposure_is_off_by_its_stops(stops):
    assert linear(at(stops=stops)).mean() == pytest.approx(0.2 * 2**stops, rel=0.04)


def ramp() -> Floats:
    """Return a grey radiance [1, 3, SIZE, SIZE] that grows from left to right."""
    return np.broadcast_to(np.linspace(0.05, 1, SIZE, dtype=np.float32), (1, 3, SIZE, SIZE))


def test_over_exposure_clips_the_highlights():
    clipped = {stops: (at(ramp(), stops=stops)[..., 1] > 250).mean() for stops in (-1.0, 0.0, 1.5)}
    assert max(clipped[-1.0], clipped[0.0]) < 0.001
    assert clipped[1.5] > 0.04
    assert at(ramp(), stops=-1.0).max() < 160


def test_exposure_errs_no_further_than_a_face_is_seen():
    assert chain.misjudged(0.2, 1.0) == 0.4
    assert chain.misjudged(0.2, -1.0) == 0.1
    assert chain.misjudged(0.4, 1.5) == chain.LEVELS[1]
    assert chain.misjudged(0.08, -1.5) == chain.LEVELS[0]
    assert chain.misjudged(0.9, 0.0) == 0.9, "without an error nothing is changed"


def test_lamps_flicker_in_bands_of_their_strength():
    for strength in (0.0, 0.06):
        rows = linear(at(flicker=strength))[1].mean(axis=1)
        columns = linear(at(flicker=strength))[1].mean(axis=0)
        assert columns.std() / columns.mean() < 0.004
        if strength:
            assert np.ptp(rows) / rows.mean() == pytest.approx(2 * strength, rel=0.35)
        else:
            assert rows.std() / rows.mean() < 0.004
    clip = chain.flickered(np.repeat(FLAT, 2, axis=0), 0.05, generator(1))
    assert np.abs(clip[0] - clip[1]).max() > 0.002, "the lamp goes on between frames"


def test_rows_share_an_offset():
    field = np.full((2, 400, 300), 0.4, np.float32)
    noisy = chain.rowed(field, 0.01, generator(2)) - field
    assert noisy.std(axis=2).max() < 1e-6
    assert noisy[:, :, 0].std(axis=1) == pytest.approx(0.01, rel=0.15)
    assert np.abs(noisy[0] - noisy[1]).max() > 0.005, "new in every frame"
    assert chain.rowed(np.repeat(FLAT, 2, 0), 0.01, generator(2)).std(axis=(1, 3)).max() < 1e-6, "for all colours"
    assert chain.rowed(field, 0.0, generator(2)) is field

    def streaks(rows: float) -> float:
        plane = linear(shot(FLAT, replace(IDEAL, full_well=(1000, 1000), session=Session(rows=rows))))[1]
        return plane.mean(axis=1).std() / plane.mean(axis=0).std()

    assert streaks(0.0) < 1.5 < 3 < streaks(10.0)


@pytest.mark.parametrize("count", [2, 3])
def test_merged_photosites_have_the_noise_of_all_their_electrons(count):
    """Variance = signal / electrons + (read noise / full well)^2 / photosites; a quarter of them is red, half green."""
    field = np.full((1, 3, 256, 256), 0.4, np.float32)
    noisy = chain.merged(field, 500.0, 5.0, count, generator(3))
    for channel, share in enumerate((0.25, 0.5, 0.25)):
        photosites = share * count**2
        variance = (0.4 / 500 + (5 / 500) ** 2) / photosites
        assert noisy[0, channel].mean() == pytest.approx(0.4, rel=2e-3)
        assert noisy[0, channel].astype(float).var() == pytest.approx(variance, rel=0.05)


def test_merged_photosites_know_all_colours():
    base, *fine = (false_colour(at(grating(period), merged=count)) for period, count in ((24, 1), (2.3, 1), (2.3, 2)))
    assert fine[0] - base > 8 * max(fine[1] - base, 0.2)


def test_merged_photosites_leak_like_single_ones():
    red = FLAT * np.array([1.0, 0.0, 0.0], np.float32)[None, :, None, None]
    for count in (1, 2):
        camera = replace(IDEAL, crosstalk=0.1, session=Session(merged=count))
        means = chain.recorded(red, camera, 1e6, generator(1)).mean(axis=(0, 2, 3))
        assert means[1:] / means[0] == pytest.approx(0.05 / 0.9, abs=0.002)


def test_what_is_saturated_is_white():
    """A warm picture: where the sensor is full, gains alone would give it the colour of the error."""
    frames = [at(ramp(), stops=1.5, warmth=0.3, white=white) for white in (1.0, 0.9)]
    bright = [frame[:, -6:].reshape(-1, 3).astype(int) for frame in frames]
    assert bright[0][:, 2].mean() < 245
    assert bright[1].min() > 250
    assert np.abs(frames[0][:, :20].astype(int) - frames[1][:, :20]).max() <= 2, "the rest is as before"


@pytest.mark.parametrize(("warmth", "tint"), [(0.0, 0.0), (0.3, 0.0), (-0.3, 0.0), (0.0, 0.08)])
def test_the_white_balance_is_off_by_its_warmth_and_tint(warmth, tint):
    red, blue = np.subtract(cast(at(speckles(), warmth=warmth, tint=tint)), cast(at(speckles())))
    assert red - blue == pytest.approx(warmth, abs=0.02)
    assert -(red + blue) / 2 == pytest.approx(tint, abs=0.01)
    tinged = chain.tinged(FLAT, warmth, tint)
    assert luminance(tinged) == pytest.approx(luminance(FLAT), rel=1e-5)


def test_the_white_balance_removes_the_share_of_a_cast_that_it_is_said_to():
    for adapted in (0.5, 0.9):
        warm, cold = (np.subtract(*cast(at(tinted(*gains), adapted=adapted))) for gains in ((1.4, 0.7), (0.7, 1.4)))
        assert warm - cold == pytest.approx((1 - adapted) * 2 * np.log(2), abs=0.03)


def test_gamma_bends_the_tones_and_negative_contrast_flattens_them():
    light = np.broadcast_to(srgb_table()[None, None, :], (1, 3, 256))
    plain, dark, bright = (chain.toned(light, 0.0, gamma)[0, 0].astype(int) for gamma in (1.0, 1.25, 0.8))
    assert (dark[30:220] < plain[30:220] - 3).all()
    assert (bright[30:220] > plain[30:220] + 3).all()
    assert {tuple(curve[[0, 255]]) for curve in (plain, dark, bright)} == {(0, 255)}
    flat = chain.toned(light, -0.3)[0, 0].astype(int)
    assert (np.diff(flat) >= 0).all()
    assert flat[192] - flat[64] < plain[192] - plain[64] - 10
    assert at(gamma=1.25).mean() < at().mean() - 8
