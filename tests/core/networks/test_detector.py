"""The detector: P(bona fide) by hand, in float32, of one view or five, and the label loss that aligners are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from padkit.errors import SettingsError
from padkit.networks.detector import Detector, label_loss, viewed
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
    torch.testing.assert_close(scores, torch.tensor([0.0, 2.0]).sigmoid())
    with torch.autocast("cpu", torch.bfloat16):
        assert detector(images).dtype == torch.float32


def enlarged(part: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture [C, h, w] as [C, height, width]: each place from the four pixels around it, edges repeat."""
    _, down, across = part.shape
    found = np.empty((len(part), height, width), part.dtype)
    for row in range(height):
        for column in range(width):
            y = min(max((row + 0.5) * down / height - 0.5, 0), down - 1)
            x = min(max((column + 0.5) * across / width - 0.5, 0), across - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, down - 1), min(left + 1, across - 1)
            upper = (1 - x + left) * part[:, top, left] + (x - left) * part[:, top, right]
            lower = (1 - x + left) * part[:, bottom, left] + (x - left) * part[:, bottom, right]
            found[:, row, column] = (1 - y + top) * upper + (y - top) * lower
    return found


@pytest.mark.parametrize(("height", "width", "down", "across"), [(20, 20, 18, 18), (7, 11, 6, 10), (1, 2, 1, 2)])
def test_five_views_are_the_whole_and_its_corners_of_which_one_diagonal_is_mirrored(height, width, down, across):
    images = np.random.default_rng(0).random((2, 3, height, width))
    corners = [
        images[:, :, :down, :across], images[:, :, :down, width - across :][..., ::-1],
        images[:, :, height - down :, :across][..., ::-1], images[:, :, height - down :, width - across :],
    ]  # fmt: skip
    expected = [images, *(np.stack([enlarged(one, height, width) for one in corner]) for corner in corners)]
    for given in (torch.from_numpy(images), torch.from_numpy(images).contiguous(memory_format=torch.channels_last)):
        np.testing.assert_allclose(viewed(given, "five").numpy(), np.concatenate(expected), atol=1e-12)
    assert viewed(given, "one") is given


def test_a_mirrored_crop_that_is_its_own_mirror_image_has_two_pairs_of_equal_views():
    half = torch.rand(1, 3, 10, 5)
    whole, *corners = viewed(torch.cat([half, half.flip(3)], dim=3), "five")
    torch.testing.assert_close(whole, whole.flip(2))
    torch.testing.assert_close(corners[0], corners[1])
    torch.testing.assert_close(corners[2], corners[3])


def test_a_score_of_five_views_is_that_of_the_mean_of_their_logits_and_the_features_are_those_of_the_whole():
    torch.manual_seed(0)
    detector, (images, *_) = Detector(ToyStudent(), "five").eval(), toy_data(6)
    with torch.no_grad():
        views = [detector.student(view) for view in viewed(images, "five").chunk(5)]
        logits = torch.stack([detector.classify(view) for view in views])
        features, scores = detector.judge(images)
        torch.testing.assert_close(scores, logits.mean(0).softmax(1)[:, 1])
        torch.testing.assert_close(detector.judge(images, 3.0)[1], (logits.mean(0) / 3).softmax(1)[:, 1])
        assert torch.equal(detector(images), scores)
    torch.testing.assert_close(features.embedding, views[0].embedding)
    for found, expected in zip(features.maps, views[0].maps, strict=True):
        torch.testing.assert_close(found, expected)
    assert (scores - logits[0].softmax(1)[:, 1]).abs().max() > 1e-3, "the views say something else than the whole"
    assert not detector(images[:0]).numel()


def test_one_view_is_the_network_and_nothing_else():
    torch.manual_seed(0)
    detector, (images, *_) = Detector(ToyStudent()).eval(), toy_data()
    with torch.no_grad():
        features = detector.student(images)
        found, scores = detector.judge(images)
        assert torch.equal(scores, detector.classify(features).float().softmax(dim=1)[:, 1])
    assert torch.equal(found.embedding, features.embedding)


@pytest.mark.parametrize("views", ["seven", "", 5])
def test_unknown_views_are_one_line(views):
    with pytest.raises(SettingsError, match=r"views .* are unknown") as error:
        Detector(Flat(), views)
    assert "\n" not in str(error.value)


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
