"""Teachers whose weights are kept in half precision give what automatic mixed precision gives, to the last bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from padkit.catalog import Catalog
from padkit.roles import Features, Teacher
from padkit.training import FrozenTeachers

torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["arcface", "stargan"])
def test_weights_that_are_converted_once(name):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    kept, once = (FrozenTeachers({"it": Catalog().build("teacher", name, {})}) for _ in range(2))
    kept.to(torch.device("cpu"))
    once.to(torch.device("cpu"), "bf16")
    with torch.autocast("cpu", torch.bfloat16):
        expected = kept(images)["it"]
    found = once(images)["it"]  # also without the context
    assert all(torch.equal(one, other) for one, other in zip(expected.maps, found.maps, strict=True))
    (network,) = once.networks()
    kinds = {type(m): {p.dtype for p in m.parameters(recurse=False)} for m in network.modules()}
    assert kinds[nn.Conv2d] == {torch.bfloat16}
    assert kinds.get(nn.BatchNorm2d, {torch.float32}) == {torch.float32}


def test_teachers_of_one_input_share_it_and_others_do_not():
    given: list[torch.Tensor] = []

    class Seen(Teacher):
        input_size = 8

        def __init__(self, side: int = 8) -> None:
            super().__init__()
            self.input_size = side

        def extract(self, inputs):
            given.append(inputs)
            return Features((inputs,), None)

    class Own(Seen):
        def forward(self, images):
            return self.extract(images)

    images = torch.rand(2, 3, 16, 16)
    FrozenTeachers({"a": Seen(), "b": Seen(), "c": Seen(4), "d": Own()})(images)
    first, second, third, own = given
    assert first is second
    assert third.shape[-1] == 4
    assert own is images
    torch.testing.assert_close(first, Seen()(images).maps[0])
