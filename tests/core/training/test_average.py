"""The moving average follows its formula, buffers included."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from padkit.networks.detector import Detector
from padkit.roles import Features, Student
from padkit.training.optimisation import averaged

torch.set_num_threads(1)


class Tiny(Student):
    channels, strides, embedding_dim = (), (), 3

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images):
        return Features((), self.norm(images).mean((2, 3)))


def fill(detector: Detector, value: float, counter: int) -> Detector:
    with torch.no_grad():
        for tensor in detector.state_dict().values():
            tensor.fill_(value if tensor.is_floating_point() else counter)
    return detector


def values(module: nn.Module) -> dict[str, torch.Tensor]:
    return module.state_dict()


@pytest.mark.parametrize("decay", [0.98, 0.2, 0.0])
def test_by_hand(decay):
    detector = fill(Detector(Tiny()), 0.0, 0)
    average = averaged(detector, decay)
    average.update_parameters(fill(detector, 1.0, 1))
    expected = 1.0  # the first update copies
    for n in range(1, 5):
        value = float(n) ** 2 + 3
        average.update_parameters(fill(detector, value, 10 * n))
        kept = min(decay, (1 + n) / (10 + n))
        expected = kept * expected + (1 - kept) * value
        found = values(average.module)
        assert {"head.weight", "student.norm.running_mean", "student.norm.running_var"} <= found.keys()
        for name, tensor in found.items():
            wanted = torch.full_like(tensor, expected if tensor.is_floating_point() else 10 * n)
            torch.testing.assert_close(tensor, wanted, msg=name)
    assert int(average.n_averaged) == 5


def test_first_figures():
    # n = 1: decay 2/11 of the old; n = 2: 3/12.
    detector = fill(Detector(Tiny()), 0.0, 0)
    average = averaged(detector, 0.98)
    for value in (11.0, 0.0, 4.0):
        average.update_parameters(fill(detector, value, 0))
    # 11, then 11 * 2/11 = 2, then 2 * 1/4 + 4 * 3/4 = 3.5.
    torch.testing.assert_close(average.module.head.bias, torch.full((2,), 3.5))


def test_the_average_is_apart_from_the_detector():
    detector = fill(Detector(Tiny()), 2.0, 0)
    average = averaged(detector, 0.9)
    average.update_parameters(detector)
    fill(detector, 5.0, 1)
    assert average.module is not detector
    torch.testing.assert_close(average.module.head.bias, torch.full((2,), 2.0))
    assert torch.equal(detector.head.bias, torch.full((2,), 5.0))


def test_a_restored_average_goes_on_alike():
    detector = fill(Detector(Tiny()), 0.0, 0)
    first, second = averaged(detector, 0.98), averaged(detector, 0.98)
    for value in (1.0, 2.0, 3.0):
        first.update_parameters(fill(detector, value, 0))
    second.load_state_dict(first.state_dict())
    for average in (first, second):
        average.update_parameters(fill(detector, 7.0, 3))
    found = second.state_dict()
    assert found
    assert all(torch.equal(tensor, found[name]) for name, tensor in first.state_dict().items())
