"""The roles: a teacher stays frozen and prepares its own input; an aligner's defaults do nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Aligner, Batch, Features, Student, Teacher, normalise

torch.set_num_threads(1)


class Toy(Teacher):
    input_size = 4

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.9))
        self.seen: list[torch.Tensor] = []

    def extract(self, inputs):
        self.seen.append(inputs)
        return Features((self.layers(inputs),), None)


def test_a_teacher_stays_in_evaluation_mode_whatever_is_called():
    teacher = Toy()
    holder = nn.ModuleList([teacher])
    for call in (teacher.train, holder.train, lambda: holder.train(True), lambda: teacher.train(mode=True)):
        call()
        assert not any(module.training for module in teacher.modules())
    assert teacher.train() is teacher
    assert holder.training
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    first, second = teacher(torch.rand(3, 3, 4, 4)), teacher(torch.rand(3, 3, 4, 4))
    assert first.maps[0].shape == second.maps[0].shape
    assert before
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_a_teacher_maps_black_and_white_to_minus_one_and_one():
    teacher, image = Toy(), torch.zeros(1, 3, 4, 4)
    image[:, 1], image[:, 2] = 1.0, 0.75
    teacher(image)
    assert [plane.unique().tolist() for plane in teacher.seen[0][0]] == [[-1.0], [1.0], [0.5]]


def test_a_teacher_shrinks_by_averaging():
    teacher, image = Toy(), torch.zeros(1, 3, 32, 32)
    image[..., ::8, :] = 1.0  # an eighth of the rows; two-point sampling would miss them all
    teacher(image)
    assert teacher.seen[0].shape == (1, 3, 4, 4)
    assert teacher.seen[0].mean().item() == pytest.approx(2 / 8 - 1, abs=0.1)


def test_normalise_by_hand():
    image = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 3)
    found = normalise(image, None, (0.1, 0.5, 0.0), (0.5, 0.1, 2.0))
    assert found.shape == image.shape
    torch.testing.assert_close(found[0, :, 1, 2], torch.tensor([0.2, 0.0, 0.5]))
    torch.testing.assert_close(normalise(image, 2, (0.0,) * 3, (1.0,) * 3), image[..., :2])


def test_normalise_lets_the_gradient_reach_the_image():
    image = torch.rand(1, 3, 6, 6, requires_grad=True)
    normalise(image, 4, (0.5,) * 3, (0.25,) * 3).sum().backward()
    torch.testing.assert_close(image.grad.sum(), torch.tensor(3 * 16 / 0.25))


def test_an_aligner_aligns_nothing_by_default():
    aligner, features = Aligner(3, 8), Features((), torch.rand(2, 8))
    batch = Batch(torch.rand(2, 3, 4, 4), torch.tensor([0, 1]), torch.tensor([0, 2]))
    assert aligner.perturb(batch) is batch.images
    assert batch.label_loss is None, "a batch made by hand needs none"
    student = Flat()
    with aligner.inside(student, batch) as entered:
        assert torch.equal(student(batch.images).embedding, batch.images.mean((2, 3)))
    assert entered is None
    assert aligner.losses(batch, features, 0.5) == {}
    assert dict(aligner.weights()) == {}
    assert aligner.evidence(batch, features) == {}
    assert (aligner.n_domains, aligner.embedding_dim, aligner.min_domains) == (3, 8, 2)


class Flat(Student):
    channels, strides, embedding_dim = (), (), 3

    def __init__(self, *, with_embedding: bool = True) -> None:
        super().__init__()
        self.with_embedding = with_embedding

    def forward(self, images):
        return Features((), images.mean((2, 3)) if self.with_embedding else None)


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


def test_a_detector_needs_an_embedding():
    with pytest.raises(SettingsError, match="Flat gives no embedding"):
        Detector(Flat(with_embedding=False))(torch.rand(1, 3, 2, 2))
