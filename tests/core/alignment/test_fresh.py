"""A fresh classifier is not deceived by what deceives another one, and is by what takes the domain away."""

from __future__ import annotations

import pytest
import torch

from padkit.alignment.fresh import TRIES, fresh_domain_accuracy, perturb_all
from padkit.roles import Batch

torch.set_num_threads(1)

COLOURS = torch.tensor([[0.45, 0.50, 0.55], [0.55, 0.45, 0.50], [0.50, 0.55, 0.45]])


def toy(n: int, seed: int) -> Batch:
    """Noise whose mean colour is the domain's."""
    generator = torch.Generator().manual_seed(seed)
    domains = torch.arange(n) % 3
    noise = 0.05 * torch.randn(n, 3, 16, 16, generator=generator)
    images = (COLOURS[domains][:, :, None, None] + noise).clamp(0, 1)
    return Batch(images, torch.arange(n) // 3 % 2, domains)


TRAIN, HELD_OUT = toy(120, 0), toy(60, 1)


def judged(perturb, **settings) -> dict[str, float]:
    return fresh_domain_accuracy(TRAIN, HELD_OUT, perturb, **{"steps": 40, "batch_size": 24, "seed": 0} | settings)


def grey(batch: Batch) -> torch.Tensor:
    return batch.images - batch.images.mean(dim=(2, 3), keepdim=True) + 0.5


def marked(batch: Batch) -> torch.Tensor:
    """A trap for a classifier that learned from clean images: the pattern is new to it, the colour is still there."""
    stripes = 0.2 * (torch.arange(16) % 2 * 2 - 1)
    return (batch.images + stripes).clamp(0, 1)


def test_where_the_domain_is_taken_away_a_fresh_classifier_is_near_chance():
    found = judged(grey)
    assert found["domain_chance"] == pytest.approx(1 / 3)
    assert found["fresh_domain_accuracy_clean"] > 0.9
    assert found["fresh_domain_accuracy_attacked"] < 1 / 3 + 0.15
    assert found["fresh_domain_kl_clean"] > 0.5
    assert found["fresh_domain_kl_attacked"] < found["fresh_domain_kl_clean"] / 3
    change = (grey(HELD_OUT) - HELD_OUT.images).abs().amax((1, 2, 3)).mean().item()
    assert found["perturbation_max"] == pytest.approx(change)
    assert 20 < found["perturbation_psnr"] < 40


def test_where_it_is_only_hidden_from_others_a_fresh_classifier_finds_it():
    found = judged(marked)
    assert found["fresh_domain_accuracy_attacked"] > 0.9


def test_the_seed_decides_and_nothing_else_is_touched():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    noisy = judged(lambda batch: (batch.images + 0.1 * torch.randn_like(batch.images)).clamp(0, 1), steps=5)
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(6)
    again = judged(lambda batch: (batch.images + 0.1 * torch.randn_like(batch.images)).clamp(0, 1), steps=5)
    assert noisy == again


def test_images_that_are_never_perturbed_do_not_count():
    def live_only(batch: Batch) -> torch.Tensor:
        return torch.where((batch.labels == 1)[:, None, None, None], grey(batch), batch.images)

    assert judged(live_only)["fresh_domain_accuracy_attacked"] < 1 / 3 + 0.2


def test_without_a_perturbation_or_a_domain_there_is_nothing_to_judge():
    assert judged(lambda batch: batch.images) == {}
    one = Batch(TRAIN.images, TRAIN.labels, torch.zeros_like(TRAIN.domains))
    assert fresh_domain_accuracy(one, one, grey) == {}


def test_every_image_is_perturbed_once_where_a_share_is():
    asked = []

    def half(batch: Batch) -> torch.Tensor:
        asked.append(len(batch.images))
        chosen = torch.randperm(len(batch.images))[: len(batch.images) // 2]
        return batch.images.index_add(0, chosen, torch.full_like(batch.images[chosen], 0.25))

    found = perturb_all(half, HELD_OUT)
    torch.testing.assert_close(found, HELD_OUT.images + 0.25)
    assert 2 <= len(asked) <= 32


@pytest.mark.parametrize(("patience", "reached"), [(6, False), (TRIES, True)])
def test_an_image_that_is_rarely_perturbed_is_waited_for_as_long_as_was_asked(patience: int, reached: bool) -> None:
    calls = []

    def rarely(batch: Batch) -> torch.Tensor:
        calls.append(batch)
        return batch.images + 0.1 if len(calls) == 20 else batch.images

    images = torch.zeros(2, 3, 4, 4)
    batch = Batch(images, torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64))
    assert bool((perturb_all(rarely, batch, patience=patience) != images).all()) == reached
    assert len(calls) == (20 if reached else 6)
