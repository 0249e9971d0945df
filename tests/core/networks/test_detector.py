"""The detector: P(bona fide) by hand, in float32, and the label loss that aligners are given."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from padkit.networks.detector import Detector, label_loss
from padkit.networks.frozen import evaluation_mode
from padkit.roles import Student, StudentFeatures
from padkit.testing.toys import ToyStudent, toy_data

torch.set_num_threads(1)


class Flat(Student):
    channels, strides, embedding_dim = (), (), 3

    def forward(self, images):
        return StudentFeatures((), images.mean((2, 3)))


def test_a_detector_gives_the_probability_of_bona_fide():
    detector = Detector(Flat())
    with torch.no_grad():
        detector.head.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
        detector.head.bias.zero_()
    images = torch.zeros(2, 3, 2, 2)
    images[1, 0] = 1.0
    scores = detector(images)
    assert torch.equal(detector.score(detector.student(images)), scores)
    torch.testing.assert_close(scores, torch.tensor([0.0, 2.0]).sigmoid())
    with torch.autocast("cpu", torch.bfloat16):
        assert detector.score(detector.student(images)).dtype == torch.float32


def test_the_label_loss_is_the_detectors_cross_entropy_an_image():
    torch.manual_seed(0)
    detector, (images, labels, _) = Detector(ToyStudent()).train(), toy_data()
    images.requires_grad_(True)
    found = label_loss(detector, images, labels)
    with evaluation_mode(detector):
        score = detector(images)
    torch.testing.assert_close(found, -torch.where(labels == 1, score, 1 - score).log())
    (gradient,) = torch.autograd.grad(found.sum(), images)
    with evaluation_mode(detector):
        expected = F.cross_entropy(detector.classify(detector.student(images)), labels, reduction="sum")
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, images)[0])
    assert all(p.grad is None for p in detector.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert label_loss(detector, images, labels).dtype == torch.float32
