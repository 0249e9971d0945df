"""The bundle brings back the same detector, looks for nothing else, and refuses what is damaged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import timm
import torch

from padkit.catalog import Catalog
from padkit.deploy.bundle import (
    FORMAT,
    FORMER,
    Bundle,
    BundleThreshold,
    CropPolicy,
    describe,
    model_folder,
    read_bundle,
    sha256_of,
)
from padkit.deploy.card import model_card
from padkit.deploy.forms import FORMS, from_metadata, to_metadata
from padkit.deploy.stored import load_bundle, save_bundle
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
        thresholds=(
            BundleThreshold(
                policy="source-dev",
                value=0.37,
                chosen_on="held-out source",
                bona_fide=40,
                attack=80,
                rates={"apcer": 0.1, "bpcer": 0.05},
                intervals={"apcer": [0.04, 0.2], "bpcer": [0.01, 0.2]},
            ),
            BundleThreshold(policy="target-eer", value=0.5, test_set_choice=True),
        ),
        crop=CropPolicy(face="lbp", margin=0.2, known=True),
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
    assert found == replace(bundle(), sha256=sha256_of(folder / "model.safetensors"))
    assert (found.threshold, found.threshold_policy) == (0.37, "source-dev")
    assert loaded is not detector
    assert not any(module.training for module in loaded.modules())


def test_views_are_the_detectors_and_come_back_with_it(tmp_path, detector, catalog):
    five = Detector(detector.student, "five").eval()
    five.head.load_state_dict(detector.head.state_dict())
    saved = save_bundle(tmp_path, five, bundle())  # whose views are another's
    loaded, found = load_bundle(tmp_path, catalog)
    assert saved.views == found.views == loaded.views == "five"
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), five(images))
        assert not torch.allclose(loaded(images), detector(images), atol=1e-5)
    assert "Judged by the mean of the logits of five views" in (tmp_path / "README.md").read_text()
    assert from_metadata(to_metadata(found, FORMS["onnx"]), "x.onnx").views == "five"


def test_an_earlier_bundle_that_says_nothing_of_views_has_one(folder, catalog):
    changed(folder, views=...)
    loaded, found = load_bundle(folder, catalog)
    assert found.views == loaded.views == "one"
    assert "views" not in (folder / "README.md").read_text()


def test_the_folder_holds_three_plain_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bundle.json", "model.safetensors"]
    content = json.loads((folder / "bundle.json").read_text())
    assert content["format"] == FORMAT
    assert content["thresholds"][0]["value"] == 0.37
    assert content["crop"] == {"face": "lbp", "margin": 0.2, "align": False, "drop": 0.0, "known": True}
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


def test_saving_again_replaces_all_files(folder, detector, catalog):
    other = Detector(TimmStudent(model="test_resnet")).eval()
    save_bundle(folder, other, bundle())
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bundle.json", "model.safetensors"]
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
    "no threshold": (lambda f: changed(f, thresholds=...), WeightsError, "lacks threshold"),
    "empty thresholds": (lambda f: changed(f, thresholds=[]), WeightsError, "no numbers"),
    "threshold beyond 1": (lambda f: changed(f, thresholds=[{"policy": "a", "value": 2}]), WeightsError, "no numbers"),
    "crop no mapping": (lambda f: changed(f, crop=3), WeightsError, "does not fit"),
    "unknown views": (
        lambda f: changed(f, views="seven"),
        WeightsError,
        "has views 'seven'; this padkit knows 'one' and",
    ),
    "views no word": (lambda f: changed(f, views=["five"]), WeightsError, "has views"),
    "other weights": (lambda f: changed(f, sha256="0" * 64), WeightsError, "not the file that bundle.json was written"),
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


def test_a_bundle_of_format_1_loads_with_what_it_knows(folder, detector, catalog):
    content = json.loads((folder / "bundle.json").read_text())
    former = {name: content[name] for name in ("student", "settings", "image_size", "simulated", "provenance")}
    former |= {"format": FORMER, "threshold": 0.37, "threshold_policy": "source-dev"}
    (folder / "bundle.json").write_text(json.dumps(former))
    loaded, found = load_bundle(folder, catalog)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), detector(images))
    assert (found.threshold, found.threshold_policy, found.sha256) == (0.37, "source-dev", "")
    assert not found.crop.known, "format 1 does not say how faces were cropped"


def test_former_bundles_without_a_threshold_are_refused(folder):
    former = {
        "format": FORMER,
        "student": "timm",
        "settings": {},
        "image_size": 32,
        "simulated": True,
        "provenance": {},
    }
    (folder / "bundle.json").write_text(json.dumps(former))
    with pytest.raises(WeightsError, match="lacks thresholds"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("policy", "value"), [("", 0.37), ("source-dev", 0.37), ("target-eer", 0.5), ("fixed:0.25", 0.25)]
)
def test_a_policy_chooses_the_threshold(policy, value):
    assert bundle().choose(policy).value == value


@pytest.mark.parametrize("policy", ["dev-eer", "fixed:", "fixed:2", "fixed:nan", "fixed:x", "target-er"])
def test_an_unknown_policy_is_one_line(policy):
    with pytest.raises(SettingsError, match="threshold policy"):
        bundle().choose(policy)


def test_a_run_folder_stands_for_its_model(folder):
    assert model_folder(folder.parent) == model_folder(folder) == folder
    (folder.parent / "other" / "checkpoints").mkdir(parents=True)
    with pytest.raises(WeightsError, match="has not finished"):
        model_folder(folder.parent / "other")
    with pytest.raises(WeightsError, match=r"no bundle\.json there"):
        model_folder(folder.parent / "nothing")


def test_real_faces_with_simulated_attacks_are_told_apart_from_simulated_faces(folder):
    found = replace(bundle(), simulated=True, real_faces=True)
    assert "real live photographs and simulated attacks" in found.caution
    assert found.excluded[0].startswith("real attacks, before")
    assert "**Trained on real faces and simulated attacks.**" in model_card(found)
    drawn = replace(bundle(), simulated=True)
    assert "simulated faces" in drawn.caution
    assert drawn.excluded[0].startswith("real faces")
    real = replace(bundle(), simulated=False)
    assert real.caution == ""
    assert real.excluded == real.not_for


def test_the_card_says_what_it_rests_on_and_what_it_is_not_for(folder):
    text = (folder / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: padkit\n")
    assert "**Trained on simulated faces.**" in text
    assert "10.0 [4.0, 20.0]" in text
    assert "a choice on the test set" in text
    assert sha256_of(folder / "model.safetensors") in text


def test_weights_in_float16_take_half_and_score_alike(tmp_path, detector, catalog):
    for name, half in (("whole", False), ("half", True)):
        save_bundle(tmp_path / name, detector, bundle(), half=half)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded, _ = load_bundle(tmp_path / "half", catalog)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    images = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(loaded(images), detector(images), atol=5e-3)
        assert not torch.equal(loaded(images), detector(images))


def test_a_notice_stands_in_place_of_the_caution_and_travels_with_exported_files(folder):
    found = replace(bundle(), notice="AUC 81.2 % on real faces.")
    assert found.caution == "AUC 81.2 % on real faces."
    assert found.excluded[0].startswith("real attacks, before")
    describe(folder, found)
    assert read_bundle(folder).notice == found.notice
    assert from_metadata(to_metadata(found, FORMS["onnx"]), "x.onnx").notice == found.notice
