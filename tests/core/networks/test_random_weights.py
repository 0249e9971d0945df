"""The untrained twin: other weights, nothing of what was learnt, the original untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from padkit.networks.random_weights import calibrate, untrained


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 5)
        self.norm = nn.BatchNorm2d(64)
        self.fc = nn.Linear(64, 200)
        self.token = nn.Parameter(torch.randn(1, 500) * 3 + 7)
        self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.norm(self.conv(x)).relu().mean(dim=(2, 3)))


def trained() -> Small:
    torch.manual_seed(0)
    network = Small()
    for part in (network.conv, network.norm, network.fc):
        for tensor in part.parameters():
            nn.init.uniform_(tensor, 1, 2)
    network.norm.running_mean.fill_(4)
    return network.eval()


def test_every_weight_is_drawn_anew_and_the_original_stays():
    network = trained()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    numbers = torch.get_rng_state()
    twin = untrained(network, 0)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert twin.conv.weight.std().item() == pytest.approx((2 / 75) ** 0.5, rel=0.05)
    assert twin.fc.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    for name in ("conv.weight", "fc.weight", "token"):
        assert (
            abs(torch.corrcoef(torch.stack([twin.get_parameter(name).flatten(), before[name].flatten()]))[0, 1]) < 0.1
        )
    assert not twin.conv.bias.any()
    assert not twin.fc.bias.any()
    assert bool((twin.norm.weight == 1).all())
    assert not twin.norm.running_mean.any()
    assert (twin.token.mean().item(), twin.token.std().item()) == (pytest.approx(7, abs=0.5), pytest.approx(3, abs=0.4))
    assert twin.scale.item() == 5


def test_the_seed_alone_decides():
    one, same, other = (untrained(trained(), seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, same[key]) for key, value in one.items())
    assert not torch.equal(one["conv.weight"], other["conv.weight"])


def test_what_has_no_weights_has_no_twin():
    assert untrained(nn.Sequential(nn.ReLU(), nn.Flatten()), 0) is None


def test_calibration_measures_batch_statistics_over_all_batches_and_leaves_evaluation_mode():
    twin = untrained(trained(), 0)
    batches = [torch.randn(6, 3, 9, 9) + 2 for _ in range(3)]
    calibrate(twin, batches)
    seen = twin.conv(torch.cat(batches))
    torch.testing.assert_close(twin.norm.running_mean, seen.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-4)
    assert not any(module.training for module in twin.modules())
    assert twin.norm.momentum == 0.1
    with torch.no_grad():
        assert twin.norm(seen).mean().item() == pytest.approx(0, abs=0.01)
    without = nn.Linear(2, 2)
    calibrate(without, [torch.zeros(1)])  # would fail if it were run
