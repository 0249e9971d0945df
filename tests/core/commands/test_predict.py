"""`padkit predict`: tables, JSON lines, CSV, exit statuses, and ONNX without torch."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from libraries import link
from PIL import Image

from padkit.commands.predict import main, names_input
from padkit.deploy import ONNX
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, describe, read_bundle
from padkit.errors import PadkitError, SettingsError, WeightsError
from padkit.plugins import Component, Discovery, Plugin
from padkit.specs import ModelSpec

ROOT = Path(__file__).parents[3]
SIZE = 16
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from padkit.commands.predict import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A bundle whose ONNX file answers the mean brightness of a crop."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("run") / "model"
    folder.mkdir()
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["score"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
        onnx.numpy_helper.from_array(np.array(255, np.float32), "white"),
    ]
    takes = helper.make_tensor_value_info("crops", kinds.UINT8, ["batch", SIZE, SIZE, 3])
    gives = helper.make_tensor_value_info("score", kinds.FLOAT, ["batch"])
    graph = helper.make_graph(nodes, "toy", [takes], [gives], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), folder / ONNX)
    thresholds = (BundleThreshold(policy="source-dev", value=0.5),)
    describe(
        folder,
        Bundle(student="timm", settings={}, image_size=SIZE, thresholds=thresholds, simulated=True, crop=CropPolicy()),
    )
    return str(folder.parent)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, value in (("bright", 200), ("dim", 80)):
        Image.new("RGB", (SIZE, SIZE), (value, value, value)).save(folder / f"{name}.png")
    (folder / "damaged.png").write_bytes(b"x")
    return folder


def run(capsys, *words):
    status = main([*words, "--backend", "onnx"])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_json_lines_give_each_result_whole(model, pictures, capsys):
    status, out, err = run(capsys, model, str(pictures), "--cropped", "--judge-all", "--json")
    found = {line["source"].rpartition("/")[2]: line for line in map(json.loads, out.splitlines())}
    assert status == 0
    assert found["bright.png"]["verdict"] == "bona fide"
    assert found["bright.png"]["score"] == pytest.approx(200 / 255)
    assert found["dim.png"]["verdict"] == "attack"
    assert (found["damaged.png"]["verdict"], found["damaged.png"]["reason"]) == ("not judged", "unreadable")
    assert "1 bona fide, 1 attack, 1 not judged, non-response rate 33.3 %" in err
    assert "trained on simulated faces" in err


def test_csv_and_table_say_the_same(model, pictures, capsys):
    _, out, _ = run(capsys, model, str(pictures), "--cropped", "--judge-all", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    _, table, _ = run(capsys, model, str(pictures), "--cropped", "--judge-all")
    assert [row["verdict"] for row in rows] == [line[:10].strip() for line in table.splitlines()[1:]]
    assert [row["verdict"] for row in rows] == ["bona fide", "not judged", "attack"]


def test_paths_come_from_stdin(model, pictures, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{pictures / 'dim.png'}\n"))
    _, out, _ = run(capsys, model, "-", "--cropped", "--judge-all", "--json")
    assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["attack"]


def test_the_policy_of_the_command_line_decides(model, pictures, capsys):
    words = [model, str(pictures / "bright.png"), "--cropped", "--judge-all", "--json", "--policy", "fixed:0.9"]
    _, out, _ = run(capsys, *words)
    assert json.loads(out)["verdict"] == "attack"


def test_stability_is_told_for_each_face_and_over_all(model, pictures, capsys):
    words = (model, str(pictures), "--cropped", "--judge-all", "--stability")
    _, out, err = run(capsys, *words, "--json")
    found = {line["source"].rpartition("/")[2]: line["stability"] for line in map(json.loads, out.splitlines())}
    assert found["damaged.png"] is None
    assert found["bright.png"]["flipped"] == []
    assert len(found["bright.png"]["scores"]) == 6
    assert [*found["bright.png"]["scores"].values()] == pytest.approx([200 / 255] * 6)
    assert "within the stored crop" in err
    assert "0.0 % of verdicts flip, 0.0 % of 2 faces at least once" in err
    _, out, _ = run(capsys, *words)
    assert "bright.png; no flip in 6 changes of the box" in out
    _, out, _ = run(capsys, *words[:-1], "--json")
    assert {json.loads(line)["stability"] for line in out.splitlines()} == {None}


def test_flips_of_one_face_are_named(model, tmp_path, capsys):
    edge = np.zeros((SIZE * 10, SIZE * 10, 3), np.uint8)
    edge[:, : SIZE * 5 + 2] = 255
    Image.fromarray(edge).save(tmp_path / "edge.png")
    _, out, err = run(capsys, model, str(tmp_path / "edge.png"), "--cropped", "--judge-all", "--stability")
    assert "edge.png; flips: shift 5 % right of a box 10 % smaller" in out
    assert "16.7 % of verdicts flip, 100.0 % of 1 faces" in err


def test_nothing_judged_is_status_one(model, pictures, capsys):
    status, _, err = run(capsys, model, str(pictures / "damaged.png"), "--cropped")
    assert status == 1
    assert "0 attack" in err


def test_annotated_pictures_are_written(model, pictures, tmp_path, capsys):
    run(capsys, model, str(pictures), "--cropped", "--judge-all", "--annotate", str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bright.png.png", "dim.png.png"]


MISTAKES = {
    "nothing to judge": ([], "name pictures, videos or folders"),
    "webcam and files": (["a.png", "--webcam", "0"], "one of them"),
    "negative camera": (["--webcam", "-1"], "webcam"),
    "cropped and finder": (["a.png", "--cropped", "--face", "lbp"], "leave one of them out"),
    "unknown finder": (["a.png", "--face", "mtcnn"], "face finder 'mtcnn' is unknown"),
    "unknown rule": (["a.png", "--combine", "max"], "combine frames"),
    "unknown policy": (["a.png", "--policy", "eer"], "not in this bundle"),
    "no weights for torch": (["a.png", "--cropped", "--backend", "torch"], "model.safetensors does not exist"),
    "pattern": (["nowhere/*.png", "--cropped"], "matches no file"),
}


@pytest.mark.parametrize(("words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line(model, words, told):
    backend = [] if "--backend" in words else ["--backend", "onnx"]
    with pytest.raises(PadkitError, match=told) as error:
        main([model, *words, *backend])
    assert "\n" not in str(error.value)


def test_a_camera_that_is_not_there_is_one_line(model):
    pytest.importorskip("av")
    with pytest.raises((PadkitError, SettingsError), match="webcam 97"):
        main([model, "--webcam", "97", "--backend", "onnx", "--cropped"])


def test_onnx_needs_no_torch(model, pictures):
    words = [model, str(pictures / "bright.png"), "--cropped", "--judge-all", "--json"]
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "bona fide"), done.stderr


def test_a_photograph_is_judged_where_only_the_libraries_are_that_the_docs_name(model, tmp_path):
    """`pip install --no-deps WHEEL ...` of docs/predict.md: torch is not there, nor anything else."""
    data = pytest.importorskip("skimage.data")
    page = (ROOT / "docs" / "predict.md").read_text().splitlines()
    (line,) = [line for line in page if line.startswith("pip install --no-deps padkit")]
    site = link(line.split()[4:], tmp_path / "site")
    Image.fromarray(data.astronaut()).save(tmp_path / "astronaut.png")
    path = os.pathsep.join(map(str, [ROOT / "core", ROOT / "plugins", site]))
    code = "import importlib.util as u\nassert not u.find_spec('torch')\nassert not u.find_spec('yaml')\n"
    code += "from skimage.data import astronaut\nastronaut()\n"  # as the docs have it; needs imageio and tifffile
    command = [sys.executable, "-S", "-c", f"{code}{WITHOUT_TORCH}", model, str(tmp_path / "astronaut.png"), "--json"]
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] in ("bona fide", "attack")
    assert found["box"]


def brings(monkeypatch, folder, name="experimental"):
    """Let a plugin bring a model."""
    owner = Plugin("mine", "mine", "padkit-mine", "1")
    spec = ModelSpec(name=name, summary="a toy", factory=lambda: Path(folder))
    found = Discovery((owner,), (Component("model", spec, owner),))
    monkeypatch.setattr("padkit.catalog.discover", lambda: found)


def test_without_a_model_the_embedded_one_judges_and_says_so_in_one_line(model, pictures, capsys, monkeypatch):
    brings(monkeypatch, Path(model) / "model")
    picture, other = str(pictures / "bright.png"), str(pictures / "dim.png")
    status, out, err = run(capsys, picture, other, "--cropped", "--judge-all", "--json")
    assert status == 0
    assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["bona fide", "attack"]
    (told,) = [line for line in err.splitlines() if "experimental" in line]
    assert told.startswith("note: no MODEL named, so experimental judges: this model was trained on simulated faces")
    _, named, err = run(capsys, "experimental", picture, other, "--cropped", "--judge-all", "--json")
    assert named == out
    assert "no MODEL named" not in err


def test_a_models_notice_stands_in_place_of_the_caution(model, pictures, capsys, monkeypatch, tmp_path):
    shutil.copytree(Path(model) / "model", tmp_path / "told")
    describe(tmp_path / "told", replace(read_bundle(tmp_path / "told"), notice="AUC 81.2 % on real faces."))
    brings(monkeypatch, tmp_path / "told")
    _, _, err = run(capsys, str(pictures / "dim.png"), "--cropped", "--judge-all")
    assert err.splitlines()[0] == "note: no MODEL named, so experimental judges: AUC 81.2 % on real faces."


def test_which_first_words_are_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "unnamed", "PNG")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "a[1]").mkdir()
    for word in ("photo.jpg", "photo.PNG", "clip.mp4", "gone/photo.jpg", "*.jpg", "more/*", "-", "unnamed"):
        assert names_input(word), word
    for word in ("folder.png", "a[1]", "runs/NAME", "owner/name", "model.onnx", "model.xml", "model.pt2", "other", ""):
        assert not names_input(word), word


def test_a_folder_without_its_model_is_never_judged_by_another(model, pictures, monkeypatch):
    brings(monkeypatch, Path(model) / "model")
    with pytest.raises(WeightsError, match=r"no bundle\.json there"):
        main([str(pictures), str(pictures / "dim.png")])
    with pytest.raises(SettingsError, match=r"after MODEL.*; the embedded MODEL is called experimental"):
        main([str(pictures)])
    with pytest.raises(WeightsError, match=r"gone: no such folder; .* an installed model's name"):
        main(["gone", str(pictures / "dim.png")])


def test_a_model_behind_pictures_is_not_taken_for_pictures(model, pictures, monkeypatch, tmp_path):
    """Otherwise the embedded model would judge, and look for pictures in the run's folder."""
    brings(monkeypatch, Path(model) / "model")
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    for behind in (model, f"{model}/model", f"{model}/model/{ONNX}", str(tmp_path / "begun")):
        with pytest.raises(SettingsError, match=r"is a MODEL and stands behind pictures.*; name it first"):
            main([str(pictures / "dim.png"), behind])


def test_without_an_embedded_model_a_model_must_be_named(pictures, monkeypatch):
    brings(monkeypatch, pictures, name="other")
    with pytest.raises(SettingsError, match="no model `experimental` is installed, so name a MODEL"):
        main([str(pictures / "dim.png")])


def test_a_folder_goes_before_an_installed_model_of_its_name(model, pictures, capsys, monkeypatch, tmp_path):
    brings(monkeypatch, tmp_path / "nothing there")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(Path(model) / "model", tmp_path / "experimental")
    status, _, _ = run(capsys, "experimental", str(pictures / "dim.png"), "--cropped", "--judge-all")
    assert status == 0
