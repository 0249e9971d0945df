"""Domain adversarial training: the gradient is reversed, the right discriminator judges, the weight counts once."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from padkit.alignment.adversary import reversal_schedule
from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Batch, Features, Student
from padkit.training.distillation import FrozenTeachers
from padkit.training.objective import Objective
from padkit_dat.aligner import DomainAdversarialTraining

torch.set_num_threads(1)

N_DOMAINS, DIM = 3, 6
LABELS = torch.tensor([1, 0, 1, 0, 1, 0])
DOMAINS = torch.tensor([0, 0, 1, 1, 2, 2])


def batch(labels: torch.Tensor = LABELS) -> Batch:
    return Batch(torch.zeros(len(labels), 3, 4, 4), labels, DOMAINS[: len(labels)])


def aligner(**settings) -> DomainAdversarialTraining:
    torch.manual_seed(0)
    return DomainAdversarialTraining(N_DOMAINS, DIM, **({"hidden": 8, "dropout": 0.0} | settings))


def embedding(rows: int = 6) -> torch.Tensor:
    return torch.randn(rows, DIM, generator=torch.Generator().manual_seed(1)).requires_grad_(True)


def plain_gradient(method: DomainAdversarialTraining, labels: torch.Tensor = LABELS) -> torch.Tensor:
    """Gradient of the discriminator's cross-entropy with no reversal in between."""
    features = embedding()
    F.cross_entropy(method.judge(features, labels), DOMAINS).backward()
    gradient = features.grad
    method.zero_grad()
    assert gradient is not None
    assert gradient.abs().min() > 0
    return gradient


@pytest.mark.parametrize("progress", [0.0, 0.2, 1.0])
def test_features_get_the_reversed_gradient_and_the_discriminator_the_plain_one(progress):
    method, features = aligner(), embedding()
    expected = plain_gradient(method)
    F.cross_entropy(method.judge(features.detach(), LABELS), DOMAINS).backward()
    own = [p.grad.clone() for p in method.parameters()]
    method.zero_grad()
    losses = method.losses(batch(), Features((), features), progress)
    assert list(losses) == ["domain"]
    losses["domain"].backward()
    torch.testing.assert_close(features.grad, -reversal_schedule(progress) * expected)
    assert len(own) == 4
    for parameter, gradient in zip(method.parameters(), own, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_a_step_along_the_gradient_makes_the_domains_harder_to_tell():
    method, features = aligner(), embedding()
    before = method.losses(batch(), Features((), features), 1.0)["domain"]
    before.backward()
    moved = features.detach() - 2 * features.grad
    assert method.losses(batch(), Features((), moved), 1.0)["domain"] > before + 0.01


def test_images_are_left_as_they_are():
    images = torch.rand(6, 3, 4, 4)
    assert aligner().perturb(Batch(images, LABELS, DOMAINS)) is images


def test_class_conditional_judges_each_by_the_discriminator_of_its_class():
    method, features = aligner(variant="class-conditional"), embedding()
    assert len(method.discriminators) == 2
    logits = method.judge(features, LABELS)
    both = [discriminator(features) for discriminator in method.discriminators]
    assert not torch.allclose(both[0], both[1])
    expected = torch.stack([both[int(label)][row] for row, label in enumerate(LABELS)])
    torch.testing.assert_close(logits, expected)


def test_class_conditional_teaches_only_the_discriminators_of_classes_that_are_there():
    method = aligner(variant="class-conditional")
    method.losses(batch(torch.ones_like(LABELS)), Features((), embedding()), 1.0)["domain"].backward()
    attack, bona_fide = ([p.grad for p in d.parameters()] for d in method.discriminators)
    assert len(attack) == len(bona_fide) == 4
    assert all(g is None or not g.any() for g in attack)
    assert all(g is not None and g.any() for g in bona_fide)


@pytest.mark.parametrize("variant", ["plain", "live-only"])
def test_other_variants_have_one_discriminator_that_does_not_see_the_label(variant):
    method, features = aligner(variant=variant), embedding()
    assert len(method.discriminators) == 1
    torch.testing.assert_close(method.judge(features, LABELS), method.judge(features, 1 - LABELS))


def test_live_only_ignores_attacks():
    method, features = aligner(variant="live-only"), embedding()
    loss = method.losses(batch(), Features((), features), 1.0)["domain"]
    live = LABELS == 1
    torch.testing.assert_close(loss, F.cross_entropy(method.judge(features, LABELS)[live], DOMAINS[live]))
    loss.backward()
    assert not features.grad[~live].any()
    assert features.grad[live].abs().min() > 0
    other = features.detach().clone()
    other[~live] = 100.0
    torch.testing.assert_close(method.losses(batch(), Features((), other), 1.0)["domain"], loss.detach())


def test_live_only_without_bona_fide_is_zero_and_finite():
    method, features = aligner(variant="live-only"), embedding()
    loss = method.losses(batch(torch.zeros_like(LABELS)), Features((), features), 1.0)["domain"]
    assert loss.item() == 0
    loss.backward()
    gradients = [features.grad, *(p.grad for p in method.parameters())]
    assert all(g is not None and not g.any() for g in gradients), "an unused parameter would stop distributed training"


class Tiny(Student):
    channels, strides, embedding_dim = (), (), DIM

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, DIM)

    def forward(self, images):
        return Features((), self.linear(images.mean((2, 3))))


def test_the_weight_counts_once_and_only_in_the_sum():
    torch.manual_seed(3)
    images, detector = torch.rand(6, 3, 4, 4), Detector(Tiny())
    found = {}
    for weight in (0.0, 0.25, 1.0):
        objective = Objective(detector, aligner(weight=weight), FrozenTeachers({}), {}, 4)
        losses = objective(images, LABELS, DOMAINS, 0.5)
        assert list(losses) == ["live", "domain"]
        found[weight] = losses["domain"].item()
        torch.testing.assert_close(objective.total(losses), losses["live"] + weight * losses["domain"])
    assert found[0.0] == found[0.25] == found[1.0] > 0.5


def test_evidence_tells_whether_the_domain_was_named():
    method = aligner(dropout=0.9).train()
    features = Features((), embedding())
    found = method.evidence(batch(), features)
    method.eval()
    expected = (method.judge(features.embedding, LABELS).argmax(1) == DOMAINS).float()
    method.train()
    assert list(found) == ["domain_accuracy"]
    assert torch.equal(found["domain_accuracy"], expected)
    assert not found["domain_accuracy"].requires_grad
    assert torch.equal(method.evidence(batch(), features)["domain_accuracy"], expected), "dropout was on"
    assert all(module.training for module in method.modules())
    method.eval().evidence(batch(), features)
    assert not any(module.training for module in method.modules())


def test_the_discriminator_learns_and_its_evidence_shows_it():
    method = aligner()
    features = Features((), 3 * F.one_hot(DOMAINS, DIM).float())
    optimizer = torch.optim.Adam(method.parameters(), lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        method.losses(batch(), features, 1.0)["domain"].backward()
        optimizer.step()
    assert method.evidence(batch(), features)["domain_accuracy"].mean() == 1


def test_in_bfloat16_the_loss_is_float32():
    method, features = aligner(variant="class-conditional"), embedding()
    with torch.autocast("cpu", torch.bfloat16):
        loss = method.losses(batch(), Features((), features), 1.0)["domain"]
    loss.backward()
    assert loss.dtype == torch.float32
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"weight": -0.1}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"dropout": 1.5}, "dropout"),
        ({"dropout": -0.5}, "dropout"),
        ({"hidden": 0}, "hidden"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}") as error:
        aligner(**settings)
    assert "\n" not in str(error.value)
