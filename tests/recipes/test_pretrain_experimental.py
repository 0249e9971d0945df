"""The recipe of the embedded model: free pictures only, and one command that leaves a bundle with its checksums."""

from __future__ import annotations

import ast
import csv
import hashlib
import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from recipe_modules import recipe_module
from toy_run import reset_accelerate

import padkit
from padkit.deploy.bundle import read_bundle
from padkit.errors import DataError

TINY = ["--people", "6", "--portraits", "1", "--image_size", "64", "--steps", "2", "--batch_size", "12"]
TINY += ["--weights", "none", "--calibrate", "4", "--judged_on", "four pictures"]


@pytest.fixture(scope="module")
def recipe():
    pytest.importorskip("skimage")
    with recipe_module("pretrain_experimental") as module:
        yield module


def test_every_picture_is_stated_to_be_free(recipe):
    from skimage.data import _fetchers

    told = {}
    for node in ast.parse(inspect.getsource(_fetchers)).body:
        if isinstance(node, ast.FunctionDef):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and str(part.value).startswith("data/"):
                    told[part.value.removeprefix("data/")] = " ".join((ast.get_docstring(node) or "").split())
    assert len(recipe.PICTURES) > 5
    for picture in (recipe.ASTRONAUT, *recipe.PICTURES):
        kind, _, author = picture.licence.partition(" (")
        said = told[picture.file]
        assert kind.casefold() in said.casefold() or (kind == "CC0" and "Creative Commons CC0" in said), picture.file
        assert author


def test_squares_reach_from_edge_to_edge_and_are_nine_at_most(recipe):
    ramp = np.linspace(0, 255, 600).astype(np.uint8)
    wide = Image.fromarray(np.repeat(np.tile(ramp, (300, 1))[..., None], 3, axis=2))
    found = list(recipe.squares(wide))
    assert [one.shape for one in found] == [(256, 256, 3)] * len(found)
    assert len(found) == 3
    assert found[0][:, 0].max() < 3
    assert found[-1][:, -1].min() > 252
    assert len(list(recipe.squares(wide.resize((900, 900))))) == 9


def test_one_command_leaves_a_bundle_with_checksums(recipe, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxscript")
    pytest.importorskip("av")
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "PICTURES", recipe.PICTURES[2:3])
    monkeypatch.setattr(recipe, "MODEL", "test_efficientnet")
    words = recipe.training_words
    monkeypatch.setattr(recipe, "training_words", lambda *all_: [*words(*all_), "--data.settings", "phone+webcam"])
    rng = np.random.default_rng(0)
    rows = [("path", "label")]
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", ("live", "spoof")[number % 2]))
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    threads = torch.get_num_threads()
    reset_accelerate()
    try:
        assert recipe.main([*TINY, "--judge", "list.csv"]) == 0
    finally:
        reset_accelerate()
        torch.set_num_threads(threads)
    folder = tmp_path / "runs" / "experimental" / "bundle"
    printed = capsys.readouterr().out
    page = (folder.parent / "run" / "report" / "index.html").read_text()
    assert "imulated data" in page
    assert "real live photographs" not in page.casefold(), "its faces are simulated"
    sums = dict(line.split()[::-1] for line in (folder / "checksums.txt").read_text().splitlines())
    assert sorted(sums) == ["model-int8.onnx", "model.safetensors"]
    for name, told in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == told
        assert told in printed
    assert (folder / "model.safetensors").stat().st_size < 8e6
    bundle = read_bundle(folder)
    assert (bundle.simulated, bundle.real_faces, bundle.image_size) == (True, False, 64)
    assert bundle.notice.startswith("experimental, trained on simulated faces and attacks, certified by nobody: AUC ")
    assert "on four pictures; on real attacks nobody has measured it." in bundle.notice
    assert bundle.provenance["recipe"].endswith("pretrain_experimental " + " ".join([*TINY[:-1], "'four pictures'"])
                                                + " --judge list.csv")  # fmt: skip
    assert len(bundle.provenance["frames"]) == 64
    card = (folder / "README.md").read_text()
    assert "license: apache-2.0" in card
    assert "four pictures: 2 bona fide presentations and 2 attacks" in card
    for picture in (recipe.ASTRONAUT, *recipe.PICTURES):
        assert f"| {picture.file} | {picture.licence} |" in card
    assert "## Exported forms" in card
    crops = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    exact, rounded = (padkit.load(folder, backend=backend).scores(list(crops)) for backend in ("torch", "onnx"))
    assert np.abs(exact - rounded).max() < 0.1
    with pytest.raises(DataError, match="holds a run already"):
        recipe.main(TINY)


def test_photographs_of_an_earlier_start_are_not_trained_on(recipe, tmp_path, monkeypatch):
    """A start with more people that was stopped leaves people of whom the card would not tell."""
    monkeypatch.setattr(recipe, "PICTURES", ())
    reader = SimpleNamespace(records=tuple)
    catalog, options = SimpleNamespace(build=lambda *_: reader), recipe.Options()
    recipe.write_photographs(tmp_path, options, catalog)
    recipe.write_photographs(tmp_path, options, catalog)
    left = tmp_path / "person-face-s00007" / "1.png"
    left.parent.mkdir()
    left.write_bytes(b"")
    with pytest.raises(DataError, match=r"holds 1 other files.*s00007"):
        recipe.write_photographs(tmp_path, options, catalog)


def test_an_error_of_the_training_is_told_once_and_ends_the_recipe(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "write_photographs", lambda folder, options, catalog: folder.mkdir(parents=True))
    before = list(sys.argv)
    assert recipe.main(TINY) == 2
    assert sys.argv == before
    assert not (tmp_path / "runs" / "experimental" / "bundle").exists()
