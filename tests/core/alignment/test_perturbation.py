"""A perturbation does what its parameters say, stays within its bounds, and changes nothing at 0."""

from __future__ import annotations

import math

import pytest
import torch

from padkit.alignment.perturbation import BANDS, Bounds, apply, bands
from padkit.errors import SettingsError
from padkit.networks.inputs import resize

torch.set_num_threads(1)

ALL = Bounds(epsilon=4 / 255, colour=0.1, contrast=0.2, spectrum=0.5)


def images(n: int = 4, size: int = 32) -> torch.Tensor:
    return 0.3 + 0.4 * torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(3))


def wave(cycles: int, size: int = 32) -> torch.Tensor:
    across = torch.arange(size) * 2 * math.pi * cycles / size
    return (0.5 + 0.1 * across.cos()).expand(1, 3, size, size)


@pytest.mark.parametrize("size", [32, 33])
def test_at_zero_nothing_changes(size):
    torch.testing.assert_close(apply(images(size=size), ALL.none(images(size=size))), images(size=size))


@pytest.mark.parametrize("kind", ["uniform", "sign"])
def test_drawn_parameters_keep_and_use_their_bounds(kind):
    found = ALL.drawn(images(), kind)
    assert found.keys() == ALL.limits().keys() == {"epsilon", "colour", "contrast", "spectrum"}
    for name, limit in ALL.limits().items():
        assert found[name].abs().max() <= limit + 1e-7
        assert (found[name] < 0).any()
        assert (found[name] > 0).any()
        if kind == "sign":
            assert (found[name].abs() == torch.tensor(limit)).all()


def test_colour_and_contrast_by_hand():
    x = torch.tensor([0.2, 0.4]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    theta = {
        "colour": torch.tensor([0.1, 0.0, -0.05]).view(1, 3, 1, 1),
        "contrast": torch.tensor([0.0, math.log(2), 0.0]).view(1, 3, 1, 1),
    }
    expected = torch.tensor([[0.3, 0.5], [0.1, 0.5], [0.15, 0.35]]).view(1, 3, 1, 2)
    torch.testing.assert_close(apply(x, theta), expected)


def test_a_band_is_raised_by_its_factor_and_the_mean_is_kept():
    """A wave at the highest frequency belongs to the last band, one of a single cycle to the first."""
    for cycles, band in ((1, 0), (16, BANDS - 1)):
        gains = torch.zeros(1, 3, BANDS)
        gains[:, :, band] = math.log(1.5)
        found = apply(wave(cycles), {"spectrum": gains})
        torch.testing.assert_close(found, 0.5 + 1.5 * (wave(cycles) - 0.5), rtol=0, atol=1e-5)
        gains = math.log(1.5) - gains  # every band but this one
        torch.testing.assert_close(apply(wave(cycles), {"spectrum": gains}), wave(cycles), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [16, 33, 64])
def test_bands_share_every_frequency_but_zero(size):
    shares = bands(size, size, torch.device("cpu"))
    assert shares.shape == (BANDS, size, size // 2 + 1)
    assert not shares[:, 0, 0].any()
    total = shares.sum(dim=0)
    total[0, 0] = 1
    torch.testing.assert_close(total, torch.ones_like(total))


def test_a_coarse_grid_survives_a_teachers_resize_and_single_pixels_do_not():
    x, left = torch.full((1, 3, 64, 64), 0.5), {}
    for grid in (None, 16):
        bounds = Bounds(epsilon=8 / 255, grid=grid)
        torch.manual_seed(0)
        moved = apply(x, bounds.drawn(x, "sign")) - x
        assert moved.abs().max() <= 8 / 255 + 1e-6
        left[grid] = (resize(x + moved, 28) - 0.5).std() / moved.std()
    assert left[None] < 0.5
    assert left[16] > 0.8


def test_results_are_images_in_full_precision_under_autocast():
    theta = ALL.drawn(images(), "sign")
    with torch.autocast("cpu", torch.bfloat16):
        found = apply(images(), theta)
    assert found.dtype == torch.float32
    assert torch.equal(found, apply(images(), theta))
    extreme = apply(torch.rand(2, 3, 16, 16).round(), ALL.drawn(torch.rand(2, 3, 16, 16), "sign"))
    assert extreme.min() >= 0
    assert extreme.max() <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -0.1}, "aligner.epsilon -0.1 must lie in"),
        ({"epsilon": float("nan")}, "aligner.epsilon nan"),
        ({"colour": 4.0}, "aligner.colour 4.0"),
        ({"contrast": 3.0}, "aligner.contrast 3.0 is the logarithm of a factor"),
        ({"spectrum": -1.0}, "aligner.spectrum -1.0"),
        ({"grid": 0}, "aligner.grid 0"),
        ({"epsilon": 0.0, "colour": 0.0, "contrast": 0.0, "spectrum": 0.0}, "are all 0"),
    ],
)
def test_bounds_out_of_range(change, message):
    with pytest.raises(SettingsError, match=message) as error:
        Bounds(**{"epsilon": 0.1} | change)
    assert "\n" not in str(error.value)


def test_opponent_axes_change_the_colours_and_leave_brightness_or_the_reverse():
    x = images()
    brightness, difference = torch.zeros(4, 3, BANDS), torch.zeros(4, 3, BANDS)
    brightness[:, 0], difference[:, 1] = math.log(0.5), math.log(0.5)
    grey = apply(x, {"spectrum": brightness}, "opponent")
    mean = x.mean(1, keepdim=True)
    centre = mean.mean((2, 3), keepdim=True)
    torch.testing.assert_close(grey - grey.mean(1, keepdim=True), x - mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(grey.mean(1, keepdim=True), centre + 0.5 * (mean - centre), rtol=0, atol=1e-5)
    paler = apply(x, {"spectrum": difference}, "opponent")
    torch.testing.assert_close(paler.mean(1), x.mean(1), rtol=0, atol=1e-5)
    gap = x[:, 0] - x[:, 2]
    centre = gap.mean((1, 2), keepdim=True)
    torch.testing.assert_close(paler[:, 0] - paler[:, 2], centre + 0.5 * (gap - centre), rtol=0, atol=1e-5)


def test_opponent_axes_keep_the_size_of_a_colour_and_leave_pixels_to_rgb():
    x, theta = torch.full((1, 3, 4, 4), 0.5), {"colour": torch.tensor([0.0, 0.1, 0.0]).view(1, 3, 1, 1)}
    moved = apply(x, theta, "opponent") - x
    torch.testing.assert_close(moved.square().sum(1), torch.full((1, 4, 4), 0.01))
    pixels = {"epsilon": 0.01 * torch.randn(1, 3, 4, 4)}
    assert torch.equal(apply(x, pixels, "opponent"), apply(x, pixels))
