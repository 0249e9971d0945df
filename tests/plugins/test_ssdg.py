"""SSDG: live features alone are made alike, and the triplet loss is asymmetric."""

from __future__ import annotations

import itertools

import pytest
import torch
from aligner_checks import AlignerChecks

from padkit.errors import SettingsError
from padkit.roles import Batch, Features
from padkit.testing.toys import DIM, N_DOMAINS
from padkit_dat.aligner import DomainAdversarialTraining
from padkit_ssdg.aligner import SingleSideGeneralisation, triplet_loss

LABELS = torch.tensor([1, 0, 1, 0, 1, 0])
DOMAINS = torch.tensor([0, 0, 1, 1, 2, 2])


def make(**settings) -> SingleSideGeneralisation:
    torch.manual_seed(1)
    return SingleSideGeneralisation(N_DOMAINS, DIM, **({"hidden": 8, "dropout": 0.0} | settings))


class TestAsAligner(AlignerChecks):
    losses = ("domain", "triplet")
    reaches_student = True
    pinned = (
        (0.668431, 1.031828, 0.245210),
        (0.643259, 1.188332, 0.230335),
        (0.574782, 1.080656, 0.142769),
        (0.471097, 1.099457, 0.184414),
    )

    def make(self, **settings):
        return make(dropout=0.5)


def batch(labels: torch.Tensor = LABELS) -> Batch:
    return Batch(torch.zeros(len(labels), 3, 4, 4), labels, DOMAINS[: len(labels)])


def embedding(rows: int = 6) -> torch.Tensor:
    return torch.randn(rows, DIM, generator=torch.Generator().manual_seed(1)).requires_grad_(True)


def test_four_points_by_hand():
    """On a line: 0 and 1 of one class, 3 and 3.5 of another; |a-p| - |a-n| + 1.6 of all eight triplets.

    (0,1,3) -0.4  (0,1,3.5) -0.9  (1,0,3) 0.6  (1,0,3.5) 0.1  (3,3.5,0) -0.9  (3,3.5,1) 0.1  (3.5,3,0) -1.4
    (3.5,3,1) -0.4: three above zero, 0.8 in all.
    """
    points = torch.tensor([[0.0], [1.0], [3.0], [3.5]], requires_grad=True)
    loss = triplet_loss(points, torch.tensor([0, 0, 1, 1]), 1.6)
    assert loss.item() == pytest.approx(0.8 / 3, abs=1e-6)
    loss.backward()
    # Of (1,0,3), (1,0,3.5): d|1-0|/d1 = +1, -d|1-n|/d1 = +1; so 4 at 1, -2 at 0, -1 at 3 and at 3.5.
    # Of (3,3.5,1): -1 at 3 and +1 at 3.5 to come together, -1 at 3 and +1 at 1 to part.
    expected = torch.tensor([[-2.0], [4.0 + 1.0], [-1.0 - 2.0], [-1.0 + 1.0]]) / 3
    torch.testing.assert_close(points.grad, expected, rtol=0, atol=1e-6)


def test_triplets_by_an_independent_loop():
    points, classes, margin = embedding(9).detach(), torch.tensor([0, 1, 0, 2, 1, 0, 3, 2, 0]), 0.4
    found = []
    for a, p, n in itertools.product(range(9), repeat=3):
        if a != p and classes[a] == classes[p] and classes[a] != classes[n]:
            excess = (points[a] - points[p]).norm() - (points[a] - points[n]).norm() + margin
            found += [excess.item()] if excess > 0 else []
    assert 0 < len(found) < 100
    assert triplet_loss(points, classes, margin).item() == pytest.approx(sum(found) / len(found), rel=1e-5)


@pytest.mark.parametrize("classes", [[0, 1, 2, 3], [1, 1, 1, 1], [0, 0, 1, 1]])
def test_without_a_triplet_above_zero_it_is_zero_with_zero_gradients(classes):
    points = torch.tensor([[0.0], [0.1], [50.0], [50.1]], requires_grad=True)
    loss = triplet_loss(points, torch.tensor(classes), 0.1)
    loss.backward()
    assert loss.item() == 0
    assert not points.grad.any()


