"""DDAIG's transformations hide the domain, keep the label, and stay in bounds."""

from __future__ import annotations

import pytest
import torch
from aligner_checks import AlignerChecks
from torch import nn
from torch.nn import functional as F

from padkit.errors import PluginError, SettingsError
from padkit.roles import Batch, Features
from padkit.testing.toys import DIM, N_DOMAINS, batch_of, build, toy_data
from padkit.training.objective import Objective
from padkit_ddaig.aligner import ImageGeneration

NOTHING = Features((), torch.zeros(1, DIM))


def make(**settings) -> ImageGeneration:
    torch.manual_seed(1)
    return ImageGeneration(N_DOMAINS, DIM, **({"width": 4, "transformation_width": 4, "blocks": 1} | settings))


class TestAsAligner(AlignerChecks):
    losses = ("domain", "transformation")
    reaches_student = False
    pinned = (
        (0.653211, 1.113656, -0.412059),
        (0.641963, 0.917626, -0.412641),
        (0.598022, 0.766005, -0.414917),
        (0.550162, 0.682981, -0.418946),
    )

    def make(self, **settings):
        return make(**settings)


def fit(objective: Objective, parts: list[nn.Module], names: tuple[str, ...], steps: int) -> None:
    """Train some parts on some of the losses."""
    optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], lr=0.03)
    for step in range(steps):
        torch.manual_seed(step)
        losses = objective(*toy_data(24, seed=step), 0.0)
        optimizer.zero_grad()
        torch.stack([losses[name] for name in names]).sum().backward()
        optimizer.step()


@pytest.fixture(scope="module")
def before_and_after() -> tuple[dict[str, float], dict[str, float]]:
    """Shares of right answers on held-out images before and after the transformation has learnt."""
    objective = build(make(alpha=0.5))
    aligner = objective.aligner
    fit(objective, [objective.detector, aligner.classifier], ("live", "domain"), 40)
    found = []
    for steps in (0, 30):
        fit(objective, [aligner.transformation], ("transformation",), steps)
        objective.eval()
        images, labels, domains = toy_data(96, seed=1000)
        with torch.no_grad():
            moved = aligner.transform(images)
            found.append(
                {
                    "domain": (aligner.classifier(moved).argmax(1) == domains).float().mean().item(),
                    "label": ((objective.detector(moved) > 0.5) == (labels == 1)).float().mean().item(),
                    "clean": (aligner.classifier(images).argmax(1) == domains).float().mean().item(),
                }
            )
        objective.train()
    return found[0], found[1]


def test_the_domain_is_hidden_and_the_label_kept(before_and_after):
    before, after = before_and_after
    assert before["domain"] > 0.9
    assert before["label"] > 0.9
    assert after["clean"] > 0.9
    assert after["domain"] < 0.4
    assert after["label"] > 0.9


def test_losses_by_hand():
    objective = build(make()).eval()
    batch, aligner = batch_of(objective, *toy_data()), objective.aligner
    losses = aligner.losses(batch, NOTHING, 0.0)
    moved = aligner.transform(batch.images)
    label = F.cross_entropy(objective.detector.classify(objective.detector.student(moved)), batch.labels)
    domain = F.cross_entropy(aligner.classifier(moved), batch.domains)
    torch.testing.assert_close(losses["transformation"], label - domain)
    torch.testing.assert_close(losses["domain"], F.cross_entropy(aligner.classifier(batch.images), batch.domains))


@pytest.mark.parametrize(("name", "learner", "other"), [("domain", 0, 1), ("transformation", 1, 0)])
def test_each_loss_teaches_one_network(name, learner, other):
    objective = build(make())
    aligner = objective.aligner
    aligner.losses(batch_of(objective, *toy_data()), NOTHING, 0.0)[name].backward()
    networks = (aligner.classifier, aligner.transformation)
    assert all(p.grad is not None for p in networks[learner].parameters())
    assert all(p.grad is None for p in networks[other].parameters())
    assert all(p.grad is None for p in objective.detector.parameters())


def test_statistics_of_the_domain_classifier_come_from_clean_images():
    objective, alone = build(make()), make()
    aligner = objective.aligner
    aligner.losses(batch_of(objective, *toy_data()), NOTHING, 0.0)
    alone.classifier(toy_data()[0])
    for name, value in alone.classifier.named_buffers():
        torch.testing.assert_close(aligner.classifier.get_buffer(name), value)


def test_the_transformation_by_hand():
    aligner = make(strength=0.2)
    images = torch.tensor([0.05, 0.5, 0.95]).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    aligner.transformation = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Tanh())
    with torch.no_grad():
        aligner.transformation[0].weight.zero_()
        aligner.transformation[0].bias.copy_(torch.tensor([0.5, -0.5, 0.0]).atanh())
        moved = aligner.transform(images)[..., 0, 0]
    expected = torch.tensor([[0.15, 0.0, 0.05], [0.6, 0.4, 0.5], [1.0, 0.85, 0.95]])
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("strength", [0.01, 0.3, 1.0])
def test_bounds(strength):
    aligner = make(strength=strength)
    with torch.no_grad():
        for parameter in aligner.transformation.parameters():
            parameter.mul_(1000)
    images = toy_data()[0]
    moved = aligner.transform(images)
    assert 0.9 * strength < (moved - images).abs().max() <= strength + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_training_starts_from_a_faint_perturbation():
    aligner, images = make(transformation_width=16, blocks=3), toy_data()[0]
    change = (aligner.transform(images) - images).abs()
    assert 1e-4 < change.mean() < 0.1


@pytest.mark.parametrize("blocks", [0, 2])
def test_the_transformation_network_keeps_the_shape(blocks):
    aligner = make(blocks=blocks)
    assert aligner.transformation(torch.rand(2, 3, 7, 10)).shape == (2, 3, 7, 10)


def test_the_students_mixture_is_drawn():
    images, labels, domains = toy_data(240)
    aligner = make(alpha=0.25)
    torch.manual_seed(0)
    seen = aligner.perturb(Batch(images, labels, domains))
    moved = (seen != images).flatten(1).any(dim=1)
    assert moved.float().mean().item() == pytest.approx(0.25, abs=0.07)
    torch.testing.assert_close(seen[moved], aligner.transform(images)[moved].detach())


def test_evidence():
    objective = build(make())
    batch = batch_of(objective, *toy_data())
    found = objective.aligner.evidence(batch, NOTHING)
    expected = ["domain_accuracy_clean", "domain_accuracy_transformed", "label_loss_transformed", "perturbation"]
    assert sorted(found) == expected
    moved = objective.aligner.transform(batch.images).detach()
    torch.testing.assert_close(found["perturbation"], (moved - batch.images).abs().flatten(1).amax(1))
    torch.testing.assert_close(found["label_loss_transformed"], batch.label_loss(moved, batch.labels).detach())
    assert "label_loss_transformed" not in objective.aligner.evidence(Batch(*toy_data()), NOTHING)


def test_a_batch_without_label_loss_is_refused():
    with pytest.raises(PluginError, match=r"aligner 'ddaig' needs Batch.label_loss"):
        make().losses(Batch(*toy_data()), NOTHING, 0.0)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"strength": 0.0}, "strength"),
        ({"strength": 1.1}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 2.0}, "alpha"),
        ({"blocks": -1}, "blocks"),
        ({"transformation_width": 0}, "transformation_width"),
        ({"width": 0}, "width"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}") as error:
        make(**settings)
    assert "\n" not in str(error.value)
