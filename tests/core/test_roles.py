"""The roles: a teacher stays frozen and prepares its own input; an aligner's defaults do nothing."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from padkit.roles import Aligner, Batch, Features, Student, StudentFeatures, Teacher

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


def test_a_teacher_looks_at_the_central_share_that_it_asks_for():
    teacher, image = Toy(), torch.rand(2, 3, 10, 10)
    teacher(image)
    teacher.crop = 0.4
    teacher(image)
    whole, middle = teacher.seen
    assert torch.equal(middle, image[..., 3:7, 3:7] * 2 - 1)
    assert whole.shape == middle.shape
    assert not torch.equal(whole, middle)
    assert Teacher.crop == 1.0


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


def test_an_aligner_aligns_nothing_by_default():
    aligner, features = Aligner(3, 8), StudentFeatures((), torch.rand(2, 8))
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

    def forward(self, images):
        return StudentFeatures((), images.mean((2, 3)))


def test_a_students_features_are_features_with_an_embedding():
    maps, embedding = (torch.rand(2, 3, 4, 4),), torch.rand(2, 3)
    found = StudentFeatures(maps, embedding)
    assert isinstance(found, Features)
    assert tuple(found) == (maps, embedding)
    assert type(pickle.loads(pickle.dumps(found))) is StudentFeatures
    with pytest.raises(TypeError, match="embedding"):
        StudentFeatures(maps)