def test_equal_points_give_no_nan():
    points = torch.ones(4, 3, requires_grad=True)
    triplet_loss(points, torch.tensor([0, 0, 1, 1]), 0.1).backward()
    assert points.grad.isfinite().all()


@pytest.mark.parametrize(("apart", "expected"), [("live", 0.5), ("attack", 0.0)])
def test_live_faces_of_all_domains_are_one_class_and_attacks_are_not(apart, expected):
    """Live faces at one place, the attacks of each domain at another; then one row goes from its place to another's."""
    places = torch.eye(DIM)[torch.where(LABELS == 1, 0, DOMAINS + 1)]
    aligner = make(normalise=False, margin=0.5)
    settled = aligner.losses(batch(), Features((), places), 1.0)["triplet"]
    assert settled == 0
    moved = places.clone()
    if apart == "live":
        moved[2] = torch.eye(DIM)[5]  # a live face of domain 1 apart from those of domains 0 and 2
    else:
        moved[3] = places[1]  # the attack of domain 1 where that of domain 0 is
    loss = aligner.losses(batch(), Features((), moved), 1.0)["triplet"]
    # Of live faces a positive is now as far as every negative. No two attacks are of one class, so nothing moves them.
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_attacks_of_two_domains_are_kept_apart_and_of_one_together():
    labels, domains = torch.zeros(4, dtype=torch.int64), torch.tensor([0, 0, 1, 1])
    attacks = Batch(torch.zeros(4, 3, 4, 4), labels, domains)
    aligner = make(normalise=False, margin=0.5)
    by_domain, across = torch.eye(DIM)[[0, 0, 1, 1]], torch.eye(DIM)[[0, 1, 0, 1]]
    assert aligner.losses(attacks, Features((), by_domain), 1.0)["triplet"] == 0
    mixed_up = aligner.losses(attacks, Features((), across), 1.0)["triplet"]
    # A positive is sqrt(2) away, one negative at 0, one at sqrt(2): excesses sqrt(2) + 0.5 and 0.5.
    assert mixed_up.item() == pytest.approx((2**0.5 + 1) / 2, abs=1e-6)


def test_the_adversary_is_that_of_dat_live_only():
    aligner = make(normalise=False)
    other = DomainAdversarialTraining(N_DOMAINS, DIM, variant="live-only", hidden=8, dropout=0.0)
    other.discriminators[0].load_state_dict(aligner.discriminator.state_dict())
    found = []
    for method in (aligner, other):
        features = embedding()
        loss = method.losses(batch(), Features((), features), 0.3)["domain"]
        loss.backward()
        found.append((loss, features.grad))
    torch.testing.assert_close(*found)
    assert not found[0][1][LABELS == 0].any()
    assert found[0][1][LABELS == 1].abs().min() > 0


def test_normalised_features_have_no_length():
    features, lengths = embedding().detach(), torch.tensor([0.1, 3, 1, 1, 20, 1])[:, None]
    for normalise in (True, False):
        aligner = make(normalise=normalise)
        losses = [aligner.losses(batch(), Features((), x), 1.0) for x in (features, features * lengths)]
        for name in ("domain", "triplet"):
            assert torch.allclose(losses[0][name], losses[1][name], rtol=1e-4) is normalise


def test_a_step_along_the_gradient_hides_the_domain_of_live_faces():
    aligner, features = make(), embedding()
    before = aligner.losses(batch(), Features((), features), 1.0)["domain"]
    before.backward()
    moved = features.detach() - 5 * features.grad
    assert aligner.losses(batch(), Features((), moved), 1.0)["domain"] > before + 0.01


def test_weights():
    assert make().weights() == {"domain": 0.5, "triplet": 1.0}
    assert make(weight=0.1, triplet_weight=2.0).weights() == {"domain": 0.1, "triplet": 2.0}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"weight": -0.1}, "weight"),
        ({"triplet_weight": float("nan")}, "triplet_weight"),
        ({"margin": -1.0}, "margin"),
        ({"dropout": 1.0}, "dropout"),
        ({"hidden": 0}, "hidden"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}") as error:
        make(**settings)
    assert "\n" not in str(error.value)
