"""Cues of delivery: noise removal, scaling, sharpening, JPEG and H.264; without a stage its trace is not there."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from optics import IDEAL, SIZE, linear, shot
from PIL import Image

from padkit.errors import PluginError
from padkit_synthetic import delivery as chain
from padkit_synthetic.delivery import Delivery, delivered
from padkit_synthetic.imaging import Bytes, generator

BEST = 100  # JPEG quality


def noisy(deviation: float = 8.0, seed: int = 1, level: float = 120.0) -> Bytes:
    """Return a grey picture [SIZE, SIZE, 3] with noise in every channel, an edge of 60 levels down its middle."""
    values = level + deviation * generator(seed).standard_normal((SIZE, SIZE, 3))
    values[:, SIZE // 2 :] += 60
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def smooth() -> Bytes:
    """Return a picture [SIZE, SIZE, 3] without edges, whose blocks show."""
    wave = np.sin(np.arange(SIZE) / 9.0)
    plane = 128 + 50 * wave[:, None] * wave[None, :]
    return np.stack([plane, plane + 8 * wave, plane - 8 * wave], axis=2).astype(np.uint8)


def stripes(period: float) -> Bytes:
    wave = 128 + 100 * np.cos(2 * np.pi * np.arange(SIZE) / period)
    return np.broadcast_to(wave[None, :, None], (SIZE, SIZE, 3)).astype(np.uint8)


def through(frame: Bytes, size: int = SIZE, sharpening: float = 0.0, quality: int = BEST, **values: object) -> Bytes:
    """Return the frame as it is delivered."""
    defaults = {"subsampling": "4:4:4", **values}
    return delivered(frame[None], size, sharpening, quality, Delivery(**defaults))[0]


def planes(frame: Bytes) -> list[np.ndarray]:
    """Return luma and chroma, [S, S] each."""
    return [np.asarray(plane).astype(float) for plane in Image.fromarray(frame).convert("YCbCr").split()]


def spreads(frame: Bytes) -> list[float]:
    """Return the deviation of luma and chroma where there is no edge."""
    return [float(plane[:, 8:48].std()) for plane in planes(frame)]


def test_noise_goes_from_the_chroma_and_less_from_the_luma():
    before, neither, both = (
        spreads(through(noisy(), luma=luma, chroma=chroma)) for luma, chroma in ((0, 0), (0, 2.0), (8.0, 2.0))
    )
    assert neither[0] == pytest.approx(before[0], rel=0.1)
    assert max(neither[1:]) < 0.4 * min(before[1:])
    assert both[0] < 0.6 * before[0]
    assert both[0] > both[1]


def test_noise_removal_keeps_edges_and_takes_texture():
    frame = through(noisy(2.0), luma=10.0)
    rows = planes(frame)[0].mean(axis=0)
    assert rows[66] - rows[61] > 0.9 * 60
    assert np.diff(rows)[60:67].max() > 0.7 * np.diff(planes(noisy(0.0))[0].mean(axis=0)).max()
    fine = 0.05 * (stripes(4).astype(float) - 128) + 128  # 5 grey levels
    kept = planes(through(fine.astype(np.uint8), luma=10.0))[0].std() / planes(fine.astype(np.uint8))[0].std()
    assert kept < 0.5
    bold = planes(through(stripes(4), luma=10.0))[0].std() / planes(stripes(4))[0].std()
    assert bold > 0.9


def test_nothing_is_taken_without_noise_removal():
    picture = Image.fromarray(noisy())
    assert chain.denoised(picture, 0.0, 0.0) is picture


@pytest.mark.parametrize(("kernel", "times"), [("box", 1.7), ("bilinear", 4), ("bicubic", 4), ("lanczos", 4)])
def test_reductions_that_average_suppress_what_points_let_alias(kernel, times):
    """Stripes of 2.2 pixels, of which every third pixel is taken, come back as stripes of 2.75."""
    picture = Image.fromarray(stripes(2.2))
    averaged, sampled = (np.asarray(chain.scaled(picture, 43, name)).std() for name in (kernel, "points"))
    assert sampled > times * averaged


def test_all_kernels_keep_flat_areas_and_places():
    frame = np.full((64, 64, 3), 90, np.uint8)
    frame[:, 32:] = 160
    for kernel in (*chain.AVERAGING, "points"):
        for side in (40, 96):
            for mode in ("RGB", "YCbCr"):
                result = np.asarray(chain.scaled(Image.fromarray(frame).convert(mode), side, kernel).convert("RGB"))
                assert result.shape == (side, side, 3)
                rows = result[..., 1].mean(axis=0)
                assert rows[: side // 2 - 4] == pytest.approx(90, abs=1)
                assert rows[side // 2 + 4 :] == pytest.approx(160, abs=1)
                assert rows[side // 2 - 1 : side // 2 + 1].mean() == pytest.approx(125, abs=12)


def test_a_camera_whose_own_pictures_are_small_delivers_less_detail():
    sharp, soft = (np.abs(np.diff(through(noisy(), output=output)[..., 1].astype(int))).mean() for output in (1, 0.5))
    assert soft < 0.5 * sharp
    enlarged = np.abs(np.diff(through(noisy(), output=1.5, kernels=("bilinear", "box"))[..., 1].astype(int))).mean()
    assert soft < enlarged < 0.9 * sharp, "enlarged, then reduced"


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_sharpening_overshoots_at_edges(strength):
    edge = np.full((SIZE, SIZE, 3), 90, np.uint8)
    edge[:, SIZE // 2 + 1 :] = 160
    frame = through(edge, sharpening=strength).astype(int)
    over, under = frame.max() - 160, 90 - frame.min()
    if strength:
        assert min(over, under) > 12 * strength
    else:
        assert max(over, under) <= 2
    assert abs(frame[:, :50].mean() - 90) < 1, "areas keep their level"


def test_halos_are_as_wide_as_the_mask_and_grey():
    edge = np.full((SIZE, SIZE, 3), (120, 90, 60), np.uint8)
    edge[:, SIZE // 2 :] += 60
    widths = {}
    for halo in (0.6, 2.0):
        luma, *colours = planes(through(edge, sharpening=1.0, halo=halo))
        row = luma[SIZE // 2]
        widths[halo] = int((row > row[-20] + 2).sum())
        assert widths[halo] > 0
        assert max(np.ptp(plane[SIZE // 2]) for plane in colours) <= 4, "colours stay"
    assert widths[2.0] > widths[0.6]
    plain = planes(through(edge))[0][SIZE // 2]
    assert (plain > plain[-20] + 2).sum() == 0


def grid_step(frame: Bytes, shift: int = 0) -> float:
    """Return the mean step across the borders of 8-pixel blocks, `shift` before the crop, over that elsewhere."""
    steps = np.abs(np.diff(frame[..., 1].astype(float), axis=1)).mean(axis=0)
    at_borders = (np.arange(len(steps)) + shift) % 8 == 7
    return float(steps[at_borders].mean() / steps[~at_borders].mean())


def test_jpeg_leaves_its_8_pixel_grid():
    found = {quality: grid_step(through(smooth(), quality=quality)) for quality in (20, BEST)}
    assert found[20] > 1.3 > 1.1 > found[BEST]
    frame = shot(np.full((1, 3, SIZE, SIZE), 0.4, np.float32), replace(IDEAL, quality=(20, 20), full_well=(300, 300)))
    assert grid_step(frame) > 1.1


def test_the_grid_begins_where_it_is_said_to():
    frame = through(smooth(), quality=20, offset=(3, 5))
    assert grid_step(frame, 3) > 1.3
    assert grid_step(frame.transpose(1, 0, 2), 5) > 1.3
    assert grid_step(frame) < 1.15


@pytest.mark.parametrize("offset", [(0, 0), (0, 7), (7, 0), (15, 9)])
def test_an_offset_moves_the_grid_and_not_the_picture(offset):
    for values in ({"offset": offset}, {"again": BEST, "again_offset": offset}, {"quantiser": 8, "offset": offset}):
        assert np.abs(through(smooth(), **values).astype(int) - smooth()).mean() < 2.5


def test_a_second_jpeg_leaves_a_second_grid():
    once, twice = (through(smooth(), quality=20, again=again, again_offset=(4, 0)) for again in (0, 20))
    assert grid_step(twice, 4) > 1.3
    assert grid_step(twice, 4) > grid_step(once, 4) + 0.3


def test_subsampling_smears_colours_and_no_greys():
    colours = stripes(2.0 + 1e-6).copy()
    colours[..., 0], colours[..., 2] = 128, 255 - colours[..., 2]
    kept = {}
    for kind in ("4:4:4", "4:2:2", "4:2:0"):
        kept[kind] = [planes(through(one, subsampling=kind))[1].std() for one in (colours, colours.transpose(1, 0, 2))]
        grey = planes(through(stripes(2.0 + 1e-6), subsampling=kind))[0].std()
        assert grey > 0.9 * planes(stripes(2.0 + 1e-6))[0].std()
    assert kept["4:2:2"][0] < 0.2 * kept["4:4:4"][0], "across"
    assert kept["4:2:2"][1] > 0.8 * kept["4:4:4"][1], "not down"
    assert max(kept["4:2:0"]) < 0.2 * min(kept["4:4:4"])


def test_h264_is_coarser_by_its_quantiser():
    errors = [np.abs(planes(through(noisy(), quantiser=q))[0] - planes(noisy())[0]).mean() for q in (8, 24, 40)]
    assert errors[0] < 1.5
    assert errors[1] > 1.3 * errors[0]
    assert errors[2] > 1.3 * errors[1]
    flat = planes(through(noisy(3.0), quantiser=40))[0][:, 8:48]
    assert flat.std() < 1.5, "noise is gone"
    assert planes(through(noisy(3.0), quality=95))[0][:, 8:48].std() > 1.5, "JPEG of good quality keeps it"


def test_h264_gives_the_same_twice_and_any_size_a_picture():
    for side, offset in ((64, (0, 0)), (75, (3, 8)), (90, (15, 15))):
        pictures = [Image.fromarray(noisy()).resize((side, side)) for _ in range(2)]
        first, second = (chain.filmed(pictures, 30, offset) for _ in range(2))
        assert [one.size for one in first] == [(side, side)] * 2
        assert [one.tobytes() for one in first] == [two.tobytes() for two in second]


def test_frames_of_a_clip_are_coded_from_the_one_before():
    noise = [4 * generator(seed).standard_normal((SIZE, SIZE, 3)) for seed in (1, 2, 3)]
    clip = np.stack([(smooth() + one).clip(0, 255).astype(np.uint8) for one in noise])
    together = delivered(clip, SIZE, 0.0, BEST, Delivery(quantiser=30))
    alone = np.concatenate([delivered(frame[None], SIZE, 0.0, BEST, Delivery(quantiser=30)) for frame in clip])
    assert (together[0] == alone[0]).all()
    changes = [np.abs(np.diff(frames.astype(int), axis=0)).mean() for frames in (together, alone)]
    assert changes[0] < 0.1 * changes[1], "what hardly changes is skipped"


def test_encoders_with_other_options_give_every_frame(monkeypatch):
    expected = chain.filmed([Image.fromarray(noisy(seed=seed)) for seed in range(4)], 30)
    monkeypatch.setattr(chain, "ENCODERS", {"libx264": {}})
    found = chain.filmed([Image.fromarray(noisy(seed=seed)) for seed in range(4)], 30)
    for one, other in zip(expected, found, strict=True):
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean() < 4, "in order"


@pytest.fixture
def asked_anew():
    chain.h264_encoder.cache_clear()
    yield
    chain.h264_encoder.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_without_a_video_library_h264_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PluginError, match=r"^H\.264 of the simulated cameras: .*; pip install 'padkit\[video\]'\.$"):
        through(noisy(), quantiser=30)
    assert through(noisy(), quality=50).shape == (SIZE, SIZE, 3), "JPEG needs none"


@pytest.mark.usefixtures("asked_anew")
def test_without_an_encoder_h264_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(chain, "ENCODERS", {"lib_none": {}})
    with pytest.raises(PluginError, match=r"has no encoder lib_none; pip install --force-reinstall av\.$"):
        chain.h264_encoder()


def test_the_encoder_is_named_with_its_version_where_frames_depend_on_it():
    assert re.fullmatch(r"libx264 core \d+, libavcodec \d+\.\d+\.\d+", chain.h264_version())
    assert chain.made_with(drawn=True, video=True) == {"H.264": chain.h264_version()}
    assert chain.made_with(drawn=False, video=True) == chain.made_with(drawn=True, video=False) == {}


def test_frames_may_lie_channel_by_channel():
    clip = np.stack([noisy(seed=1), noisy(seed=2)])
    planes_first = np.ascontiguousarray(clip.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    assert (delivered(clip, 96, 0.5, 70) == delivered(planes_first, 96, 0.5, 70)).all()


def test_by_default_a_clip_is_scaled_and_compressed_as_jpeg():
    clip = np.stack([noisy(seed=1), noisy(seed=2)])
    frames = delivered(clip, 96, 0.0, 70)
    for frame, developed in zip(frames, clip, strict=True):
        picture = Image.fromarray(developed).resize((96, 96), Image.Resampling.BICUBIC)
        assert (frame == np.asarray(chain.jpeg(picture, 70))).all()
    assert linear(frames[0]).shape == (3, 96, 96)
