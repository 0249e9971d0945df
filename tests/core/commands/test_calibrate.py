"""`padkit calibrate`, whole, with a toy model whose score is the brightness of a crop."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from padkit.commands.calibrate import main
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, describe, read_bundle
from padkit.deploy.card import model_card
from padkit.deploy.predictor import Predictor, load
from padkit.errors import PadkitError
from padkit.evaluation.scores import read_scores

SIZE = 16
MEANS = {"live": 150, "spoof/print": 100, "spoof/replay": 80}


def brightness(crops: np.ndarray) -> np.ndarray:
    """A toy score; by the way the data are drawn, its log-odds are about twice what they should be."""
    return (1 / (1 + np.exp(-(crops.mean(axis=(1, 2, 3)) - 125) / 2.2))).astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def toy(monkeypatch, cache):
    monkeypatch.setenv("PADKIT_CACHE", str(cache))
    monkeypatch.setattr("padkit.deploy.predictor.scorer", lambda *_, **__: brightness)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "run" / "model"
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=False, views="five",
        crop=CropPolicy(face="lbp", known=True),
        thresholds=(BundleThreshold(policy="source-dev", value=0.5, chosen_on="held-out"),
                    BundleThreshold(policy="eer", value=0.9)),
        provenance={"protocol": {"sources": ["phone"]}}, sha256="ab" * 32,
    )  # fmt: skip
    describe(folder, bundle)
    (folder / "README.md").write_text(model_card(bundle) + "\n## Latency\n\nmine\n")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "model.onnx").write_bytes(b"graph")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """30 crops of each kind; those of live faces are brighter."""
    root, generator = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for domain, split in (("camera", "dev"), ("phone", "test")):
        for kind, mean in MEANS.items():
            folder = root / domain / split / kind
            folder.mkdir(parents=True)
            for number in range(30):
                grey = int(np.clip(generator.normal(mean, 15), 0, 255))
                Image.new("RGB", (SIZE, SIZE), (grey, grey, grey)).save(folder / f"s{number}.png")
    return root


def calibrate(model, data, out, *words):
    return main(
        [str(model), "--data", "folder", "--data.root", str(data), "--cropped", "true", "--out", str(out), *words]
    )


@pytest.fixture
def done(model, data, tmp_path, capsys):
    out = tmp_path / "new"
    words = ("--target", "apcer:0.1", "--domains", "camera", "--scores", str(tmp_path / "scores.parquet"))
    assert calibrate(model, data, out, "--stability", "20", *words) == 0
    return out, capsys.readouterr()


def test_the_new_bundle_judges_as_the_calibration_said(done, model, data, tmp_path):
    out, _ = done
    old, new = read_bundle(model), read_bundle(out)
    scores = read_scores(tmp_path / "scores.parquet")
    assert new.views == "five"
    assert "five views" in (out / "calibration.md").read_text()
    first = new.thresholds[0]
    assert (first.policy, first.bona_fide, first.attack) == ("apcer:0.1", 30, 60)
    assert new.threshold == first.value
    accepted = scores.score >= first.value
    assert first.rates["bpcer"] == np.mean(~accepted[scores.label == 1])
    assert first.rates["apcer"] == max(np.mean(accepted[scores.attack_type == kind]) for kind in ("print", "replay"))
    # 30 attacks of a species prove 10 % only if none of them passes.
    assert first.rates["apcer"] == 0

    predictor = load(out, face="none", limits=None)
    for name, score in zip(scores.presentation, scores.score, strict=True):
        (one,) = predictor.judge(Image.open(data / name))
        assert one.score == pytest.approx(score, abs=1e-6)
        assert (one.verdict == "bona fide") == (score >= first.value)
    assert 1.3 < new.temperature < 4
    before = Predictor(bundle=old, score=brightness, face="none", limits=None)
    for policy in ("source-dev", "eer"):
        for grey in range(0, 256, 3):
            picture = Image.new("RGB", (SIZE, SIZE), (grey, grey, grey))
            pair = [
                Predictor(bundle=bundle, score=brightness, face="none", limits=None, policy=policy).judge(picture)[0]
                for bundle in (before.bundle, new)
            ]
            assert pair[0].verdict == pair[1].verdict, "old thresholds are moved along with the scores"


def test_everything_else_of_the_old_bundle_stays(done, model):
    out, printed = done
    assert (out / "model.safetensors").read_bytes() == b"weights"
    assert (out / "model.onnx").read_bytes() == b"graph"
    assert "model.onnx: copied as they were" in printed.err
    old, new = read_bundle(model), read_bundle(out)
    assert (new.crop, new.sha256, new.simulated, new.student) == (old.crop, old.sha256, False, "timm")
    assert [one.policy for one in new.thresholds] == ["apcer:0.1", "source-dev", "eer"]
    assert len(old.thresholds) == 2
    card = (out / "README.md").read_text()
    assert "| apcer:0.1 |" in card
    assert card.count("## Thresholds") == 1
    assert "Stability: 0.0 % of verdicts flip" in card
    assert "of 20 faces at least once (boxes changed in stored crops)" in card
    assert card.endswith("## Latency\n\nmine\n")
    (record,) = new.provenance["calibrations"]
    assert record["parent_sha256"] == old.sha256
    assert record["presentations"] == {"bona_fide": 30, "attack": 60, "species": {"print": 30, "replay": 30}}
    assert record["stability"]["flipped_verdicts"] == 0, "a crop of one colour looks the same from everywhere"
    assert json.loads((out / "bundle.json").read_text())["format"] == "padkit-bundle/2"


def test_the_report_says_what_was_measured(done):
    out, printed = done
    report = (out / "calibration.md").read_text()
    for text in (
        "# Calibration: apcer:0.1", "| print | 0 | 30 | 0.00 | \\[0.00, 11.57\\]".replace("\\", ""), "9.50",
        "Non-response rate: 0.00 %", "Proved at 95 % confidence", "the box changes in stored crops",
        "Errors over face size", "Temperature", "Made by: `padkit calibrate",
    ):  # fmt: skip
        assert text in report.replace("\\", ""), text
    assert "Operating point" in printed.out


def test_a_calibrated_bundle_can_be_calibrated_again(done, data, tmp_path):
    out, _ = done
    assert calibrate(out, data, tmp_path / "again", "--target", "eer", "--domains", "camera", "--stability", "0") == 0
    first, again = read_bundle(out), read_bundle(tmp_path / "again")
    assert [one.policy for one in again.thresholds] == ["eer", "apcer:0.1", "source-dev"]
    assert again.temperature == pytest.approx(first.temperature, rel=1e-2), "what is calibrated stays"
    assert len(again.provenance["calibrations"]) == 2


def test_data_that_the_model_was_trained_on_are_told(model, data, tmp_path, capsys):
    calibrate(model, data, tmp_path / "new", "--split", "test", "--target", "eer", "--stability", "0")
    told = " ".join(capsys.readouterr().out.split())
    assert "The model was trained on the domains phone" in told
    assert "folder (phone), split test" in told


def test_photographs_are_cut_as_the_model_was_trained_on(model, tmp_path, capsys, monkeypatch):
    """Faces of 60 pixels in photographs whose surroundings are white; a photograph without a face is non-response."""

    def find(picture, hint):
        return [] if picture.width == 50 else [FaceHint(box=(50, 40, 60, 60))]

    for module in ("padkit.data.preparation.cropping", "padkit.deploy.predictor"):
        monkeypatch.setattr(f"{module}.finder", lambda name, model: find)
    root = tmp_path / "photographs"
    for kind, grey in (("live", 150), ("spoof/print", 100)):
        (root / kind).mkdir(parents=True)
        for number in range(4):
            frame = np.full((160, 160, 3), 255, np.uint8)
            frame[31:109, 41:119] = grey + number  # the box and its margin of 0.15
            Image.fromarray(frame).save(root / kind / f"{number}.png")
    Image.new("RGB", (50, 50)).save(root / "live" / "nobody.png")
    out = tmp_path / "new"
    words = [str(model), "--data", "folder", "--data.root", str(root), "--out", str(out), "--target", "eer"]
    assert main([*words, "--temperature", "false", "--scores", str(tmp_path / "scores.parquet")]) == 0
    scores = read_scores(tmp_path / "scores.parquet")
    assert scores.score[scores.label == 1].min() > 0.999
    assert scores.score[scores.label == 0].max() < 0.001, "next to nothing of the white around the box is in the crop"
    report = (out / "calibration.md").read_text()
    assert "1 of 9 presentations of the data gave no face" in report
    assert "the box changes in photographs" in report
    (record,) = read_bundle(out).provenance["calibrations"]
    stability = record["stability"]
    assert stability["boxes_changed_in"] == "photographs"
    # White surroundings make every attack look live when the box is larger, and no other change does.
    assert stability["by_change"]["box 10 % smaller"] == 0
    assert stability["by_change"]["box 10 % larger"] == 0.5
    assert stability["flipped_verdicts"] == pytest.approx(0.5 / 6)
    assert [row["side"] for row in stability["by_face_side"]] == [None], "the crops of the toy have 16 pixels"
    assert capsys.readouterr().out


MISTAKES = {
    "too few": (
        ["--target", "apcer:0.05", "--domains", "camera"],
        "species 'print' has 30 presentations.*there are 59",
    ),
    "no such target": (["--target", "apcer"], "target 'apcer' is none"),
    "no such domain": (["--domains", "desk"], "no domain 'desk'"),
    "no such split": (["--split", "training"], "--split 'training' is none. Did you mean 'train'"),
    "nothing left": (["--split", "train"], "no frame is in the split"),
    "level": (["--level", "2"], "setting 'level': expected float"),
    "finder for crops": (["--face", "lbp"], "in which no face is found"),
    "threads": (["--threads", "0"], "setting 'threads': expected int"),
    "option": (["--treshold", "0.5"], "treshold"),
}


@pytest.mark.parametrize(("words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line_and_write_nothing(model, data, tmp_path, words, told):
    with pytest.raises(PadkitError, match=told) as error:
        calibrate(model, data, tmp_path / "new", *words)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_a_missing_class_is_one_line(model, data, tmp_path):
    shutil.copytree(data / "camera" / "dev" / "live", tmp_path / "only" / "live")
    with pytest.raises(PadkitError, match="no attack presentation among 30"):
        calibrate(model, tmp_path / "only", tmp_path / "new", "--target", "eer")


@pytest.mark.parametrize("where", ["run/model", "run"])
def test_a_folder_with_something_in_it_is_left_alone(model, data, tmp_path, where):
    before = (model / "bundle.json").read_bytes()
    with pytest.raises(PadkitError, match="not empty"):
        calibrate(model, data, tmp_path / where, "--target", "eer")
    assert (model / "bundle.json").read_bytes() == before


@pytest.mark.parametrize("words", [[], ["--data", "folder"], ["MODEL"], ["MODEL", "--data", "folder"]])
def test_model_data_and_out_are_needed(words):
    with pytest.raises(PadkitError):
        main(words)
