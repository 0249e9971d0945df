"""`padkit data`: how it tells folders and names from the settings of a dataset."""

from __future__ import annotations

import pytest
from mutations import media
from mutations.judging import presentations

from padkit.cli import run


@pytest.mark.parametrize("name", ["plain", "my photos", "a b'c\"d", "größe ö"])
@pytest.mark.parametrize("form", ["--root={}", "--root {}"])
def test_a_folder_of_any_name_is_taken_either_way_it_is_written(name, form, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    media.plant(tmp_path / name)
    words = [word.format(tmp_path / name) for word in form.split()]
    assert run(["data", "folder", *words, "--image-size", "32", "--no-duplicates"]) == 0
    assert presentations(capsys.readouterr().out) == {"bona fide": 6, "attack": 6}
