"""Distillation: maps are paired from the deepest backwards, distances are the written ones, teachers stay frozen."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from padkit.errors import SettingsError
from padkit.roles import Features, StudentFeatures, Teacher
from padkit.training.distillation import Distiller, FrozenTeachers, TeacherOptions, map_distance

torch.set_num_threads(1)


def features(*shapes: tuple[int, int], dim: int | None = None, batch: int = 2, seed: int = 0, grad=False) -> Features:
    """Maps of (channels, side) from shallow to deep, and an embedding."""
    generator = torch.Generator().manual_seed(seed)
    maps = tuple(torch.randn(batch, c, n, n, generator=generator).requires_grad_(grad) for c, n in shapes)
    embedding = None if dim is None else torch.randn(batch, dim, generator=generator).requires_grad_(grad)
    return Features(maps, embedding)


STUDENT = features((4, 8), (6, 4), (8, 2), dim=8)


def test_equal_shapes_are_compared_as_they_are():
    distiller = Distiller(STUDENT, features((4, 8), (6, 4), (8, 2), dim=8, seed=1))
    assert [type(p) for p in distiller.projections] == [nn.Identity] * 3
    assert type(distiller.project_embedding) is nn.Identity
    assert list(distiller.parameters()) == []


def test_other_channels_get_a_projection_on_the_students_side():
    teacher = features((4, 8), (7, 4), (9, 2), dim=5, seed=1)
    distiller = Distiller(STUDENT, teacher)
    assert isinstance(distiller.projections[0], nn.Identity)
    shapes = {name: tuple(p.shape) for name, p in distiller.named_parameters()}
    assert shapes == {
        "projections.1.weight": (7, 6, 1, 1),
        "projections.2.weight": (9, 8, 1, 1),
        "project_embedding.weight": (5, 8),
    }
    assert distiller(STUDENT, teacher).isfinite()


def test_other_sizes_resize_the_teachers_map():
    maps = torch.randn(2, 4, 4, 4)
    averaged = nn.functional.avg_pool2d(maps, 2)
    torch.testing.assert_close(map_distance(averaged, maps), torch.tensor(0.0), atol=1e-6, rtol=0)
    constant = torch.randn(2, 4, 1, 1)
    larger = constant.expand(2, 4, 6, 6)
    torch.testing.assert_close(map_distance(larger, constant), torch.tensor(0.0), atol=1e-6, rtol=0)
    uneven = map_distance(torch.randn(2, 4, 5, 5), torch.randn(2, 4, 7, 7))
    assert 0 < uneven < 4


def test_identical_features_are_at_distance_zero():
    assert Distiller(STUDENT, STUDENT)(STUDENT, STUDENT).item() == pytest.approx(0, abs=1e-6)
    scaled = Features(tuple(3 * m for m in STUDENT.maps), 0.1 * STUDENT.embedding)
    assert Distiller(STUDENT, scaled)(STUDENT, scaled).item() == pytest.approx(0, abs=1e-6), "length must not count"


def test_opposite_features_are_at_the_largest_distance():
    opposite = Features(tuple(-m for m in STUDENT.maps), -STUDENT.embedding)
    assert Distiller(STUDENT, opposite, "maps")(STUDENT, opposite).item() == pytest.approx(4, abs=1e-5)
    assert Distiller(STUDENT, opposite, "embedding")(STUDENT, opposite).item() == pytest.approx(2, abs=1e-5)
    assert Distiller(STUDENT, opposite)(STUDENT, opposite).item() == pytest.approx(6, abs=1e-5)


def test_distances_by_hand():
    # Two positions of two channels. (3, 4) -> (0.6, 0.8) against (0, 2) -> (0, 1): 0.36 + 0.04 = 0.4.
    # (1, 0) against (1, 1) / sqrt 2: 2 - 2 / sqrt 2.
    student = torch.tensor([[[[3.0, 1.0]], [[4.0, 0.0]]]])
    teacher = torch.tensor([[[[0.0, 1.0]], [[2.0, 1.0]]]])
    first = (0.4 + 2 - math.sqrt(2)) / 2
    assert map_distance(student, teacher).item() == pytest.approx(first, abs=1e-6)
    # A second pair at distance 2 (orthogonal), and embeddings at 60 degrees: 1 - 0.5.
    across = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 5.0]).view(1, 2, 1, 1)
    one = Features((student, across[0]), torch.tensor([[2.0, 0.0]]))
    other = Features((teacher, across[1]), torch.tensor([[1.0, math.sqrt(3)]]))
    for use, expected in (("maps", (first + 2) / 2), ("embedding", 0.5), ("both", (first + 2) / 2 + 0.5)):
        assert Distiller(one, other, use)(one, other).item() == pytest.approx(expected, abs=1e-6)


def test_the_embedding_term_is_the_mean_over_the_batch():
    one = Features((), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    other = Features((), torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0]]))
    assert Distiller(one, other)(one, other).item() == pytest.approx((0 + 1 + 2 + 0) / 4, abs=1e-6)


def test_maps_are_paired_from_the_deepest():
    teacher = Features(STUDENT.maps[1:], None)
    distiller = Distiller(STUDENT, teacher)
    assert distiller.n_pairs == 2
    assert list(distiller.parameters()) == []
    assert distiller(STUDENT, teacher).item() == pytest.approx(0, abs=1e-6)
    student = StudentFeatures(STUDENT.maps[2:], STUDENT.embedding)
    assert Distiller(student, STUDENT)(student, STUDENT).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("use", "n_pairs", "angles"), [("both", 3, True), ("maps", 3, False), ("embedding", 0, True)])
def test_use(use, n_pairs, angles):
    distiller = Distiller(STUDENT, features((5, 8), (5, 4), (5, 2), dim=3), use)
    assert distiller.n_pairs == n_pairs
    assert len(list(distiller.parameters())) == n_pairs + angles


def test_both_takes_what_the_teacher_has():
    maps_only, embedding_only = features((8, 2)), features(dim=8)
    assert Distiller(STUDENT, maps_only)(STUDENT, maps_only).isfinite()
    assert Distiller(STUDENT, embedding_only).n_pairs == 0
    assert Distiller(STUDENT, embedding_only)(STUDENT, embedding_only).isfinite()


@pytest.mark.parametrize(
    ("teacher", "use", "words"),
    [
        (features((8, 2)), "embedding", "gives no embedding"),
        (features(dim=8), "maps", "gives no maps"),
        (Features((), None), "both", "gives no features"),
    ],
)
def test_a_teacher_without_what_is_asked_for_is_named(teacher, use, words):
    with pytest.raises(SettingsError, match=f"teachers.fr: .*{words}") as error:
        Distiller(STUDENT, teacher, use, "fr")
    assert "\n" not in str(error.value)


def test_gradient_reaches_the_student_and_the_projections_never_the_teacher():
    student = features((4, 8), (8, 2), dim=8, grad=True)
    teacher = features((7, 8), (8, 4), dim=5, seed=1)
    distiller = Distiller(student, teacher)
    distiller(student, teacher).backward()
    reached = [*student.maps, student.embedding, *distiller.parameters()]
    assert len(reached) == 5
    assert all(t.grad is not None and t.grad.abs().sum() > 0 for t in reached)
    assert all(t.grad is None and not t.requires_grad for t in (*teacher.maps, teacher.embedding))


def test_a_step_along_the_gradient_comes_closer():
    student, teacher = features((4, 4), dim=8, grad=True), features((4, 4), dim=8, seed=1)
    distiller = Distiller(student, teacher)
    before = distiller(student, teacher)
    before.backward()
    moved = Features((student.maps[0] - student.maps[0].grad,), student.embedding - student.embedding.grad)
    assert distiller(moved, teacher) < before - 0.01


def test_positions_where_all_channels_are_zero_do_no_harm():
    before = torch.randn(2, 4, 4, 4).requires_grad_(True)
    mask = torch.ones(4, 4)
    mask[1] = -1e6  # after the ReLU whole rows are zero, as in a ResNet
    maps = torch.relu(before.abs() * mask)
    assert not maps[:, :, 1].any()
    distance = map_distance(maps, torch.relu(torch.randn(2, 4, 4, 4)))
    distance.backward()
    assert distance.isfinite()
    assert before.grad.isfinite().all()
    assert before.grad.abs().max() < 100


def test_half_precision_features_are_compared_in_float32():
    student, teacher = features((4, 8), dim=8), features((4, 8), dim=8, seed=1)
    halves = [Features(tuple(m.bfloat16() for m in f.maps), f.embedding.bfloat16()) for f in (student, teacher)]
    found = Distiller(*halves)(*halves)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, Distiller(student, teacher)(student, teacher), atol=0.02, rtol=0)


class Toy(Teacher):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))

    def extract(self, inputs):
        return Features((self.layers(inputs),), None)


def test_frozen_teachers_are_frozen():
    teacher = Toy()
    teachers = FrozenTeachers({"fr": teacher})
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    for module in teacher.modules():
        module.training = True  # what somebody does who calls train() on a part of it
    images = torch.rand(4, 3, 8, 8, requires_grad=True)
    found = teachers(images)
    assert teachers.names() == list(found) == ["fr"]
    assert not any(module.training for module in teacher.modules())
    assert not found["fr"].maps[0].requires_grad
    parameters = list(teacher.parameters())
    assert len(parameters) == 4
    assert all(not p.requires_grad and p.grad is None for p in parameters)
    assert before
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert torch.equal(teachers(images)["fr"].maps[0], found["fr"].maps[0])
    assert not isinstance(teachers, nn.Module)
    assert teachers.to(torch.device("cpu")) is teachers


def test_options_default_to_everything_at_weight_one():
    assert (TeacherOptions().loss_weight, TeacherOptions().use) == (0.3, "both")
