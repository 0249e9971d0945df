"""Learning rates of parts: which parameter is in which group, and that one schedule scales them all."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Aligner, Features, Student, StudentFeatures, Teacher
from padkit.training import FrozenTeachers, Objective, TeacherOptions
from padkit.training.optimisation import make_optimizer, parameter_groups, warm_up_cosine

torch.set_num_threads(1)

PARTS = ("detector.head", "distillers", "aligner")


class Small(Student):
    channels, strides, embedding_dim = (4,), (2,), 4

    def __init__(self) -> None:
        super().__init__()
        self.head_of_its_own = nn.Conv2d(3, 4, 2, stride=2)  # a name that begins as the head's does

    def forward(self, images):
        maps = self.head_of_its_own(images)
        return StudentFeatures((maps,), maps.mean((2, 3)))


class Wide(Teacher):
    input_size = None

    def extract(self, inputs):
        maps = inputs.repeat(1, 2, 1, 1)
        return Features((maps,), maps.mean((2, 3)))


class Classifier(Aligner):
    def __init__(self) -> None:
        super().__init__(2, 4)
        self.net = nn.Linear(3, 2)


def objective(*, teachers: bool = True, aligner: bool = True) -> Objective:
    chosen = FrozenTeachers({"fr": Wide()} if teachers else {})
    return Objective(Detector(Small()), Classifier() if aligner else None, chosen, {"fr": TeacherOptions()}, 8)


def rates(module: nn.Module, scales: dict[str, float], lr: float = 0.5) -> dict[str, float]:
    """The learning rate of every parameter by its name; fails where one is in two groups."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    found = [(names[id(p)], group["lr"]) for group in parameter_groups(module, lr, scales) for p in group["params"]]
    assert len(found) == len(dict(found)) == len(names)
    return dict(found)


def part_of(name: str) -> str:
    return next((part for part in PARTS if name.startswith(f"{part}.")), "student")


def test_every_parameter_has_the_rate_of_its_part():
    found = rates(objective(), {"detector.head": 10.0, "distillers": 4.0, "aligner": 0.2})
    expected = {"student": 0.5, "detector.head": 5.0, "distillers": 2.0, "aligner": 0.1}
    assert {part_of(name) for name in found} == expected.keys()
    assert found == pytest.approx({name: expected[part_of(name)] for name in found})
    assert found["detector.student.head_of_its_own.weight"] == 0.5


def test_parts_of_one_factor_share_a_group_in_the_modules_order():
    module = objective()
    (group,) = parameter_groups(module, 0.5, dict.fromkeys(PARTS, 1.0))
    assert [id(p) for p in group["params"]] == [id(p) for p in module.parameters()]
    first, second = parameter_groups(module, 0.5, {"detector.head": 3.0, "distillers": 3.0, "aligner": 1.0})
    assert (first["lr"], second["lr"]) == (0.5, 1.5)


def test_the_student_comes_first_whatever_the_module_begins_with():
    module = nn.Module()
    module.aligner, module.detector = nn.Linear(2, 2), nn.Linear(2, 2)
    assert [group["lr"] for group in parameter_groups(module, 0.5, {"aligner": 2.0})] == [0.5, 1.0]


def test_parts_that_are_not_there_are_passed_over():
    found = rates(objective(teachers=False, aligner=False), {"detector.head": 2.0, "distillers": 3.0, "aligner": 4.0})
    assert set(found.values()) == {0.5, 1.0}


def test_the_longest_name_rules():
    found = rates(objective(), {"detector": 2.0, "detector.head": 4.0})
    assert found["detector.student.head_of_its_own.bias"] == 1.0
    assert found["detector.head.bias"] == 2.0
    assert found["aligner.net.bias"] == 0.5


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_schedule_scales_every_group_alike(name):
    groups = parameter_groups(objective(), 0.5, {"detector.head": 10.0, "aligner": 0.2})
    optimizer = make_optimizer(name, groups, 0.5, 0.01)
    schedule = warm_up_cosine(optimizer, 10, 0.2)
    shares = []
    for _ in range(10):
        student, head, aligner = (group["lr"] for group in optimizer.param_groups)
        assert (head, aligner) == pytest.approx((10 * student, 0.2 * student))
        assert schedule.get_last_lr()[0] == student
        shares.append(student / 0.5)
        optimizer.step()
        schedule.step()
    assert shares[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert shares[6] == pytest.approx(0.5)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.01}


def test_a_factor_moves_its_part_by_that_much():
    """SGD without history moves a parameter by lr * gradient: ten times the rate, ten times the way."""
    moved = {}
    for scale in (1.0, 10.0):
        torch.manual_seed(0)
        module = objective()
        before = {name: p.detach().clone() for name, p in module.named_parameters()}
        optimizer = make_optimizer("sgd", parameter_groups(module, 1e-3, {"detector.head": scale}), 1e-3, 0.0)
        for parameter in module.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        moved[scale] = {name: float((p.detach() - before[name]).abs().mean()) for name, p in module.named_parameters()}
    for name in moved[1.0]:
        factor = 10.0 if part_of(name) == "detector.head" else 1.0
        assert moved[10.0][name] == pytest.approx(factor * moved[1.0][name], rel=1e-3), name


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_an_impossible_factor_is_one_line(scale):
    with pytest.raises(SettingsError, match=r"learning rate of distillers is .*; give 0 or more") as error:
        parameter_groups(objective(), 0.5, {"distillers": scale})
    assert "\n" not in str(error.value)
