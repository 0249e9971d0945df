"""Whatever takes a weights file refuses one that would run code, and runs none of it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from padkit.errors import WeightsError
from padkit_arcface.teacher import ArcFaceTeacher
from padkit_clip.student import ClipStudent
from padkit_clip.teacher import ClipTeacher
from padkit_dlib.teacher import DlibTeacher
from padkit_stargan.teacher import StarGANTeacher
from padkit_timm.student import TimmStudent
from padkit_timm.teacher import TimmTeacher

LOADERS = {
    "arcface": lambda file: ArcFaceTeacher(weights=file),
    "dlib": lambda file: DlibTeacher(weights=file),
    "stargan-D": lambda file: StarGANTeacher(weights=file),
    "stargan-G": lambda file: StarGANTeacher(weights=file, source="generator"),
    "timm teacher": lambda file: TimmTeacher(model="test_resnet", weights=file),
    "timm student": lambda file: TimmStudent(model="test_resnet", weights=file),
    "clip teacher": lambda file: ClipTeacher(model="ViT-S-32-alt", weights=file),
    "clip student": lambda file: ClipStudent(model="ViT-S-32-alt", weights=file),
}


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("form", ["torch", "old torch", "bare pickle"])
@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, loader, form):
    file, marker = tmp_path / "evil.pth", tmp_path / "ran"
    content = {"state_dict": {"conv1.weight": torch.zeros(1), "hook": Touch(marker)}}
    if form == "bare pickle":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=form == "torch")
    with pytest.raises(WeightsError, match=r"evil\.pth") as error:
        loader(str(file))
    assert "\n" not in str(error.value)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Touch(marker)))
    assert marker.exists(), "the pickle was harmless, so the test proved nothing"
