"""`padkit data`: how it tells folders and names from the settings of a dataset."""

from __future__ import annotations

import re

import pytest
from mutations import media
from mutations.judging import presentations

from padkit.cli import run
from padkit.errors import PadkitError


@pytest.mark.parametrize("name", ["plain", "my photos", "a b'c\"d", "größe ö"])
@pytest.mark.parametrize("form", ["--root={}", "--root {}"])
def test_a_folder_of_any_name_is_taken_either_way_it_is_written(name, form, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    media.plant(tmp_path / name)
    words = [word.format(tmp_path / name) for word in form.split()]
    assert run(["data", "folder", *words, "--image-size", "32", "--no-duplicates"]) == 0
    assert presentations(capsys.readouterr().out) == {"bona fide": 6, "attack": 6}


@pytest.mark.parametrize("form", ["--augmentation.gamma=0", "--augmentation.gamma 0"])
def test_settings_of_the_augmentation_are_told_from_those_of_the_data(form, tmp_path, capsys):
    media.plant(tmp_path / "photos")
    words = ["--augmented", str(tmp_path / "sheet.png"), "--augmentation", "photometric", *form.split()]
    line = ["data", "folder", *words, "--root", str(tmp_path / "photos"), "--image-size", "32", "--columns", "2"]
    assert run(line) == 0
    assert "What training sees:" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--augmentation", "light"], "name its file, --augmented FILE.png"),
        (["--augmentation.jpeg", "3"], "name its file, --augmented FILE.png"),
        (["--augmented", "x.png", "--augmentation", "none"], "changes nothing"),
        (["--augmented", "x.png", "--augmentation", "photometric", "--augmentation.jpeg", "0"], "int in [1, 100]"),
        (["--augmented", "x.png", "--augmentation", "lihgt"], "Did you mean 'light'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_read(words, text):
    with pytest.raises(PadkitError, match=re.escape(text)):
        run(["data", "synthetic", *words])
