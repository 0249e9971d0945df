"""`padkit evaluate MODEL --data`: a toy model, whose score is a crop's brightness, on crops of known brightness."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from padkit.commands.evaluate import main
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, describe, read_bundle
from padkit.deploy.predictor import load
from padkit.errors import PadkitError
from padkit.evaluation.scores import read_scores

SIZE = 48
GREYS = {"live": (200, 140, 120), "spoof/print": (60, 110, 150), "spoof/replay": (40, 50, 70)}


def brightness(crops: np.ndarray) -> np.ndarray:
    return (crops.mean(axis=(1, 2, 3)) / 255).astype(np.float32)


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("padkit.deploy.predictor.scorer", lambda *_, **__: brightness)


@pytest.fixture
def model(tmp_path):
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=False, crop=CropPolicy(known=True),
        thresholds=(BundleThreshold(policy="source-dev", value=0.5, chosen_on="held-out source presentations"),
                    BundleThreshold(policy="target-eer", value=0.3, chosen_on="the test set", test_set_choice=True)),
        provenance={"protocol": {"sources": ["phone"]}}, sha256="ab" * 32,
    )  # fmt: skip
    folder = tmp_path / "model"
    describe(folder, bundle)
    return folder


@pytest.fixture
def data(tmp_path):
    """Even crops, but for a bona fide one that is bright in its left 4 columns and falls below 0.5 without them."""
    for domain, split in (("camera", "test"), ("phone", "dev")):
        for kind, greys in GREYS.items():
            folder = tmp_path / "data" / domain / split / kind
            folder.mkdir(parents=True)
            for number, grey in enumerate(greys):
                pixels = np.full((SIZE, SIZE, 3), grey, np.uint8)
                if grey == 120:
                    pixels[:, :4] = 255
                Image.fromarray(pixels).save(folder / f"s{number}.png")
    return tmp_path / "data"


def evaluate(model, data, *words):
    given = [str(model), "--data", "folder", "--data.root", str(data), "--cropped", "true", "--bootstrap", "0"]
    return main([*given, *words])


def flat(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_it_is_assessed_at_its_own_threshold(model, data, tmp_path, capsys):
    files = {name: str(tmp_path / f"out.{name}") for name in ("json", "markdown")}
    words = [word for name, file in files.items() for word in (f"--{name}", file)]
    assert evaluate(model, data, "--domains", "camera", "--scores", str(tmp_path / "s.parquet"), *words) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    (run,) = content["methods"][0]["runs"]
    first, second = run["results"]
    assert (first["policy"], first["threshold"], second["policy"]) == ("source-dev of the model", 0.5, "target-eer")
    assert first["apcer_by_species"] == {"print": pytest.approx(1 / 3), "replay": 0}
    assert first["values"]["bpcer"] == 0
    scores = read_scores(tmp_path / "s.parquet")
    assert sorted((255 * scores.score[scores.label == 1]).round().tolist()) == [131, 140, 200]
    printed = flat(capsys.readouterr().out)
    text = (tmp_path / "out.markdown").read_text()
    for told in (
        "Assessed on", "(camera)", "Non-response rate: 0.00 %, 0 of 9 presentations",
        "Threshold source-dev of the model: chosen on held-out source presentations.", "Errors over face size, in %",
    ):  # fmt: skip
        assert told in printed, told
        assert told in text, told
    assert "Made by: `padkit evaluate" in text


def test_it_tells_whether_verdicts_hold(model, data, tmp_path):
    evaluate(model, data, "--domains", "camera", "--json", str(tmp_path / "out.json"))
    held = json.loads((tmp_path / "out.json").read_text())["stability"]
    assert (held["faces"], held["boxes_changed_in"], held["policy"]) == (9, "stored crops", "source-dev")
    flipped = {name: share for name, share in held["by_change"].items() if share}
    # One face: the smaller box cuts most of its bright columns off, and shifted to the left shows them again.
    cut, shown = "box 10 % smaller", "shift 5 % left of a box 10 % smaller"
    assert flipped == {cut: pytest.approx(1 / 9), shown: pytest.approx(1 / 9)}
    whole = held["by_face_side"][-1]
    assert (whole["side"], whole["apcer_pooled"], whole["bpcer"]) == (None, pytest.approx(1 / 6), 0)
    evaluate(model, data, "--stability", "0", "--json", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["stability"] is None


def test_it_tells_what_the_auc_leans_on(model, data, tmp_path, capsys):
    """Crops of one grey are all the same once their brightness is taken away."""
    evaluate(model, data, "--stability", "0", "--json", str(tmp_path / "out.json"))
    leaning = json.loads((tmp_path / "out.json").read_text())["shortcuts"]
    colour = leaning["changes"][0]
    assert colour["auc"]["first"] == pytest.approx(8 / 9)
    assert colour["auc"]["second"] < 0.6
    assert colour["large"]
    assert [row["name"] for row in leaning["cameras"]["domain"]] == ["camera", "phone"]
    printed = flat(capsys.readouterr().out)
    assert "the model judges by colour, brightness or contrast, a shortcut" in printed
    assert "Another preparation was not measured: all pictures, or boxes of faces, are square" in printed
    evaluate(model, data, "--stability", "0", "--shortcuts", "false", "--json", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["shortcuts"] is None
    assert "Shortcuts" not in capsys.readouterr().out


def test_pictures_without_a_face_are_in_no_rate(model, data, tmp_path):
    rows = ["path,label,session"]
    for number, (label, grey) in enumerate((("live", 200), ("spoof", 50), ("live", 10), ("spoof", 250))):
        Image.new("RGB", (SIZE, SIZE), (grey,) * 3).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{label},{'content' if number > 1 else ''}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    words = ["--data", "manifest", "--data.file", str(tmp_path / "list.csv"), "--cropped", "true", "--bootstrap", "0"]
    main([str(model), *words, "--stability", "0", "--scores", str(tmp_path / "s.parquet")])
    assert sorted(read_scores(tmp_path / "s.parquet").presentation) == ["0.png", "1.png"]


def test_its_scores_of_crops_are_those_of_predict(model, tmp_path, monkeypatch):
    """Of crops that are as large as the model takes them no pixel is resampled, whatever the reader's usual size is."""

    def texture(crops: np.ndarray) -> np.ndarray:
        return (np.abs(np.diff(crops.astype(np.float32), axis=2)).mean(axis=(1, 2, 3)) / 255).astype(np.float32)

    monkeypatch.setattr("padkit.deploy.predictor.scorer", lambda *_, **__: texture)
    generator, root = np.random.default_rng(0), tmp_path / "fine"
    for kind in ("live", "spoof"):
        (root / kind).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / kind / f"{number}.png")
    evaluate(model, root, "--stability", "0", "--scores", str(tmp_path / "s.parquet"))
    found, predictor = read_scores(tmp_path / "s.parquet"), load(model, face="none", limits=None)
    for name, score in zip(found.presentation, found.score, strict=True):
        assert predictor.judge(Image.open(root / name))[0].score == pytest.approx(score, abs=1e-6)


