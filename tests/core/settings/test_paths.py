"""Relative paths of a run are recorded as absolute ones, so that any folder can use the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from padkit.catalog import Catalog
from padkit.commands import prepare
from padkit.data.table.frames import read_preparation
from padkit.errors import SettingsError
from padkit.settings import paths
from padkit.settings.layers import read_file
from padkit.settings.paths import absolute_paths, recipe_folder, settings_file
from padkit.settings.recipes import Slot, read_settings


class Component:
    path_settings = ("root", "folders")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_what_exists_becomes_absolute(here):
    (here / "link").symlink_to("photos")
    settings = {"root": "photos", "folders": ["a", "./b", "gone"], "weights": "link", "domain": "a"}
    assert absolute_paths(Component, settings) == {
        "root": str(here / "photos"),
        "folders": [str(here / "a"), str(here / "b"), "gone"],
        "weights": str(here / "link"),
        "domain": "a",
    }


@pytest.mark.parametrize("value", ["", "gone", "owner/name", "pypi:package", "~nobody/x", "\0", "x" * 5000, None, 3])
def test_what_does_not_exist_stays_as_it_was_written(here, value):
    assert absolute_paths(Component, {"root": value}) == {"root": value}


def test_the_users_home_is_named(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert absolute_paths(Component, {"root": "~/photos"}) == {"root": str(here / "photos")}


@dataclass(frozen=True, slots=True)
class Options:
    """No options."""


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["folder", "--data.root", "photos"], {"root": "photos"}),
        (["manifest", "--data.file", "photos/list.csv"], {"file": "photos/list.csv"}),
        (["huggingface", "--data.path", "photos"], {"path": "photos"}),
        (["identities", "--data.root=a", "--data.identity_file=a.txt"], {"root": "a", "identity_file": "a.txt"}),
        (["msu-mfsd", "--data.root", "photos", "--data.upside_down=a.txt"], {"root": "photos", "upside_down": "a.txt"}),
        (["prepared", "--data.folders", "a,b"], {"folders": ["a", "b"]}),
    ],
)
def test_a_run_uses_and_records_them(here, words, settings):
    for name in ("photos/list.csv", "a.txt"):
        (here / name).touch()
    found = read_settings(Options, {"data": Slot("dataset", "folder")}, ["--data", *words], Catalog())
    due = {
        name: [str(here / one) for one in value] if isinstance(value, list) else str(here / value)
        for name, value in settings.items()
    }
    chosen = found.one("data")
    assert chosen is not None
    assert {name: chosen.settings[name] for name in due} == due
    assert {name: found.tree["data"][name] for name in due} == due


def test_a_table_is_the_same_from_everywhere(here, monkeypatch, capsys):
    for label in ("live", "spoof"):
        (here / "photos" / label).mkdir()
        Image.new("RGB", (16, 16), (9, 0, 0)).save(here / "photos" / label / "1.png")
    words = ["--face", "none", "--size", "16", "--workers", "1"]
    prepare.main(["folder", "--root", "photos", "--out", "one", *words])
    monkeypatch.chdir(here / "a")
    prepare.main(
        ["folder", "--root", str(here / "photos"), "--out", "three", "--face", "none", "--size", "16", "--workers", "1"]
    )
    tables = [read_preparation(Path(place)) for place in (here / "one", here / "a" / "three")]
    assert tables[0]["key"] == tables[1]["key"]
    assert tables[0]["settings"]["root"] == str(here / "photos")
    assert "finished" in capsys.readouterr().out


def test_settings_of_padkit_are_found_by_name(here):
    shipped = recipe_folder() / "configs" / "photographs.yaml"
    assert settings_file("photographs") == shipped
    assert ("data.name", "photographs") in read_file("photographs")
    (here / "photographs").write_text("seed: 3")
    assert settings_file("photographs") == Path("photographs"), "a file that is there comes first"
    assert settings_file("no/where") == Path("no/where")
    assert settings_file("none.yaml") == Path("none.yaml")
    with pytest.raises(SettingsError, match="--config photograph is neither a file nor settings of padkit"):
        settings_file("photograph")


def test_plans_of_ablations_are_no_settings():
    with pytest.raises(SettingsError, match="--config orl is neither"):
        settings_file("orl")


def test_settings_of_a_wheel_are_in_the_package(tmp_path, monkeypatch):
    folder = tmp_path / "padkit" / "recipes"
    (folder / "configs").mkdir(parents=True)
    (folder / "dtda.py").touch()
    (folder / "configs" / "mine.yaml").write_text("seed: 1")
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "padkit")
    assert settings_file("mine") == folder / "configs" / "mine.yaml"
