"""`--compile`: blocks that repeat are compiled one by one, names stay, and results stay."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Features, Student, StudentFeatures, Teacher
from padkit.training import FrozenTeachers, Objective, TeacherOptions, compile_networks
from padkit.training.compiling import repeated_blocks

torch.set_num_threads(1)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x).relu()


class Blocks(Student):
    channels, strides, embedding_dim = (4,), (2,), 4

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Conv2d(4, 4, 1))
        self.blocks = nn.Sequential(Block(), Block(), Block())

    def forward(self, images):
        maps = self.blocks(self.stem(images))
        return StudentFeatures((maps,), maps.mean((2, 3)))


def test_blocks_are_found_in_networks_of_timm():
    resnet, vit = (timm.create_model(name) for name in ("resnet18", "test_vit"))
    assert len(list(repeated_blocks(resnet))) == 8
    assert [type(block).__name__ for block in repeated_blocks(vit)] == ["Block"] * len(vit.blocks)
    assert not list(repeated_blocks(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))))


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch looks for it itself
def test_results_and_names_stay_and_copies_are_not_compiled():
    torch.manual_seed(0)
    objective = Objective(Detector(Blocks()), None, FrozenTeachers({}), {}, 8)
    images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 0, 1])
    before, names = objective(images, labels, labels, 0.0)["live"], list(objective.state_dict())
    assert compile_networks(objective, backend="eager") == 3
    after = objective(images, labels, labels, 0.0)["live"]
    after.backward()
    torch.testing.assert_close(before, after)
    assert list(objective.state_dict()) == names
    blocks = objective.detector.student.blocks
    assert all(block._compiled_call_impl is not None for block in blocks)
    assert blocks[0].conv.weight.grad is not None
    assert all(block._compiled_call_impl is None for block in copy.deepcopy(objective.detector).student.blocks)


class Plain(Teacher):
    """No block repeats, so it is compiled whole; it counts how often Python computes its features."""

    input_size, ran = 8, 0

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 2, stride=2)

    def extract(self, inputs):
        if not torch.compiler.is_compiling():
            self.ran += 1
        return Features((self.conv(inputs),), None)


class Own(Plain):
    """It prepares its images itself."""

    def forward(self, images):
        return self.extract(images * 2)


@pytest.mark.parametrize("kind", [Plain, Own])
def test_a_teacher_of_one_piece_is_compiled_as_it_is_called(kind):
    teacher, options = kind(), {"t": TeacherOptions()}
    objective = Objective(Detector(Blocks()), None, FrozenTeachers({"t": teacher}, options), options, 8)
    images = torch.rand(4, 3, 8, 8)
    before, ran = objective.teachers(images)["t"].maps[0], teacher.ran
    assert ran
    assert compile_networks(objective, backend="eager") == 4
    torch.testing.assert_close(objective.teachers(images)["t"].maps[0], before)
    assert teacher.ran == ran, "Python computed its features itself"


def test_without_a_compiler_one_line_says_so(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    objective = Objective(Detector(Blocks()), None, FrozenTeachers({}), {}, 8)
    with pytest.raises(SettingsError, match=r"--compile needs a C\+\+ compiler .*leave it out"):
        compile_networks(objective)
