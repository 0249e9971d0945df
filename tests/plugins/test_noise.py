"""Random noise is of DAA's size, knows no domain, and has DAA's settings."""

from __future__ import annotations

import inspect

import pytest
import torch

from padkit.errors import SettingsError
from padkit.roles import Batch
from padkit.testing.toys import toy_data
from padkit_daa.aligner import DomainAdversarialAttack
from padkit_noise.aligner import RandomNoise

torch.set_num_threads(1)


def made(**settings) -> RandomNoise:
    return RandomNoise(3, 6, **settings)


def test_every_pixel_moves_by_epsilon_either_way():
    images = torch.full((8, 3, 16, 16), 0.5)
    torch.manual_seed(0)
    change = made(epsilon=4 / 255, attacked_share=1.0).perturb(Batch(images, *toy_data(8)[1:])) - images
    torch.testing.assert_close(change.abs(), torch.full_like(images, 4 / 255), rtol=0, atol=1e-6)
    assert abs(change.sign().mean()) < 0.05
    flat = change.sign().flatten(1)
    assert (flat @ flat.T / flat.shape[1]).fill_diagonal_(0).abs().max() < 0.15, "the same noise on every image"


def test_it_ignores_domains_and_labels():
    images, labels, domains = toy_data()
    found = []
    for batch in (Batch(images, labels, domains), Batch(images, 1 - labels, domains.flip(0))):
        torch.manual_seed(1)
        found.append(made().perturb(batch))
    assert torch.equal(*found)


def test_it_perturbs_the_share_exactly():
    batch = Batch(*toy_data())
    moved = (made(attacked_share=0.25).perturb(batch) != batch.images).flatten(1).any(dim=1)
    assert int(moved.sum()) == 6


def test_its_settings_are_those_that_size_the_attack():
    own, attack = (inspect.signature(kind).parameters for kind in (RandomNoise, DomainAdversarialAttack))
    settings = [p for p in own.values() if p.kind is p.KEYWORD_ONLY]
    assert [p.name for p in settings] == ["epsilon", "colour", "contrast", "spectrum", "grid", "axes", "attacked_share"]
    assert all(p.default == attack[p.name].default for p in settings), "the control must be of the attack's size"


def test_it_has_nothing_to_learn():
    batch = Batch(*toy_data())
    assert not list(made().parameters())
    assert made().losses(batch, None, 0.5) == {}
    assert list(made().evidence(batch, None)) == ["perturbation"]


@pytest.mark.parametrize(
    ("change", "name"), [({"attacked_share": 0.0}, "attacked_share"), ({"epsilon": 2.0}, "epsilon")]
)
def test_settings_out_of_range(change, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}"):
        made(**change)
