"""The domain adversarial attack deceives its classifier, stays in bounds and leaves no trace."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from padkit.alignment.fresh import fresh_domain_accuracy
from padkit.catalog import Catalog
from padkit.errors import SettingsError
from padkit.roles import Batch, Features
from padkit.settings.recipes import Slot, read_settings
from padkit_daa.aligner import DomainAdversarialAttack

torch.set_num_threads(1)

N_DOMAINS = 3
EPSILON = 16 / 255
NOTHING = Features((), torch.zeros(1, 4))
PIXELS_ONLY = {
    "epsilon": EPSILON, "colour": 0.0, "contrast": 0.0, "spectrum": 0.0, "attacked_share": 1.0, "learns_from": "clean",
}  # fmt: skip


def toy(per_domain: int, seed: int, size: int = 16) -> Batch:
    """Noise images of three domains that differ in mean colour (a little) and in noise."""
    generator = torch.Generator().manual_seed(seed)
    domains = torch.arange(N_DOMAINS).repeat(per_domain)
    colour = torch.tensor([[0.48, 0.50, 0.52], [0.52, 0.48, 0.50], [0.50, 0.52, 0.48]])[domains]
    spread = torch.tensor([0.05, 0.055, 0.06])[domains]
    noise = torch.randn(len(domains), 3, size, size, generator=generator) * spread.view(-1, 1, 1, 1)
    images = (colour[:, :, None, None] + noise).clamp(0, 1)
    return Batch(images, torch.arange(len(domains)) % 2, domains)


def untrained(**settings) -> DomainAdversarialAttack:
    torch.manual_seed(0)
    return DomainAdversarialAttack(N_DOMAINS, 4, **(PIXELS_ONLY | {"steps": 10, "width": 4} | settings))


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A domain classifier trained on the clean toy images."""
    aligner = untrained()
    optimizer = torch.optim.Adam(aligner.parameters(), lr=0.02)
    for step in range(40):
        optimizer.zero_grad()
        aligner.losses(toy(8, seed=1 + step), NOTHING, 0.0)["domain"].backward()
        optimizer.step()
    return aligner.state_dict()


def trained(state, **settings) -> DomainAdversarialAttack:
    aligner = untrained(**settings)
    aligner.load_state_dict(state)
    return aligner


def accuracy(aligner: DomainAdversarialAttack, images: torch.Tensor, domains: torch.Tensor) -> float:
    aligner.classifiers[0].eval()
    with torch.no_grad():
        return (aligner.classifiers[0](images).argmax(1) == domains).float().mean().item()


def test_uniform_attack_takes_held_out_images_from_well_above_chance_to_near_chance(state):
    aligner, held_out = trained(state), toy(40, seed=1000)
    torch.manual_seed(0)
    attacked = aligner.perturb(held_out)
    assert accuracy(aligner, held_out.images, held_out.domains) > 0.9
    assert accuracy(aligner, attacked, held_out.domains) < 1 / N_DOMAINS + 0.15
    with torch.no_grad():
        sure = aligner.classifiers[0](held_out.images).softmax(1).amax(1).mean()
        unsure = aligner.classifiers[0](attacked).softmax(1).amax(1).mean()
    assert sure > 0.95
    assert unsure < 0.85, "the domains are not made alike, only swapped"


def test_maximize_raises_the_cross_entropy_beyond_what_uniform_does(state):
    held_out, losses = toy(20, seed=1001), {}
    for loss in ("uniform", "maximize"):
        aligner = trained(state, loss=loss)
        torch.manual_seed(0)
        attacked = aligner.perturb(held_out)
        aligner.classifiers[0].eval()
        with torch.no_grad():
            clean = F.cross_entropy(aligner.classifiers[0](held_out.images), held_out.domains).item()
            losses[loss] = F.cross_entropy(aligner.classifiers[0](attacked), held_out.domains).item()
    assert losses["uniform"] > clean + 0.5
    assert losses["maximize"] > losses["uniform"] + 0.5


def test_random_noise_of_the_same_size_deceives_nobody(state):
    aligner, held_out = trained(state), toy(40, seed=1002)
    torch.manual_seed(0)
    noisy = held_out.images + torch.empty_like(held_out.images).uniform_(-EPSILON, EPSILON)
    assert accuracy(aligner, noisy, held_out.domains) > 0.9