def test_that_a_model_is_a_program_is_told_before_it_is_opened(tmp_path, capsys):
    with pytest.raises(PadkitError, match="does not exist"):
        main([str(tmp_path / "model.pt2"), "--data", "folder", "--data.root", str(tmp_path)])
    assert "is a program" in capsys.readouterr().err


def test_another_policy_and_what_is_doubtful(model, data, capsys):
    evaluate(model, data, "--policy", "target-eer", "--stability", "0")
    printed = flat(capsys.readouterr().out)
    assert "target-eer of the model: chosen on the test set" in printed
    assert "The model was trained on the domains phone" in printed
    evaluate(model, data, "--policy", "fixed:0.45", "--stability", "0", "--domains", "camera")
    assert "fixed:0.45" in flat(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--policy", "sorce-dev"], "Did you mean 'source-dev'"),
        (["--domains", "camra"], "Did you mean 'camera'"),
        (["--stability", "-1"], "stability"),
        (["--stabilty", "1"], "Did you mean"),
    ],
)
def test_mistakes_are_one_line(model, data, words, match):
    with pytest.raises(PadkitError, match=match) as caught:
        evaluate(model, data, *words)
    assert "\n" not in str(caught.value)


def test_the_model_comes_first(data):
    with pytest.raises(PadkitError, match="the model comes first"):
        main(["--data", "folder", "--data.root", str(data)])


def test_the_views_that_a_crop_is_judged_by_are_told(model, data, capsys):
    quick = ("--domains", "camera", "--shortcuts", "false", "--stability", "0")
    for views in ("one", "five"):
        describe(model, replace(read_bundle(model), views=views))
        assert evaluate(model, data, *quick) == 0
        told = "Judged by the mean of the logits of five views" in flat(capsys.readouterr().out)
        assert told == (views == "five")
