"""CrossGrad moves images along the gradients it says, in bounds, and mixes the losses as it says."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from aligner_checks import AlignerChecks
from torch import nn
from torch.nn import functional as F

from padkit.errors import PluginError, SettingsError
from padkit.roles import Batch, Features
from padkit.testing.toys import DIM, N_DOMAINS, batch_of, build, toy_data
from padkit_crossgrad.aligner import CrossGradientTraining

NOTHING = Features((), torch.zeros(1, DIM))


def make(n_domains: int = N_DOMAINS, **settings) -> CrossGradientTraining:
    torch.manual_seed(1)
    return CrossGradientTraining(n_domains, DIM, **({"width": 4} | settings))


class TestAsAligner(AlignerChecks):
    losses = ("domain",)
    reaches_student = False
    pinned = ((0.652029, 1.112172), (0.640683, 0.922430), (0.596694, 0.773852), (0.549347, 0.683797))

    def make(self, **settings):
        return make(epsilon=20.0, **settings)


WEIGHT = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 0.5, 1.5]])


def linear(**settings) -> CrossGradientTraining:
    """A domain classifier of 1x1 images whose gradients are known by hand."""
    aligner = make(2, **settings)
    aligner.classifier = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        aligner.classifier[1].weight.copy_(WEIGHT)
    return aligner


def test_the_domain_step_by_hand():
    """d CE/dx = sum_k (p_k - [k = d]) w_k = (1 - p_d) (w_other - w_d), for two domains."""
    pixels = torch.tensor([[0.5, 0.2, 0.5], [0.2, 0.7, 0.5]])
    domains = torch.tensor([0, 1])
    moved = linear(epsilon=0.1, clip=10.0).along_domain(pixels.view(2, 3, 1, 1), domains)
    logits = pixels.numpy() @ WEIGHT.numpy().T
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    step = np.stack([(1 - p[0, 0]) * (WEIGHT[1] - WEIGHT[0]).numpy(), (1 - p[1, 1]) * (WEIGHT[0] - WEIGHT[1]).numpy()])
    np.testing.assert_allclose(moved.view(2, 3).numpy(), pixels.numpy() + 0.1 * step, atol=1e-6)


def test_clipping_and_the_range_of_images_by_hand():
    pixels, domains = torch.tensor([[0.5, 0.2, 0.95]]).view(1, 3, 1, 1), torch.tensor([0])
    # (1 - p) (-2, 2.5, 1) is clipped to (-0.1, 0.1, 0.1) and doubled; 0.95 + 0.2 ends at 1.
    moved = linear(epsilon=2.0, clip=0.1).along_domain(pixels, domains)
    torch.testing.assert_close(moved.view(3), torch.tensor([0.3, 0.4, 1.0]), rtol=0, atol=1e-6)


def test_the_label_step_is_epsilon_times_the_finite_difference_of_the_label_loss():
    aligner = make(epsilon=0.5, clip=100.0)
    objective = build(aligner).eval()
    batch = batch_of(objective, *toy_data(6))
    with torch.no_grad():
        objective.detector.head.weight.mul_(20)
    exact = copy.deepcopy(objective.detector).double()
    moved = aligner.along_label(batch)
    step = (moved - batch.images) / aligner.epsilon
    rows = torch.arange(6)
    checked = 0
    for channel, y, x in [(0, 3, 4), (1, 8, 8), (2, 12, 5), (0, 7, 13), (1, 2, 11)]:
        shift = torch.zeros_like(batch.images, dtype=torch.float64)
        shift[:, channel, y, x] = 1e-6
        with torch.no_grad():
            ends = [exact.classify(exact.student(batch.images + s)) for s in (shift, -shift)]
        up, down = (F.cross_entropy(logits, batch.labels, reduction="none") for logits in ends)
        slope = (up - down) / 2e-6
        inside = (moved > 0) & (moved < 1)
        seen = inside[rows, channel, y, x] & (slope.abs() > 1e-3)
        found = step[rows, channel, y, x][seen]
        np.testing.assert_allclose(found, slope[seen], rtol=1e-3, atol=1e-5)
        checked += int(seen.sum())
    assert checked > 10


def test_perturbed_images_are_harder_for_the_one_they_were_made_against():
    objective = TestAsAligner().train(steps=8)[0].eval()
    batch, aligner = batch_of(objective, *toy_data()), objective.aligner
    by_domain, by_label = aligner.along_domain(batch.images, batch.domains), aligner.along_label(batch)

    def domain_loss(images):
        return F.cross_entropy(aligner.classifier(images), batch.domains).item()

    with torch.no_grad():
        clean = batch.label_loss(batch.images, batch.labels).mean()
        assert domain_loss(by_domain) > domain_loss(batch.images) + 0.1
        assert batch.label_loss(by_label, batch.labels).mean() > clean + 0.02


def test_an_images_step_does_not_depend_on_the_others():
    aligner = make(epsilon=20.0)
    images, _, domains = toy_data()
    together = aligner.along_domain(images, domains)
    alone = torch.cat([aligner.along_domain(images[i : i + 1], domains[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together[:3], alone, rtol=0, atol=1e-5)


def test_the_domain_classifiers_loss_is_the_mixture():
    for alpha in (0.25, 1.0):
        objective = build(make(epsilon=20.0, alpha=alpha)).eval()
        with torch.no_grad():
            objective.detector.head.weight.mul_(20)  # so that the step is long enough to tell
        batch, aligner = batch_of(objective, *toy_data()), objective.aligner
        clean, moved = (
            F.cross_entropy(aligner.classifier(x), batch.domains) for x in (batch.images, aligner.along_label(batch))
        )
        assert abs(clean - moved) > 1e-4
        found = aligner.losses(batch, NOTHING, 0.0)["domain"]
        torch.testing.assert_close(found, (1 - alpha) * clean + alpha * moved)


def test_the_students_mixture_is_drawn():
    images, labels, domains = toy_data(240)
    aligner = make(epsilon=20.0, alpha=0.25)
    every = aligner.along_domain(images, domains)
    torch.manual_seed(0)
    seen = aligner.perturb(Batch(images, labels, domains))
    moved = (seen != images).flatten(1).any(dim=1)
    assert moved.float().mean().item() == pytest.approx(0.25, abs=0.07)
    assert torch.equal(seen[~moved], images[~moved])
    torch.testing.assert_close(seen[moved], every[moved], rtol=0, atol=1e-5)
    assert torch.equal(make(epsilon=20.0, alpha=1.0).perturb(Batch(images, labels, domains)), every)


@pytest.mark.parametrize(("epsilon", "clip"), [(1.0, 0.1), (50.0, 0.001), (1e6, 0.1)])
def test_bounds(epsilon, clip):
    images, _, domains = toy_data()
    moved = make(epsilon=epsilon, clip=clip).along_domain(images, domains)
    assert 0 < (moved - images).abs().max() <= epsilon * clip + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_evidence():
    objective = TestAsAligner().train(steps=12)[0]
    batch = batch_of(objective, *toy_data())
    found = objective.aligner.evidence(batch, NOTHING)
    assert sorted(found) == ["domain_accuracy_clean", "domain_accuracy_perturbed", "perturbation"]
    assert found["domain_accuracy_clean"].mean() > found["domain_accuracy_perturbed"].mean() + 0.2
    assert 0 < found["perturbation"].max() <= 2.0


def test_a_batch_without_label_loss_is_refused():
    with pytest.raises(PluginError, match=r"aligner 'crossgrad' needs Batch.label_loss"):
        make().losses(Batch(*toy_data()), NOTHING, 0.0)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"clip": 0.0}, "clip"),
        ({"clip": float("inf")}, "clip"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1.5}, "alpha"),
        ({"width": 0}, "width"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}") as error:
        make(**settings)
    assert "\n" not in str(error.value)