@pytest.mark.parametrize("loss", ["uniform", "maximize"])
@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize(("epsilon", "steps"), [(1 / 255, 1), (8 / 255, 5), (0.5, 2)])
def test_bounds(state, loss, random_start, epsilon, steps):
    aligner = trained(state, loss=loss, random_start=random_start, epsilon=epsilon, steps=steps)
    images = torch.cat([toy(4, seed=3).images, torch.zeros(6, 3, 16, 16), torch.ones(6, 3, 16, 16)])
    attacked = aligner.attack(images, torch.arange(24) % 3)
    assert attacked.shape == images.shape
    assert attacked.dtype == torch.float32
    change = (attacked - images).abs().amax().item()
    assert 0.5 * epsilon < change <= epsilon + 1e-6
    assert attacked.min() >= 0
    assert attacked.max() <= 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_no_trace_is_left(training, share):
    aligner = untrained(attacked_share=share).train(training)
    student = nn.Conv2d(3, 4, 3)
    batch = toy(4, seed=4)
    original = batch.images.clone()
    for parameter in aligner.classifiers[0].layers[0].parameters():
        parameter.requires_grad_(False)
    flags = [p.requires_grad for p in aligner.parameters()]
    before = {name: value.clone() for name, value in aligner.state_dict().items()}
    assert any(name.endswith("num_batches_tracked") for name in before)
    attacked = aligner.perturb(batch)
    parameters = [*aligner.parameters(), *student.parameters()]
    assert len(parameters) > 10
    assert all(p.grad is None for p in parameters)
    after = aligner.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert [p.requires_grad for p in aligner.parameters()] == flags
    assert all(module.training is training for module in aligner.modules())
    assert not attacked.requires_grad
    assert attacked.grad_fn is None
    assert torch.equal(batch.images, original)
    assert not batch.images.requires_grad
    assert batch.images.grad is None


def test_a_gradient_already_there_is_neither_changed_nor_added_to():
    aligner, batch = untrained(), toy(4, seed=5)
    aligner.losses(batch, NOTHING, 0.0)["domain"].backward()
    before = {name: p.grad.clone() for name, p in aligner.named_parameters()}
    aligner.perturb(batch)
    assert before
    assert all(torch.equal(p.grad, before[name]) for name, p in aligner.named_parameters())


def test_the_classifier_is_restored_when_the_attack_fails():
    aligner = untrained().train()
    with pytest.raises(RuntimeError):
        aligner.attack(torch.rand(2, 5, 16, 16), torch.zeros(2, dtype=torch.long))
    assert all(module.training for module in aligner.modules())


def test_attacked_share_leaves_the_other_images_bitwise_equal(state):
    batch = toy(100, seed=6)
    torch.manual_seed(0)
    attacked = trained(state, attacked_share=0.5).perturb(batch)
    untouched = (attacked == batch.images).flatten(1).all(1)
    changed = (attacked - batch.images).abs().flatten(1).amax(1)
    assert int(untouched.sum()) == 150
    assert changed[~untouched].min() > 0.5 * EPSILON
    assert changed.max() <= EPSILON + 1e-6


def test_attacked_share_close_to_zero_may_choose_no_image(state):
    batch = toy(2, seed=6)
    torch.manual_seed(0)
    attacked = trained(state, attacked_share=1e-9).perturb(batch)
    assert torch.equal(attacked, batch.images)
    assert attacked is not batch.images


def test_without_random_start_the_attack_is_a_function_of_the_image(state):
    batch = toy(4, seed=7)
    fixed, free = trained(state, random_start=False), trained(state)
    assert torch.equal(fixed.perturb(batch), fixed.perturb(batch))
    assert not torch.equal(free.perturb(batch), free.perturb(batch))
    torch.manual_seed(1)
    first = free.perturb(batch)
    torch.manual_seed(1)
    assert torch.equal(free.perturb(batch), first)


def test_each_image_is_attacked_as_if_alone(state):
    batch, aligner = toy(4, seed=8), trained(state, random_start=False)
    whole = aligner.attack(batch.images, batch.domains)
    alone = torch.cat([aligner.attack(batch.images[i : i + 1], batch.domains[i : i + 1]) for i in range(12)])
    assert (whole != alone).float().mean() < 0.01, "only gradients that are zero but for rounding may differ in sign"


