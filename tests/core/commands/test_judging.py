"""The options of judging are the same in every command that judges, and become the arguments of `padkit.load`."""

from __future__ import annotations

import importlib

import pytest
from PIL import Image

from padkit.commands.judging import judging_settings, tell_doubts, tell_program
from padkit.deploy import predictor
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, describe
from padkit.errors import PadkitError, SettingsError, WeightsError

LINES = {
    "predict": ["MODEL", "photograph.jpg"],
    "serve": ["MODEL"],
    "selftest": ["MODEL", "--captures", "DIR"],
}
WORDS = [
    "--policy",
    "fixed:0.3",
    "--face-model",
    "det.onnx",
    "--faces",
    "largest",
    "--backend",
    "onnx",
    "--threads",
    "2",
]


def bundle(**changes):
    usual = BundleThreshold(policy="source-dev", value=0.5)
    tuned = BundleThreshold(policy="target-eer", value=0.4, test_set_choice=True)
    facts = {"student": "timm", "settings": {}, "image_size": 16, "thresholds": (usual, tuned), "simulated": False}
    return Bundle(**(facts | changes))


@pytest.mark.parametrize("command", LINES)
def test_options_become_the_same_arguments_in_every_command(command):
    parse = importlib.import_module(f"padkit.commands.{command}").parse
    asked = {"backend": "onnx", "threads": 2, "policy": "fixed:0.3", "faces": "largest", "face_model": "det.onnx"}
    assert judging_settings(parse([*LINES[command], *WORDS, "--face", "scrfd"])) == asked | {"face": "scrfd"}
    assert judging_settings(parse([*LINES[command], *WORDS, "--cropped"])) == asked | {"face": "none"}
    assert "face" not in judging_settings(parse(LINES[command])), "the model's own finder"
    with pytest.raises(SettingsError, match="--cropped finds no faces"):
        parse([*LINES[command], "--cropped", "--face", "lbp"])
    with pytest.raises(SettingsError, match="invalid choice: 'tf'"):
        parse([*LINES[command], "--backend", "tf"])


def test_weights_of_the_finder_are_looked_up_also_if_the_model_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "scorer", lambda *_, **__: None)
    describe(tmp_path, bundle(crop=CropPolicy(face="scrfd", known=True)))
    (tmp_path / "det.onnx").write_bytes(b"x")
    assert predictor.load(tmp_path, face_model=str(tmp_path / "det.onnx")).face_model == str(tmp_path / "det.onnx")
    assert predictor.load(tmp_path, face="lbp", face_model="buffalo_l").face_model == ""
    with pytest.raises(WeightsError, match=r"gone.onnx does not exist; check --face-model"):
        predictor.load(tmp_path, face_model="gone.onnx")
    monkeypatch.setattr("padkit.data.preparation.scrfd.ZOO", tmp_path / "zoo")
    crops_alone = predictor.load(tmp_path)
    with pytest.raises(WeightsError, match="'buffalo_l' is not in"):
        crops_alone.find(Image.new("RGB", (8, 8)))


def test_doubts_are_told_where_there_are_some(capsys):
    tell_doubts(bundle(crop=CropPolicy(face="lbp", known=True)))
    assert capsys.readouterr().err == ""
    tell_doubts(bundle(simulated=True), policy="target-eer")
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == ["note"] * 3
    tell_doubts(bundle(), cropped=True)
    assert capsys.readouterr().err == "", "crops are not cut"
    with pytest.raises(PadkitError, match="'best'"):
        tell_doubts(bundle(), policy="best")


def test_a_file_that_runs_code_is_told(capsys):
    for model in ("model.onnx", "runs/one", "model.xml"):
        tell_program(model)
    assert capsys.readouterr().err == ""
    tell_program("model.pt2")
    assert capsys.readouterr().err.startswith("note: model.pt2 is a program: ")
