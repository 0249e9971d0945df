"""MixStyle mixes exactly the statistics it says, where and when it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from aligner_checks import AlignerChecks
from torch import nn

from padkit.errors import PluginError, SettingsError
from padkit.roles import Batch, Features, Student
from padkit.testing.toys import DIM, N_DOMAINS, ToyStudent, hooks, toy_data
from padkit_mixstyle.aligner import MixStyle, mixed
from padkit_timm.student import TimmStudent


def make(n_domains: int = N_DOMAINS, **settings) -> MixStyle:
    return MixStyle(n_domains, DIM, **settings)


class TestAsAligner(AlignerChecks):
    losses = ()
    reaches_student = False
    pinned = ((0.664871,), (0.689669,), (0.704430,), (0.632522,))

    def make(self, **settings):
        return make(**({"probability": 0.5, "alpha": 0.3} | settings))


def some_maps(n: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    spread = torch.rand(n, 4, 1, 1, generator=generator) + 0.5
    return torch.randn(n, 4, 5, 3, generator=generator) * spread + torch.randn(n, 4, 1, 1, generator=generator)


def test_the_statistics_are_the_mixture():
    maps, partner = some_maps(), torch.tensor([3, 4, 5, 0, 0, 1])
    share = torch.tensor([0.0, 1.0, 0.25, 0.5, 0.9, 0.6])
    found = mixed(maps, partner, share.view(-1, 1, 1, 1)).numpy()
    mean, spread = maps.numpy().mean((2, 3)), maps.numpy().std((2, 3))
    own, other = share.numpy()[:, None], 1 - share.numpy()[:, None]
    np.testing.assert_allclose(found.mean((2, 3)), own * mean + other * mean[partner], atol=1e-5)
    np.testing.assert_allclose(found.std((2, 3)), own * spread + other * spread[partner], atol=1e-5)
    # What is left when the statistics are taken away is the image's own.
    for before, after in zip(maps.numpy(), found, strict=True):
        for one, two in zip(before, after, strict=True):
            assert np.corrcoef(one.ravel(), two.ravel())[0, 1] == pytest.approx(1, abs=1e-5)


def test_one_by_hand():
    maps = torch.tensor([[0.0, 2.0], [10.0, 16.0]]).view(2, 1, 1, 2)  # mean 1 and 13, deviation 1 and 3
    found = mixed(maps, torch.tensor([1, 0]), torch.full((2, 1, 1, 1), 0.75))
    # First: mean 0.75 + 13/4 = 4, deviation 0.75 + 3/4 = 1.5. Second: mean 10, deviation 2.5.
    torch.testing.assert_close(found.view(2, 2), torch.tensor([[2.5, 5.5], [7.5, 12.5]]), rtol=0, atol=1e-5)


def test_its_own_statistics_change_nothing():
    maps = some_maps()
    torch.testing.assert_close(mixed(maps, torch.arange(6).flip(0), torch.ones(6, 1, 1, 1)), maps, rtol=0, atol=1e-5)


def test_a_flat_map_stays_finite():
    maps = some_maps()
    maps[0] = 3.0
    found = mixed(maps.requires_grad_(), torch.arange(6).flip(0), torch.full((6, 1, 1, 1), 0.5))
    found.sum().backward()
    assert found.isfinite().all()
    assert maps.grad.isfinite().all()


def test_statistics_carry_no_gradient():
    maps, partner, share = some_maps().requires_grad_(), torch.arange(6).flip(0), torch.full((6, 1, 1, 1), 0.25)
    weight = torch.randn(6, 4, 5, 3)
    (mixed(maps, partner, share) * weight).sum().backward()
    spread = maps.detach().std((2, 3), correction=0, keepdim=True)
    # A constant factor: were the statistics differentiated, the weights' own mean would be subtracted.
    factor = 0.25 + 0.75 * spread[partner] / spread
    torch.testing.assert_close(maps.grad, weight * factor, rtol=1e-4, atol=1e-5)


def test_half_precision_maps_are_mixed_in_float32():
    maps, share = (some_maps() + 200).bfloat16(), torch.full((6, 1, 1, 1), 0.5)
    found = mixed(maps, torch.arange(6).flip(0), share)
    assert found.dtype == torch.bfloat16
    exact = mixed(maps.float(), torch.arange(6).flip(0), share)
    assert torch.equal(found, exact.bfloat16())


def test_partners_across_domains_are_drawn_from_all_others():
    domains, aligner = torch.tensor([0, 0, 1, 2, 2, 2]), make()
    torch.manual_seed(0)
    drawn = torch.stack([aligner._partner(domains) for _ in range(300)])
    for row, domain in enumerate(domains):
        others = (domains != domain).nonzero().flatten()
        counts = torch.bincount(drawn[:, row], minlength=6)[others]
        assert counts.sum() == 300
        assert counts.min() > 0.6 * 300 / len(others)


def test_a_batch_of_one_domain_is_left_alone():
    aligner, domains = make(), torch.ones(5, dtype=torch.int64)
    assert aligner._partner(domains).tolist() == [0, 1, 2, 3, 4]


def test_random_partners_are_a_permutation_whatever_the_domains():
    aligner, domains = make(1, partners="random"), torch.zeros(50, dtype=torch.int64)
    torch.manual_seed(0)
    first, second = aligner._partner(domains), aligner._partner(domains)
    assert first.sort().values.tolist() == list(range(50))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 5.0])
def test_shares_are_beta_distributed(alpha):
    domains = torch.arange(1600) % 2
    # Means 0 and 1 with equal spread: the mean of a mixed map of domain 1 is its share.
    maps = torch.tensor([-1.0, 1.0]).expand(1600, 1, 1, 2) + domains.view(-1, 1, 1, 1)
    torch.manual_seed(0)
    shares = make(2, alpha=alpha).mix(maps, domains).mean((1, 2, 3))[domains == 1]
    assert shares.min() >= 0
    assert shares.max() <= 1 + 1e-5
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_what_follows_a_stage_sees_the_mixed_map():
    images, labels, domains = toy_data()
    aligner, student = make(stages=[1], probability=1.0), ToyStudent().eval()
    with aligner.inside(student, Batch(images, labels, domains)):
        torch.manual_seed(0)
        found = student(images)
    torch.manual_seed(0)
    torch.rand(())  # the draw whether to mix
    shallow = aligner.mix(student.first(images - 0.5), domains)
    deep = student.second(shallow)
    torch.testing.assert_close(found.maps, (shallow, deep))
    torch.testing.assert_close(found.embedding, deep.mean((2, 3)))
    plain = student(images)
    assert not torch.allclose(plain.embedding, found.embedding, atol=1e-3)


def test_mixing_happens_with_its_probability():
    images, labels, domains = toy_data()
    aligner, student = make(stages=[2], probability=0.3), ToyStudent().eval()
    plain = student(images).embedding
    torch.manual_seed(0)
    changed = []
    for _ in range(200):
        with aligner.inside(student, Batch(images, labels, domains)):
            changed.append(not torch.equal(student(images).embedding, plain))
    assert np.mean(changed) == pytest.approx(0.3, abs=0.07)


def test_in_evaluation_mode_nothing_changes():
    images, labels, domains = toy_data()
    aligner, student = make(probability=1.0).eval(), ToyStudent().eval()
    with aligner.inside(student, Batch(images, labels, domains)):
        assert hooks(student) == 0
        found = student(images).embedding
    assert torch.equal(found, student(images).embedding)


def test_hooks_go_even_when_the_student_fails():
    images, labels, domains = toy_data()
    aligner, student = make(), ToyStudent()
    with pytest.raises(RuntimeError, match="expected input"), aligner.inside(student, Batch(images, labels, domains)):
        student(images[:, :2])
    assert hooks(student) == 0


def test_the_search_for_stages_leaves_the_student_as_it_was():
    images, labels, domains = toy_data()
    student = ToyStudent().train()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    with make().inside(student, Batch(images, labels, domains)):
        assert hooks(student) == 2
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert all(module.training for module in student.modules())


@pytest.mark.parametrize(
    ("model", "stages", "places"),
    [
        ("resnet18", [1, 2, 4], ["net.layer1", "net.layer2", "net.layer4"]),
        ("convnext_atto", [1, 3], ["net.stages.0", "net.stages.2"]),
    ],
)
def test_stages_of_a_real_backbone(model, stages, places):
    student, images = TimmStudent(model=model), torch.rand(2, 3, 32, 32)
    aligner = MixStyle(2, student.embedding_dim, stages=stages, probability=1.0)
    with torch.no_grad(), aligner.inside(student.eval(), Batch(images, torch.tensor([0, 1]), torch.tensor([0, 1]))):
        found = student(images)
    assert aligner._places == places
    with torch.no_grad():
        assert not torch.allclose(student(images).maps[0], found.maps[0])


class Functional(Student):
    channels, strides, embedding_dim = (DIM,), (2,), DIM

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, DIM, 3, stride=2)

    def forward(self, images):
        maps = self.layer(images).relu()
        return Features((maps,), maps.mean((2, 3)))


@pytest.mark.parametrize(
    ("student", "stages", "error", "text"),
    [
        (ToyStudent, [3], SettingsError, "aligner.stages: the student has 2 stages, there is no stage 3"),
        (Functional, [1], PluginError, "stage 1 of student Functional is not what one of its modules returns; choose"),
    ],
)
def test_stages_that_cannot_be_reached(student, stages, error, text):
    images, labels, domains = toy_data()
    with (
        pytest.raises(error, match=text) as caught,
        make(stages=stages).inside(student(), Batch(images, labels, domains)),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_one_domain_will_do_for_random_partners_only():
    assert MixStyle.min_domains == 1
    make(1, partners="random")
    with pytest.raises(SettingsError, match=r"aligner.partners cross-domain needs two domains; with one, use random"):
        make(1)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"stages": []}, "stages"),
        ({"stages": [0]}, "stages"),
        ({"stages": [1, 1]}, "stages"),
        ({"probability": 0.0}, "probability"),
        ({"probability": 1.1}, "probability"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": float("inf")}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}") as error:
        make(**settings)
    assert "\n" not in str(error.value)
