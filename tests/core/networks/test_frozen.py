"""A frozen call gives what the module gives in evaluation mode, with gradients for its inputs and for nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from padkit.alignment.share import perturb_share
from padkit.networks.frozen import evaluation_mode, frozen_call
from padkit.roles import Batch
from padkit.testing.toys import toy_data

torch.set_num_threads(1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 2))


def inputs() -> torch.Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).requires_grad_(True)


def test_it_gives_what_evaluation_mode_gives_and_the_same_gradient_to_the_inputs():
    module, first, second = network(), inputs(), inputs()
    module(inputs().detach())  # move the statistics away from 0 and 1
    frozen_call(module, first).square().sum().backward()
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    module.eval()(second).square().sum().backward()
    torch.testing.assert_close(first.grad, second.grad)
    torch.testing.assert_close(frozen_call(module, first), module(second))


def test_it_leaves_modes_and_statistics_as_they_are():
    module = network().train()
    module[3].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    frozen_call(module, inputs())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert [part.training for part in module] == [True, True, True, False, True]


def test_modes_come_back_after_an_error():
    module = network().train()
    module[1].eval()
    with pytest.raises(RuntimeError), evaluation_mode(module):
        module(torch.zeros(1, 3))  # of the wrong width
    assert [part.training for part in module] == [True, False, True, True, True]
    assert module.training


def test_statistics_may_move_between_the_call_and_the_backward_pass():
    module, images = network(), inputs()
    loss = frozen_call(module, images).sum()
    module.train()(torch.randn(6, 4))
    loss.backward()
    assert images.grad.abs().sum() > 0


def test_casts_that_autocast_keeps_do_not_lead_back_to_the_parameters():
    module, images = network(), inputs()
    with torch.autocast("cpu", torch.bfloat16):
        plain = module(images.detach())  # casts the weights and keeps the casts
        frozen = frozen_call(module, images)
    frozen.float().sum().backward()
    assert images.grad is not None
    assert all(p.grad is None for p in module.parameters())
    plain.float().sum().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_a_share_of_a_batch_is_perturbed_with_what_belongs_to_it():
    images, labels, domains = toy_data(400)
    seen: list[Batch] = []

    def perturb(part: Batch) -> torch.Tensor:
        seen.append(part)
        return part.images + 1

    batch = Batch(images, labels, domains, lambda x, y: x.sum() + y.sum())
    torch.manual_seed(0)
    found = perturb_share(batch, 0.3, perturb)
    moved = (found != images).flatten(1).all(dim=1)
    assert int(moved.sum()) == 120
    assert torch.equal(found[moved], images[moved] + 1)
    assert torch.equal(found[~moved], images[~moved])
    assert batch.images is images
    (part,) = seen
    places = [int((images == image).flatten(1).all(dim=1).nonzero()) for image in part.images]  # in the order asked
    assert torch.equal(part.labels, labels[places])
    assert torch.equal(part.domains, domains[places])
    assert part.label_loss is batch.label_loss


def test_a_share_of_one_is_the_whole_batch_and_draws_nothing():
    batch = Batch(*toy_data())
    torch.manual_seed(0)
    assert torch.equal(perturb_share(batch, 1.0, lambda part: part.images * 0), batch.images * 0)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


def test_a_share_that_draws_nobody_perturbs_nobody():
    batch = Batch(*toy_data())
    assert torch.equal(perturb_share(batch, 1e-9, lambda part: 1 / 0), batch.images)
