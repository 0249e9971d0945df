"""Inputs of networks: resized and standardised, with a gradient."""

from __future__ import annotations

import pytest
import torch

from padkit.errors import SettingsError
from padkit.networks.inputs import central, check_share, network_input, normalise, resize

torch.set_num_threads(1)


def test_normalise_by_hand():
    image = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 3)
    found = normalise(image, None, (0.1, 0.5, 0.0), (0.5, 0.1, 2.0))
    assert found.shape == image.shape
    torch.testing.assert_close(found[0, :, 1, 2], torch.tensor([0.2, 0.0, 0.5]))
    torch.testing.assert_close(normalise(image, 2, (0.0,) * 3, (1.0,) * 3), image[..., :2])


def test_normalise_lets_the_gradient_reach_the_image():
    image = torch.rand(1, 3, 6, 6, requires_grad=True)
    normalise(image, 4, (0.5,) * 3, (0.25,) * 3).sum().backward()
    torch.testing.assert_close(image.grad.sum(), torch.tensor(3 * 16 / 0.25))


def test_by_default_black_and_white_become_minus_one_and_one_and_the_size_stays():
    image = torch.tensor([0.0, 1.0, 0.75]).view(1, 3, 1, 1).expand(1, 3, 2, 3)
    assert normalise(image)[0, :, 1, 2].tolist() == [-1.0, 1.0, 0.5]
    assert resize(image, None) is image


def test_bytes_become_what_networks_take():
    found = network_input(torch.full((2, 3, 8, 8), 255, dtype=torch.uint8), 4)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, torch.ones(2, 3, 4, 4))


def test_the_central_share_is_in_the_middle_and_never_empty():
    image = torch.arange(100.0).view(1, 1, 10, 10).expand(2, 3, 10, 10)
    assert central(image, 1.0) is image
    assert torch.equal(central(image, 0.6), image[..., 2:8, 2:8])
    assert torch.equal(central(image[..., :7], 0.5), image[..., 2:7, 1:5])
    assert central(image, 0.001).shape == (2, 3, 1, 1)


def test_a_share_lies_between_0_and_1():
    assert check_share(1.0, "x: crop") == 1.0
    for share in (0.0, -0.5, 1.1, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match=r"x: crop .* must lie in \(0, 1\]"):
            check_share(share, "x: crop")