class Linear(nn.Module):
    """Logits W x of flattened images, W known."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.weight.T


WEIGHT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, -1.0]])
PIXELS = torch.tensor([[0.6, 0.2, 0.5], [0.2, 0.9, 0.9999]]).view(2, 3, 1, 1)


def linear(**settings) -> DomainAdversarialAttack:
    aligner = DomainAdversarialAttack(2, 4, random_start=False, **(PIXELS_ONLY | {"epsilon": 0.1} | settings))
    aligner.classifiers[0] = Linear(WEIGHT.clone())
    return aligner


def test_one_step_by_hand_uniform():
    # logits: [0.6 - 0.4 + 0.25, 0.2 - 0.5] = [0.45, -0.3]: too sure of domain 0; [-1.1, -0.1]: too sure of domain 1.
    # d/dx of -(log p0 + log p1) / 2 = (p0 - 1/2) w0 + (p1 - 1/2) w1 = (p0 - 1/2) (w0 - w1), w0 - w1 = [1, -3, 1.5].
    # The step goes against it: image 0 by -[+, -, +], image 1 by +[+, -, +], cut at 1.
    attacked = linear(steps=1).attack(PIXELS, torch.tensor([0, 1]))
    expected = torch.tensor([[0.5, 0.3, 0.4], [0.3, 0.8, 1.0]]).view(2, 3, 1, 1)
    torch.testing.assert_close(attacked, expected, rtol=0, atol=1e-6)


def test_one_step_by_hand_maximize():
    # d/dx of log p_y = w_y - sum_k p_k w_k = (1 - p_y) (w_y - w_other); the step goes against it, whatever p is.
    attacked = linear(steps=1, loss="maximize").attack(PIXELS, torch.tensor([1, 1]))
    expected = torch.tensor([[0.7, 0.1, 0.6], [0.3, 0.8, 1.0]]).view(2, 3, 1, 1)
    torch.testing.assert_close(attacked, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_step_length_and_projection(steps):
    seen: list[torch.Tensor] = []
    aligner = linear(steps=steps, loss="maximize")
    aligner.classifiers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    images = torch.full((1, 3, 1, 1), 0.5)
    attacked = aligner.attack(images, torch.tensor([0]))
    assert len(seen) == steps + 1  # the last one only to compare
    # The gradient of a linear classifier keeps its sign: the first step reaches epsilon, which stops the others.
    moved = [(x - images).abs().amax().item() for x in [*seen, attacked]]
    assert moved == pytest.approx([0.0] + [0.1] * (steps + 1), abs=1e-6)


def test_steps_halve_and_the_best_iterate_is_kept():
    """Two domains told by brightness alone: the attack closes in on brightness 0.43, where it cannot tell."""
    seen: list[torch.Tensor] = []
    aligner = linear(steps=4, loss="uniform", epsilon=0.1)
    aligner.classifiers[0] = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        aligner.classifiers[0][1].weight.copy_(torch.tensor([[50.0, 0, 0], [-50.0, 0, 0]]))
        aligner.classifiers[0][1].bias.copy_(torch.tensor([-50 * 0.43, 50 * 0.43]))
    aligner.classifiers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    attacked = aligner.attack(torch.full((1, 3, 1, 1), 0.5), torch.tensor([0]))
    path = [x[0, 0].item() for x in seen]
    assert path == pytest.approx([0.5, 0.4, 0.45, 0.425, 0.4375], abs=1e-6)
    assert attacked[0, 0].item() == pytest.approx(0.425, abs=1e-6)


@pytest.mark.parametrize("context", [torch.no_grad, nullcontext])
def test_works_under_no_grad(state, context):
    batch, aligner = toy(10, seed=9), trained(state, random_start=False)
    expected = aligner.attack(batch.images, batch.domains)
    with context():
        assert torch.equal(aligner.perturb(batch), expected)
        assert torch.is_grad_enabled() is (context is nullcontext)


@pytest.mark.parametrize("loss", ["uniform", "maximize"])
def test_works_in_bfloat16(state, loss):
    held_out, aligner = toy(40, seed=10), trained(state, loss=loss)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        attacked = aligner.perturb(held_out)
        # In one autocast region with the attack, as in a training step: its cached casts must not cut the gradient.
        aligner.losses(held_out, NOTHING, 0.0)["domain"].backward()
    assert attacked.dtype == torch.float32
    assert (attacked - held_out.images).abs().amax() <= EPSILON + 1e-6
    assert accuracy(aligner, attacked, held_out.domains) < 1 / N_DOMAINS + 0.15
    gradients = [p.grad for p in aligner.parameters()]
    assert len(gradients) > 10
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert aligner.classifiers[0].layers[0].weight.grad.abs().sum() > 0


def test_losses_are_the_cross_entropy_of_clean_images_and_reach_the_classifier_only():
    aligner, batch = untrained(), toy(6, seed=11)
    aligner.eval()  # so that the expectation below sees the same statistics
    embedding = torch.rand(18, 4, requires_grad=True)
    losses = aligner.losses(batch, Features((), embedding), 0.5)
    assert list(losses) == ["domain"]
    assert dict(aligner.weights()) == {}
    torch.testing.assert_close(losses["domain"], F.cross_entropy(aligner.classifiers[0](batch.images), batch.domains))
    losses["domain"].backward()
    assert embedding.grad is None
    assert all(p.grad is not None for p in aligner.parameters())


def test_evidence_tells_the_effect_per_image_and_leaves_no_trace(state):
    aligner, batch = trained(state).train(), toy(40, seed=12)
    before = {name: value.clone() for name, value in aligner.state_dict().items()}
    torch.manual_seed(0)
    found = aligner.evidence(batch, NOTHING)
    assert list(found) == [
        "domain_accuracy_clean", "domain_kl_clean", "domain_accuracy_attacked", "domain_kl_attacked", "perturbation"
    ]  # fmt: skip
    aligner.eval()
    with torch.no_grad():
        log_p = aligner.classifiers[0](batch.images).log_softmax(1)
    uniform = torch.full_like(log_p, 1 / N_DOMAINS)
    expected = F.kl_div(log_p, uniform, reduction="none").sum(1)
    torch.testing.assert_close(found["domain_kl_clean"], expected, rtol=1e-4, atol=1e-5)
    assert found["domain_kl_attacked"].mean() < found["domain_kl_clean"].mean() / 3
    aligner.train()
    assert all(value.shape == (120,) and not value.requires_grad for value in found.values())
    assert found["domain_accuracy_clean"].mean() > 0.9
    assert found["domain_accuracy_attacked"].mean() < 1 / N_DOMAINS + 0.15
    assert 0.5 * EPSILON < found["perturbation"].max() <= EPSILON + 1e-6
    assert all(torch.equal(value, before[name]) for name, value in aligner.state_dict().items())
    assert all(module.training for module in aligner.modules())
    assert all(p.grad is None for p in aligner.parameters())


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"epsilon": 0.0, "colour": 0.0, "contrast": 0.0, "spectrum": 0.0}, "epsilon"),
        ({"epsilon": -0.1}, "epsilon"),
        ({"epsilon": 4.0}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"steps": 0}, "steps"),
        ({"attacked_share": 0.0}, "attacked_share"),
        ({"attacked_share": 1.5}, "attacked_share"),
        ({"width": 0}, "width"),
        ({"classifiers": 0}, "classifiers"),
        ({"restart_every": -1}, "restart_every"),
        ({"colour": 2.0}, "colour"),
    ],
)
def test_settings_out_of_range(settings, name):
    with pytest.raises(SettingsError, match=f"aligner.{name}") as error:
        untrained(**settings)
    assert "\n" not in str(error.value)


def test_bounds_of_the_settings_are_included():
    for settings in ({"epsilon": 1.0}, {"steps": 1}, {"attacked_share": 1.0}, {"width": 1}):
        untrained(**settings)


STYLE = {"epsilon": 2 / 255, "colour": 0.08, "learns_from": "both", "steps": 6, "random_start": True}


def coloured(per_domain: int, seed: int) -> Batch:
    """Noise images of three domains that differ in their mean colour alone."""
    generator = torch.Generator().manual_seed(seed)
    domains = torch.arange(N_DOMAINS).repeat(per_domain)
    colour = torch.tensor([[0.47, 0.50, 0.53], [0.53, 0.47, 0.50], [0.50, 0.53, 0.47]])[domains][:, :, None, None]
    own = 0.015 * torch.randn(len(domains), 3, 1, 1, generator=generator)
    noise = 0.05 * torch.randn(len(domains), 3, 16, 16, generator=generator)
    return Batch((colour + own + noise).clamp(0, 1), torch.arange(len(domains)) % 2, domains)


@pytest.mark.parametrize(
    ("settings", "hidden"), [({"epsilon": 2 / 255}, False), (STYLE, True)], ids=["pixels alone", "style, min-max"]
)
def test_a_style_attack_hides_the_domain_from_a_fresh_classifier_and_pixels_alone_do_not(settings, hidden):
    aligner = untrained(**settings)
    optimizer = torch.optim.Adam(aligner.parameters(), lr=0.02)
    torch.manual_seed(0)
    for step in range(80):
        optimizer.zero_grad()
        aligner.losses(coloured(8, seed=step), NOTHING, 0.0)["domain"].backward()
        optimizer.step()
    found = fresh_domain_accuracy(coloured(40, 500), coloured(40, 501), aligner.perturb, steps=80, batch_size=24)
    assert found["fresh_domain_accuracy_clean"] > 0.9
    if hidden:
        assert found["fresh_domain_accuracy_attacked"] < found["domain_chance"] + 0.2
    else:
        assert found["fresh_domain_accuracy_attacked"] > 0.7


def test_the_classifiers_learn_from_the_images_that_the_setting_names():
    batch, seen = toy(4, seed=20), {}
    for choice in ("clean", "attacked", "both"):
        aligner = untrained(learns_from=choice, random_start=False).eval()
        aligner.classifiers[0].register_forward_pre_hook(lambda _, inputs: seen.update(last=inputs[0].detach()))
        aligner.losses(batch, NOTHING, 0.0)
        attacked = aligner.attack(batch.images, batch.domains)
        expected = {"clean": batch.images, "attacked": attacked, "both": torch.cat([batch.images, attacked])}
        aligner.losses(batch, NOTHING, 0.0)
        assert torch.equal(seen["last"], expected[choice])


def test_live_only_leaves_attacks_alone():
    batch = toy(8, seed=21)
    changed = (untrained(live_only=True).perturb(batch) != batch.images).flatten(1).any(dim=1)
    assert torch.equal(changed, batch.labels == 1)


def test_several_classifiers_are_deceived_together():
    """The loss is their mean, each learns by its own cross-entropy, and a fresh start tells them apart."""
    aligner, batch = untrained(classifiers=3), toy(8, seed=22)
    aligner.eval()
    first = [module.layers[0].weight for module in aligner.classifiers]
    assert not torch.equal(first[0], first[1])
    each = [F.cross_entropy(module(batch.images), batch.domains) for module in aligner.classifiers]
    torch.testing.assert_close(aligner.losses(batch, NOTHING, 0.0)["domain"], sum(each) / 3)
    attacked = aligner.attack(batch.images, batch.domains)
    with torch.no_grad():
        for module in aligner.classifiers:
            before, after = (-module(x).log_softmax(1).mean() for x in (batch.images, attacked))
            assert after < before


def test_style_stays_within_its_bounds():
    batch = toy(8, seed=23)
    aligner = untrained(epsilon=0.0, colour=0.05, steps=3)
    change = aligner.perturb(batch) - batch.images
    inner = (batch.images - 0.5).abs() < 0.4
    flat = change.flatten(2)
    assert change.abs().max() <= 0.05 + 1e-6
    spread = torch.where(inner.flatten(2), flat - flat.median(dim=2, keepdim=True).values, torch.zeros_like(flat))
    assert spread.abs().max() < 1e-5, "colour moves a channel as a whole"


def test_classifiers_begin_again_in_turn_alike_in_every_process():
    batch, first = toy(2, seed=22), {}
    for seed in (1, 2):  # what two processes have drawn before differs
        aligner = untrained(classifiers=2, restart_every=2)
        torch.manual_seed(seed)
        seen = []
        for _ in range(7):
            before = [each.layers[0].weight.clone() for each in aligner.classifiers]
            aligner.losses(batch, NOTHING, 0.0)
            now = [each.layers[0].weight for each in aligner.classifiers]
            seen.append([not torch.equal(*pair) for pair in zip(before, now, strict=True)])
        assert [any(one) for one in seen] == [False, False, True, False, True, False, True]
        assert [one.index(True) for one in seen if any(one)] == [0, 1, 0]
        first[seed] = now[0].clone()
    assert torch.equal(first[1], first[2])
    assert int(aligner.learnt) == 7
    aligner.eval().losses(batch, NOTHING, 0.0)
    assert int(aligner.learnt) == 7, "only training counts"


def test_restarting_leaves_the_random_state_alone():
    aligner, batch = untrained(restart_every=1), toy(2, seed=23)
    torch.manual_seed(3)
    aligner.losses(batch, NOTHING, 0.0)
    aligner.losses(batch, NOTHING, 0.0)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))


@dataclass(frozen=True)
class NoOptions:
    """A recipe without options."""


def test_the_shipped_style_settings_are_those_that_were_measured():
    """The figures of docs/evidence.md, "opponent style, min-max", are of these."""
    path = Path(__file__).parents[2] / "recipes" / "configs" / "style.yaml"
    slots = {"aligner": Slot("aligner", "none")}
    chosen = read_settings(NoOptions, slots, ["--config", str(path)], Catalog()).one("aligner")
    assert chosen is not None
    assert chosen.name == "daa"
    aligner = untrained(**chosen.settings)
    assert aligner.bounds.limits() == {"spectrum": 0.5, "colour": pytest.approx(6 / 255)}
    assert (aligner.bounds.axes, aligner.learns_from, aligner.restart_every) == ("opponent", "both", 0)
