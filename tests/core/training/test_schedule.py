"""Optimisers and the learning rate's course."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from padkit.training.optimisation import make_optimizer, realign, warm_up_cosine


def course(total: int, warmup: float, steps: int | None = None) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = warm_up_cosine(optimizer, total, warmup)
    rates = []
    for _ in range(total if steps is None else steps):
        rates.append(optimizer.param_groups[0]["lr"] / 2)
        optimizer.step()
        schedule.step()
    return rates


def test_values():
    rates = course(20, 0.2, steps=23)
    # Four steps of warm-up, 1/5 to 4/5; then 16 of a cosine from 1 to 0, where it stays.
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates[4] == pytest.approx(1.0)
    assert rates[8] == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert rates[12] == pytest.approx(0.5)
    assert rates[16] == pytest.approx(0.5 * (1 - math.cos(math.pi / 4)))
    assert rates[20:] == pytest.approx([0, 0, 0], abs=1e-12)


def test_without_warm_up_it_starts_at_the_peak():
    assert course(10, 0.0)[:2] == pytest.approx([1.0, 0.5 * (1 + math.cos(math.pi / 10))])


@pytest.mark.parametrize(("total", "warmup"), [(1, 0.0), (1, 0.1), (2, 0.1), (3, 1.0), (7, 0.33), (100, 0.1)])
def test_every_training_step_has_a_rate_between_zero_and_the_peak(total, warmup):
    rates = course(total, warmup)
    assert len(rates) == total
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_optimisers():
    parameters = [nn.Parameter(torch.zeros(2))]
    adamw = make_optimizer("adamw", parameters, 0.1, 0.02)
    assert type(adamw) is torch.optim.AdamW
    assert (adamw.defaults["lr"], adamw.defaults["weight_decay"]) == (0.1, 0.02)
    sgd = make_optimizer("sgd", parameters, 0.1, 0.02)
    assert type(sgd) is torch.optim.SGD
    expected = {"lr": 0.1, "weight_decay": 0.02, "momentum": 0.9, "nesterov": True}
    assert {name: sgd.defaults[name] for name in expected} == expected


@pytest.mark.parametrize(("done", "total"), [(4, 8), (10, 20), (10, 10)])
def test_a_restored_run_follows_the_course_of_its_new_length(done, total):
    """The state of a schedule holds its step alone: without it, the first step would have the former length's rate."""
    optimizer = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))]}, {"params": [], "lr": 1.0}], lr=2.0)
    schedule = warm_up_cosine(optimizer, 10, 0.2)
    for _ in range(done):
        optimizer.step()
        schedule.step()
    longer = warm_up_cosine(torch.optim.SGD(optimizer.param_groups, lr=2.0), total, 0.2)
    longer.load_state_dict(schedule.state_dict())
    realign(optimizer, longer)
    share = [*course(total, 0.2), 0.0][done]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2 * share, share], abs=1e-12)
    assert longer.get_last_lr() == pytest.approx([2 * share, share], abs=1e-12)
