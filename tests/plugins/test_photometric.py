"""Photometric variation: every variation does what its name says, to as many images as its setting says."""

from __future__ import annotations

import math

import pytest
import torch

from padkit.catalog import Catalog
from padkit.data.joined_augmentation import JoinedAugmentation
from padkit.errors import SettingsError
from padkit_photometric.reach import PRESETS

torch.set_num_threads(1)
SIDE = 24


def varied(images: torch.Tensor, seed: int = 0, strength: str = "none", **settings: float) -> torch.Tensor:
    torch.manual_seed(seed)
    built = Catalog().build("augmentation", "photometric", {"strength": strength, **settings})
    return built.vary(images)


def noise_images(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5)) * 0.6 + 0.2


def test_no_strength_changes_nothing():
    assert torch.equal(varied(noise_images()), noise_images())
    assert varied(noise_images()[:0], strength="strong").shape == (0, 3, SIDE, SIDE)


def test_gamma_is_one_exponent_for_an_image():
    images = noise_images()
    exponent = varied(images, gamma=0.5).log() / images.log()
    assert torch.allclose(exponent, exponent[:, :1, :1, :1].expand_as(exponent), atol=1e-3)
    found = exponent[:, 0, 0, 0].log()
    assert found.abs().max() <= 0.5 + 1e-3
    assert found.min() < -0.4
    assert found.max() > 0.4


def test_exposure_is_in_stops_of_light():
    images = torch.full((256, 3, 4, 4), 0.2)
    stops = (varied(images, exposure=2) / images).log2() * 2.2
    assert 1.9 < stops.max() <= 2.001
    assert -2.001 <= stops.min() < -1.9


def test_a_bright_image_is_clipped():
    assert varied(torch.full((64, 3, 4, 4), 0.9), exposure=2).max() == 1


def test_a_cast_moves_channels_apart_and_keeps_the_brightness():
    images = torch.full((128, 3, 4, 4), 0.4)
    gains = varied(images, cast=0.3)[:, :, 0, 0] / 0.4
    torch.testing.assert_close(gains.mean(1), torch.ones(128), atol=1e-4, rtol=0)
    apart = gains.amax(1) / gains.amin(1)
    assert 1.3 < apart.max() <= math.exp(0.6) + 1e-3


def test_contrast_keeps_the_mean():
    images = 0.4 + 0.2 * noise_images()
    result = varied(images, contrast=0.5)
    torch.testing.assert_close(result.mean((1, 2, 3)), images.mean((1, 2, 3)))
    factor = (result.std((1, 2, 3)) / images.std((1, 2, 3))).log()
    assert -0.5 <= factor.min() < -0.4
    assert 0.4 < factor.max() <= 0.5


def test_grey_images_have_equal_channels():
    result = varied(noise_images(400), grey=0.3)
    grey = (result.amax(1) - result.amin(1)).amax((1, 2)) < 1e-6
    assert 0.2 < grey.float().mean() < 0.4


def test_blur_takes_fine_detail_from_its_share_of_the_images():
    images = noise_images(300)
    result = varied(images, blur=2, share=0.3)
    touched = (result[..., 1:] - result[..., :-1]).abs().mean((1, 2, 3)) < 0.9 * 0.2
    assert 0.15 < touched.float().mean() < 0.35
    assert 0.6 < (result == images).all(3).all(2).all(1).float().mean() < 0.8


def test_noise_has_the_deviation_asked_for():
    images = torch.full((200, 3, SIDE, SIDE), 0.5)
    found = (varied(images, noise=0.05, share=1) - images).std((1, 2, 3))
    assert 0.045 < found.max() < 0.055
    assert found.min() < 0.01
    patterns = (varied(images, noise=0.05, share=1) - images)[:2].flatten(1)
    assert abs(float(torch.corrcoef(patterns)[0, 1])) < 0.1, "two images got the same noise"


def test_resampling_takes_single_pixels_away():
    board = ((torch.arange(SIDE).view(-1, 1) + torch.arange(SIDE)) % 2).float().expand(100, 3, SIDE, SIDE)
    result = varied(board, resampling=4, share=1)
    assert (result[..., 1:] - result[..., :-1]).abs().mean((1, 2, 3)).median() < 0.2


def test_jpeg_leaves_blocks():
    """Low quality keeps few frequencies of a block of 8 pixels: noise gets smoother within them than across borders."""
    images = noise_images(64)
    result = varied(images, jpeg=5, share=1).mean(1)
    step = (result[..., 1:] - result[..., :-1]).abs().mean((0, 1))
    border = step[7::8].mean()
    within = torch.cat([step[start : start + 7] for start in (0, 8, 16)]).mean()
    assert border > 1.02 * within
    assert torch.equal(images, varied(images, jpeg=100, share=1))


def test_a_cut_out_part_has_one_grey_and_no_more_than_its_size():
    images = noise_images(100)
    result = varied(images, cutout=0.5, share=1)
    gone = (result - images).abs().amax(1) > 0
    share = gone.float().mean((1, 2))
    assert share.min() > 0
    assert 0.15 < share.max() <= 0.25 + 1e-6
    for image, mask in zip(result, gone, strict=True):
        values = image.permute(1, 2, 0)[mask]
        assert values.max() == values.min()


def test_it_is_the_same_under_accumulation_and_in_any_memory_format():
    images = noise_images(24)
    whole = varied(images, 7, "strong")
    torch.manual_seed(7)
    strong = Catalog().build("augmentation", "photometric", {"strength": "strong"})
    assert torch.allclose(torch.cat([strong.vary(part) for part in images.split(6)]), whole, atol=1e-6)
    last = varied(images.contiguous(memory_format=torch.channels_last), 7, "strong")
    assert torch.allclose(last, whole, atol=1e-5)
    assert not torch.allclose(varied(images, 8, "strong"), whole, atol=1e-2)


def test_strong_goes_further_than_light_in_everything():
    weaker = {"resampling": 1, "jpeg": -1}
    none, light, strong = PRESETS.values()
    for name in type(light).__slots__:
        sign = weaker.get(name, 1)
        values = [sign * getattr(one, name) for one in (light, strong)]
        assert values[0] < values[1], name
        assert name == "share" or sign * getattr(none, name) < values[0], name
    images = noise_images()
    distance = [(varied(images, 1, strength) - images).abs().mean() for strength in ("light", "strong")]
    assert distance[1] > 1.5 * distance[0]


def test_a_single_setting_replaces_that_of_the_preset():
    built = Catalog().build("augmentation", "photometric", {"strength": "strong", "gamma": 0.0, "jpeg": 90})
    assert (built.reach.gamma, built.reach.jpeg) == (0, 90)
    assert built.reach.exposure == PRESETS["strong"].exposure


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"strength": "strng"}, "Did you mean 'strong'"),
        ({"jpeg": 0}, r"jpeg 0 of augmentation 'photometric' is out of range; give int in \[1, 100\]"),
        ({"resampling": 0.5}, "resampling 0.5"),
        ({"noise": float("nan")}, "noise nan"),
    ],
)
def test_impossible_settings_are_refused(settings, text):
    with pytest.raises(SettingsError, match=text):
        Catalog().build("augmentation", "photometric", settings)


def test_it_joins_with_others():
    names = {"photometric": {"strength": "strong"}, "light": {}}
    joined = Catalog().build("augmentation", "photometric+light", names)
    assert isinstance(joined, JoinedAugmentation)
    torch.manual_seed(3)
    result = joined.vary(noise_images(8))
    assert result.shape == (8, 3, SIDE, SIDE)
    assert not torch.allclose(result, varied(noise_images(8), 3, "strong"), atol=1e-2)
