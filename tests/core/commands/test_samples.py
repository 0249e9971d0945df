"""Settings that several commands share stand in the help of each, with their text."""

from __future__ import annotations

import pytest

from padkit.commands import adapt, calibrate, evaluate_model
from padkit.commands.samples import SampleOptions
from padkit.settings.describe import described_settings

SHARED = [one.name for one in described_settings(SampleOptions)]


@pytest.mark.parametrize("command", [adapt, calibrate, evaluate_model])
def test_every_command_explains_them(command) -> None:
    """Read from the base class's docstring, by jsonargparse 4.53 and later."""
    told = {one.name: one.text for one in described_settings(command.Options)}
    assert SHARED == ["split", "domains", "cropped", "frames", "face", "face_model"]
    assert [name for name, text in told.items() if not text] == []
    assert told["frames"].startswith("Frames of each presentation")
    assert ("own data" in told["split"]) == (command is adapt), "a command's own words go first"
