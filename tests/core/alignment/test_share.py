"""Exactly the share of a batch is perturbed."""

from __future__ import annotations

import pytest
import torch

from padkit.alignment.share import perturb_share
from padkit.roles import Batch
from padkit.testing.toys import toy_data


@pytest.mark.parametrize(
    ("size", "share", "count"), [(48, 0.5, 24), (24, 0.3, 7), (7, 0.5, 4), (10, 0.04, 0), (5, 0.99, 5)]
)
def test_the_number_is_exact_in_every_batch(size, share, count):
    batch, chosen = Batch(*toy_data(size)), torch.zeros(size)
    for seed in range(20):
        torch.manual_seed(seed)
        found = perturb_share(batch, share, lambda part: part.images + 1)
        moved = (found != batch.images).flatten(1).all(dim=1)
        assert int(moved.sum()) == count == round(share * size)
        chosen += moved
    if 0 < count < size:
        assert ((chosen > 0) & (chosen <= 20)).all(), "the same images are chosen in every batch"
        assert chosen.unique().numel() > 1


def test_memory_format_is_kept():
    images, labels, domains = toy_data()
    images = images.contiguous(memory_format=torch.channels_last)
    found = perturb_share(Batch(images, labels, domains), 0.5, lambda part: part.images + 1)
    assert found.is_contiguous(memory_format=torch.channels_last)
