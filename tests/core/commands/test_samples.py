"""Settings that several commands share stand in the help of each, with their text."""

from __future__ import annotations

import pytest
from PIL import Image

from padkit.commands import adapt, calibrate, evaluate_model
from padkit.commands.samples import SampleOptions
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.predictor import Predictor
from padkit.errors import WeightsError
from padkit.settings.describe import described_settings
from padkit_folder.tree import FolderReader

SHARED = [one.name for one in described_settings(SampleOptions)]


@pytest.mark.parametrize("command", [adapt, calibrate, evaluate_model])
def test_every_command_explains_them(command) -> None:
    """Read from the base class's docstring, by jsonargparse 4.53 and later."""
    told = {one.name: one.text for one in described_settings(command.Options)}
    assert SHARED == ["split", "domains", "cropped", "frames", "face", "face_model"]
    assert [name for name, text in told.items() if not text] == []
    assert told["frames"].startswith("Frames of each presentation")
    assert ("own data" in told["split"]) == (command is adapt), "a command's own words go first"


def test_a_finder_is_needed_for_photographs_only(tmp_path, monkeypatch):
    """A model that was trained on faces found by scrfd scores crops without its weights."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    for kind in ("live", "spoof"):
        (tmp_path / "own" / kind).mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "own" / kind / "a.png")
    bundle = Bundle(
        student="timm", settings={}, image_size=16, thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
        simulated=False, crop=CropPolicy(face="scrfd", known=True),
    )  # fmt: skip
    predictor = Predictor(bundle=bundle, score=lambda crops: crops.mean(axis=(1, 2, 3)) / 255)
    reader = FolderReader(root=str(tmp_path / "own"))
    assert len(SampleOptions(cropped=True).gathered(predictor, reader, "own").rows) == 2
    with pytest.raises(WeightsError, match="Face detector pack"):
        SampleOptions().gathered(predictor, reader, "own")
