"""Adversaries: the gradient is reversed, the schedule is the known one, only what counts is counted."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from padkit.alignment.adversary import (
    DomainClassifier,
    domain_discriminator,
    domain_loss,
    reversal_schedule,
    reverse_gradient,
)

torch.set_num_threads(1)


@pytest.mark.parametrize("coefficient", [0.0, 0.3, 1.0, 2.5])
def test_reversal_is_the_identity_forwards_and_minus_the_coefficient_backwards(coefficient):
    features, gradient = torch.randn(4, 5, requires_grad=True), torch.randn(4, 5)
    seen = reverse_gradient(features, coefficient)
    assert torch.equal(seen, features)
    seen.backward(gradient)
    torch.testing.assert_close(features.grad, -coefficient * gradient)


def test_schedule():
    assert reversal_schedule(0.0) == 0.0
    assert reversal_schedule(0.5) == pytest.approx(2 / (1 + math.exp(-5)) - 1)
    assert reversal_schedule(0.5) == pytest.approx(0.9866143, abs=1e-7)
    assert reversal_schedule(1.0) == pytest.approx(0.9999092, abs=1e-7)
    assert reversal_schedule(0.1) == pytest.approx(math.tanh(0.5))  # the same function, written otherwise


def test_the_loss_is_the_mean_over_what_counts():
    logits, domains = torch.randn(5, 3, requires_grad=True), torch.tensor([0, 1, 2, 0, 1])
    counted = torch.tensor([1, 0, 1, 1, 0])
    loss = domain_loss(logits, domains, counted)
    torch.testing.assert_close(loss, F.cross_entropy(logits[counted == 1], domains[counted == 1]))
    loss.backward()
    assert not logits.grad[counted == 0].any()


def test_where_nothing_counts_the_loss_is_zero_with_zero_gradients():
    logits = torch.randn(3, 2, requires_grad=True)
    loss = domain_loss(logits, torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(3, 2))


def test_the_loss_is_float32():
    loss = domain_loss(torch.zeros(2, 2, dtype=torch.bfloat16), torch.tensor([0, 1]), torch.tensor([1, 1]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("size", [16, 33])
def test_a_domain_classifier_takes_any_size(size):
    assert DomainClassifier(5, 2)(torch.rand(3, 3, size, size)).shape == (3, 5)


def test_a_discriminator_has_the_layers_of_ssdg():
    names = [type(layer).__name__ for layer in domain_discriminator(6, 8, 0.25, 3)]
    assert names == ["Linear", "ReLU", "Dropout", "Linear"]
    assert domain_discriminator(6, 8, 0.25, 3)(torch.rand(2, 6)).shape == (2, 3)


def test_a_folded_classifier_is_the_classifier_in_evaluation_mode():
    torch.manual_seed(0)
    classifier, images = DomainClassifier(3, 4), torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        for module in classifier.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for value in (module.running_mean, module.running_var, module.weight, module.bias):
                    value.uniform_(0.5, 1.5)
    asked = images.clone().requires_grad_()
    found = classifier.folded()(asked)
    torch.testing.assert_close(found, classifier.eval()(images), rtol=1e-4, atol=1e-5)
    found.sum().backward()
    assert asked.grad is not None
    assert all(parameter.grad is None for parameter in classifier.parameters())
