"""The bundle brings back the same detector, looks for nothing else, and refuses what is damaged."""

from __future__ import annotations

import json

import pytest
import timm
import torch

from padkit.catalog import Catalog
from padkit.deploy.bundle import FORMAT, Bundle, load_bundle, save_bundle
from padkit.errors import PadkitError, PluginError, SettingsError, WeightsError
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    made = Detector(TimmStudent(model="test_resnet"))
    made.train()
    with torch.no_grad():
        made(torch.rand(8, 3, 32, 32))  # moves the BatchNorm statistics from their defaults
    return made.eval()


def bundle(**settings) -> Bundle:
    return Bundle(
        student="timm",
        settings={"model": "test_resnet", "pretrained": False, "weights": None, "drop_rate": 0.0} | settings,
        image_size=32,
        threshold=0.37,
        threshold_policy="source-dev",
        simulated=True,
        provenance={"protocol": {"name": "a&b->c"}, "seed": 3},
    )


@pytest.fixture
def folder(tmp_path, detector):
    save_bundle(tmp_path / "model", detector, bundle())
    return tmp_path / "model"


def test_round_trip_gives_identical_scores(folder, detector, catalog):
    loaded, found = load_bundle(folder, catalog)
    images = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        expected = detector(images)
        assert torch.equal(loaded(images), expected)
    assert expected.std() > 0
    assert found == bundle()
    assert loaded is not detector
    assert not any(module.training for module in loaded.modules())


def test_the_folder_holds_two_plain_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.json", "model.safetensors"]
    content = json.loads((folder / "bundle.json").read_text())
    assert content["format"] == FORMAT
    assert content["threshold"] == 0.37
    assert content["simulated"] is True
    assert content["provenance"]["seed"] == 3


@pytest.mark.parametrize("start", [{"pretrained": True}, {"weights": "/nowhere/resnet.pth"}])
def test_where_training_started_from_is_not_looked_for_again(tmp_path, detector, catalog, monkeypatch, start):
    asked: list[bool] = []
    create = timm.create_model

    def spy(*args, pretrained=False, **settings):
        asked.append(pretrained)
        return create(*args, pretrained=False, **settings)

    monkeypatch.setattr(timm, "create_model", spy)
    save_bundle(tmp_path, detector, bundle(**start))
    loaded, found = load_bundle(tmp_path, catalog)
    assert asked
    assert not any(asked)
    assert found.settings == bundle(**start).settings, "the record still tells where training started"
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), detector(images))


def test_saving_again_replaces_both_files(folder, detector, catalog):
    other = Detector(TimmStudent(model="test_resnet")).eval()
    save_bundle(folder, other, bundle())
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.json", "model.safetensors"]
    assert torch.equal(load_bundle(folder, catalog)[0].head.weight, other.head.weight)


def changed(folder, **fields):
    content = json.loads((folder / "bundle.json").read_text()) | fields
    content = {name: value for name, value in content.items() if value is not ...}
    (folder / "bundle.json").write_text(json.dumps(content))


def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


DAMAGE = {
    "no file": (lambda f: (f / "bundle.json").unlink(), WeightsError, "bundle.json: No such file"),
    "cut short": (lambda f: cut(f / "bundle.json", 40), WeightsError, "not valid JSON"),
    "not text": (lambda f: (f / "bundle.json").write_bytes(b"\xff\xfe\x00"), WeightsError, "not valid JSON"),
    "a list": (lambda f: (f / "bundle.json").write_text("[1]"), WeightsError, "has format None"),
    "no format": (lambda f: changed(f, format=...), WeightsError, "has format None"),
    "other format": (lambda f: changed(f, format="padkit-bundle/9"), WeightsError, "'padkit-bundle/9'; this padkit"),
    "no threshold": (lambda f: changed(f, threshold=...), WeightsError, "lacks threshold"),
    "other student": (lambda f: changed(f, student="tim"), PluginError, "Did you mean 'timm'"),
    "other model": (lambda f: changed(f, settings={"model": "test_vit"}), WeightsError, "do not fit Detector"),
    "unknown model": (lambda f: changed(f, settings={"model": "resnett18"}), SettingsError, "resnet18"),
    "unknown setting": (lambda f: changed(f, settings={"modell": "test_resnet"}), WeightsError, "settings"),
    "settings no mapping": (lambda f: changed(f, settings=3), WeightsError, "settings"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), WeightsError, "model.safetensors does not exist"),
    "weights cut": (lambda f: cut(f / "model.safetensors", 1000), WeightsError, "damaged"),
}


@pytest.mark.parametrize(("damage", "kind", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_bundle_is_one_line(folder, catalog, damage, kind, words):
    damage(folder)
    with pytest.raises(kind, match=words) as error:
        load_bundle(folder, catalog)
    assert isinstance(error.value, PadkitError)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there(tmp_path, catalog):
    with pytest.raises(WeightsError, match="give the model/ folder of a run"):
        load_bundle(tmp_path / "none", catalog)
