"""Students that do not take the data's image size: known before anything long, in one line, with a size they take."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from padkit.catalog import Catalog, Chosen
from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Student, StudentFeatures
from padkit.training.image_size import check_image_size

FOLDER = Chosen("dataset", "folder", {"image_size": 64})
PREPARED = Chosen("dataset", "prepared", {"folders": ["a"]})


class Sized(Student):
    """Takes the sizes that `accepts` says."""

    channels, strides, embedding_dim = (3,), (1,), 3

    def __init__(self, accepts: range) -> None:
        super().__init__()
        self.accepts = accepts
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> StudentFeatures:
        if images.shape[-1] not in self.accepts:
            raise AssertionError(f"Input height ({images.shape[-1]}) is not mine.\nSecond line.")
        maps = self.drop(self.norm(images))
        return StudentFeatures([maps], maps.mean((2, 3)))


def check(student: Student, size: int, data: Chosen = FOLDER, **settings: str) -> None:
    check_image_size(Detector(student), size, Chosen("student", "sized", settings), data)


@pytest.mark.parametrize(
    ("accepts", "taken"), [(range(224, 225), 224), (range(75, 999), 96), (range(50), 32), (range(128, 999, 32), 128)]
)
def test_a_size_that_it_does_not_take_is_one_line(accepts: range, taken: int) -> None:
    with pytest.raises(SettingsError) as caught:
        check(Sized(accepts), 64, model="mine")
    text = str(caught.value)
    assert text.startswith(
        "student sized mine does not take images of 64 x 64 pixels (AssertionError: Input height (64)"
    )
    assert f"it takes {taken}: set --data.image_size {taken}" in text
    assert "Second" not in text


def test_the_remedy_is_one_that_the_data_have() -> None:
    with pytest.raises(SettingsError, match=r"set padkit prepare's --size 224 224, or|set padkit prepare's --size 224"):
        check(Sized(range(224, 225)), 64, PREPARED)
    with pytest.raises(SettingsError, match="none of the usual sizes fits it; choose another student"):
        check(Sized(range(1)), 64)


def test_a_size_that_it_takes_leaves_everything_as_it_is() -> None:
    detector = Detector(Sized(range(999))).train()
    detector.student.drop.eval()
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    drawn = torch.random.get_rng_state()
    check_image_size(detector, 64, Chosen("student", "sized"), FOLDER)
    assert torch.equal(drawn, torch.random.get_rng_state())
    assert detector.training
    assert detector.student.norm.training
    assert not detector.student.drop.training
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())


@pytest.mark.parametrize("model", ["levit_128s", "inception_v3"])
def test_timm_students_with_a_size_of_their_own(model: str) -> None:
    size = 64
    student = Catalog().build("student", "timm", {"model": model})
    with pytest.raises(
        SettingsError, match=rf"student timm {model} does not take images of {size} x {size} pixels.*it takes"
    ):
        check_image_size(Detector(student), size, Chosen("student", "timm", {"model": model}), FOLDER)
