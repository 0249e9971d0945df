"""Light variation: in range, light, the same under accumulation, and gentle to texture."""

from __future__ import annotations

import torch

from padkit.catalog import Catalog

torch.set_num_threads(1)
LIGHT = Catalog().build("augmentation", "light", {})


def test_the_numbers_are_those_of_earlier_versions():
    """Changes only where the variation or the libraries' random numbers change: every trained run depends on it."""
    torch.manual_seed(3)
    varied = LIGHT.vary(torch.linspace(0, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8))
    torch.testing.assert_close(varied[:, :, 2, 5], torch.tensor(PINNED), atol=1e-5, rtol=0)


PINNED = [[0.010047, 0.178397, 0.346747], [0.566338, 0.705101, 0.843864]]


def test_it_stays_in_range_and_varies():
    torch.manual_seed(0)
    images = torch.rand(32, 3, 24, 24)
    varied = LIGHT.vary(images)
    assert varied.shape == images.shape
    assert varied.dtype == images.dtype
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert (varied - images).abs().amax((1, 2, 3)).min() > 0.01
    assert LIGHT.vary(images[:0]).shape == (0, 3, 24, 24)


def test_it_is_light():
    torch.manual_seed(0)
    images = torch.full((256, 3, 16, 16), 0.5)
    assert (LIGHT.vary(images) - 0.5).abs().max() < 0.1


def test_it_is_the_same_under_accumulation():
    images = torch.rand(12, 3, 16, 16)
    torch.manual_seed(7)
    whole = LIGHT.vary(images)
    torch.manual_seed(7)
    assert torch.allclose(torch.cat([LIGHT.vary(part) for part in images.split(4)]), whole, atol=1e-6)
    torch.manual_seed(8)
    assert not torch.allclose(LIGHT.vary(images), whole, atol=1e-2)


def test_it_leaves_the_texture_of_three_quarters_of_the_images():
    """A checkerboard of single pixels keeps its contrast where nothing is resampled."""
    torch.manual_seed(0)
    board = (torch.arange(32).view(-1, 1) + torch.arange(32)) % 2
    varied = LIGHT.vary(board.float().expand(200, 3, 32, 32))
    contrast = (varied[..., 1:] - varied[..., :-1]).abs().mean((1, 2, 3))
    assert 0.65 < (contrast > 0.7).float().mean() < 0.85
