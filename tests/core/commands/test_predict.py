"""`padkit predict`: tables, JSON lines, CSV, exit statuses, and ONNX without torch."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from padkit.commands.predict import main
from padkit.deploy import ONNX
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, describe
from padkit.errors import PadkitError, SettingsError

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
