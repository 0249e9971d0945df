"""A whole run on the toy set: the files of dtda.py but for a model, and the same figures every time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from recipe_modules import recipe_module
from toy_run import read_log, reset_accelerate

from padkit.errors import SettingsError
from padkit.runs.finished import read_run


def run(monkeypatch: pytest.MonkeyPatch, line: list[str]) -> int:
    threads = torch.get_num_threads()
    with recipe_module("random_features") as module:
        reset_accelerate()
        monkeypatch.setattr(sys, "argv", ["random_features.py", *line])
        try:
            return int(module.main())
        finally:
            reset_accelerate()
            torch.set_num_threads(threads)


def test_a_run_leaves_scores_and_no_model(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ["--data", "folder", "--data.root", str(toy), "--data.image_size", "32", "--target", "c"]
    line += ["--student.model", "test_resnet", "--threads", "1"]
    for name, seed in (("one", "0"), ("two", "0"), ("other", "1")):
        assert run(monkeypatch, [*line, "--seed", seed, "--out", str(tmp_path / name)]) == 0
    one, two, other = (read_run(tmp_path / name) for name in ("one", "two", "other"))
    assert one.results == two.results
    assert (one.target.score != other.target.score).any()
    assert one.source_dev is not None
    assert one.results.values["auc"] > 0.7  # stripes are seen without having been learnt
    assert [record["step"] for record in read_log(one.path)] == [0]
    assert {"source_dev/auc", "source_dev/eer"} <= read_log(one.path)[0].keys()
    assert not one.folder.model.exists()
    with pytest.raises(SettingsError, match="level 9: this student has maps 1 to"):
        run(monkeypatch, [*line, "--level", "9", "--out", str(tmp_path / "wrong")])
