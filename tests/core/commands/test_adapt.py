"""`padkit adapt`, whole: a small untrained student learns that bright faces are live."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from padkit.catalog import Catalog
from padkit.commands.adapt import main
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, read_bundle
from padkit.deploy.predictor import load
from padkit.deploy.stored import load_bundle, save_bundle
from padkit.errors import PadkitError
from padkit.networks.detector import Detector

SIZE = 32
LAYOUT = "{label}/{attack_type}/{subject}/*"
FAST = ("--augmentation", "none", "--batch_size", "8", "--lr", "0.003", "--epochs", "4", "--threads", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path_factory.getbasetemp() / "adapt-cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained student of a bundle with a calibration and two thresholds, which say nothing of new weights."""
    folder = tmp_path_factory.mktemp("run") / "model"
    settings = {"model": "test_resnet", "pretrained": False}
    torch.manual_seed(0)
    detector = Detector(Catalog().build("student", "timm", settings), "five")
    thresholds = (BundleThreshold(policy="source-dev", value=0.5), BundleThreshold(policy="eer", value=0.6))
    bundle = Bundle(
        student="timm", settings=settings, image_size=SIZE, thresholds=thresholds, simulated=False,
        notice="AUC 81.2 %.",
        crop=CropPolicy(face="lbp", known=True), temperature=2.0, provenance={"calibrations": [{"policy": "eer"}]},
    )  # fmt: skip
    save_bundle(folder, detector, bundle)
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(card.replace("library_name: padkit", "library_name: padkit\nlicense: cc0-1.0"))
    return folder


def captures(root, live, attack, people=6):
    """Two crops of each of some people and kinds, of 40 pixels; `live` and `attack` are their brightness."""
    generator = np.random.default_rng(sum(root.name.encode()))
    for kind, mean in (("live/-", live), ("spoof/print", attack), ("spoof/phone", attack)):
        for person in range(people):
            folder = root / kind / f"p{person}"
            folder.mkdir(parents=True)
            for number in range(2):
                pixels = generator.normal(mean, 12, (40, 40, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return captures(tmp_path_factory.mktemp("own") / "own", 190, 70)


@pytest.fixture(scope="module")
def opposite(tmp_path_factory):
    return captures(tmp_path_factory.mktemp("old") / "opposite", 70, 190)


def adapt(model, own, out, *words):
    data = ("--data", "folder", "--data.root", str(own), "--data.layout", LAYOUT, "--cropped", "true")
    return main([str(model), *data, "--out", str(out), *FAST, *words])


def old(root, name="old"):
    place = f"--regression.{name}"
    return (place, "folder", f"{place}.root", str(root), f"{place}.layout", LAYOUT)


@pytest.fixture(scope="module")
def like(tmp_path_factory):
    return captures(tmp_path_factory.mktemp("old") / "like", 180, 80)


def test_the_adapted_model_judges_own_captures_as_the_table_says(model, own, like, tmp_path, capsys):
    out = tmp_path / "new"
    assert adapt(model, own, out, *old(like)) == 0
    before, bundle = read_bundle(model), read_bundle(out)
    (threshold,) = bundle.thresholds
    assert (threshold.policy, bundle.temperature, bundle.views) == ("adapted-eer", 1.0, "five")
    assert bundle.sha256 != before.sha256
    (record,) = bundle.provenance["adaptations"]
    assert record["parent_sha256"] == before.sha256
    assert "calibrations" not in bundle.provenance, "what was measured on other weights"
    assert (before.notice, bundle.notice) == ("AUC 81.2 %.", "")
    first, second = record["checks"]
    assert (first["own"], second["own"]) == (True, False)
    assert first["after"]["auc"] == 1.0
    assert first["before"]["threshold"] == 0.5
    assert first["after"]["errors"]["bona fide"]["trials"] == 4, "two of six people, two presentations each"

    predictor = load(out, face="none", limits=None)
    for kind, verdict in (("live", "bona fide"), ("spoof", "attack")):
        judged = [predictor.judge(Image.open(path))[0] for path in (own / kind).rglob("*.png")]
        assert {str(one.verdict) for one in judged} == {verdict}
    report, card = (out / "adaptation.md").read_text(), (out / "README.md").read_text()
    for text in ("| own data | before |", "| old: ", "Made by: `padkit adapt", "Errors by PAI species"):
        assert text in report, text
    assert "license: cc0-1.0" in card
    assert "## Adaptation" in card
    assert "| adapted-eer |" in card
    assert "Before and after" in capsys.readouterr().out


def test_statistics_of_batch_normalisation_stay_and_weights_move_the_same_way_each_time(model, own, tmp_path):
    for name in ("one", "two"):
        adapt(model, own, tmp_path / name, "--accept_regression", "true", "--epochs", "2", "--seed", "3")
    before, first, second = (
        load_bundle(one, Catalog())[0].state_dict() for one in (model, tmp_path / "one", tmp_path / "two")
    )
    running = [name for name in before if "running" in name]
    assert running
    assert all(torch.equal(before[name], first[name]) for name in running)
    assert not torch.equal(before["head.weight"], first["head.weight"])
    assert all(torch.equal(first[name], second[name]) for name in before)


def test_what_got_worse_elsewhere_is_not_shipped_unless_told(model, own, opposite, tmp_path):
    """Nothing of the old domain is learned from: all of its presentations have the split `test`."""
    elsewhere = tmp_path / "elsewhere" / "test"
    elsewhere.parent.mkdir()
    (elsewhere).symlink_to(opposite, target_is_directory=True)
    words = ("--regression.old", "folder", "--regression.old.root", str(elsewhere.parent))
    words += ("--regression.old.layout", "{split}/" + LAYOUT)
    out = tmp_path / "new"
    adapted = tmp_path / "good at the old domain"
    assert adapt(model, opposite, adapted, "--accept_regression", "true", "--epochs", "2") == 0
    with pytest.raises(PadkitError, match=r"not written, because .* worse .* on old.*: HTER .* -> .*AUC") as error:
        adapt(adapted, own, out, *words)
    assert "\n" not in str(error.value)
    assert not out.exists()
    assert adapt(adapted, own, out, *words, "--accept_regression", "true") == 0
    *_, record = read_bundle(out).provenance["adaptations"]
    assert len(read_bundle(out).provenance["adaptations"]) == 2
    assert record["accepted_regression"]
    assert "and accepted" in (out / "adaptation.md").read_text()


MISTAKES = {
    "no old data": ([], "there are no old data.*--accept_regression true"),
    "odd batch": (["OLD", "--batch_size", "15"], "batch_size 15: must be even"),
    "policy": (["OLD", "--policy", "best"], "threshold policy 'best'"),
    "no such domain": (["OLD", "--domains", "desk"], "no domain 'desk'"),
    "held out": (["OLD", "--held_out", "1"], "setting 'held_out': expected float"),
}


@pytest.mark.parametrize(("words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line_and_write_nothing(model, own, like, tmp_path, words, told):
    given = [one for word in words for one in (old(like) if word == "OLD" else (word,))]
    with pytest.raises(PadkitError, match=told) as error:
        adapt(model, own, tmp_path / "new", *given)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(model, own):
    before = (model / "bundle.json").read_bytes()
    with pytest.raises(PadkitError, match=r"not empty.*adapted model"):
        adapt(model, own, model)
    assert (model / "bundle.json").read_bytes() == before


@pytest.mark.parametrize("words", [[], ["--data", "folder"], ["MODEL", "--data", "none"]])
def test_model_and_data_are_needed(words):
    with pytest.raises(PadkitError):
        main(words)
