"""Which backend scores: what is asked for, or what is there and installed; files of other weights are refused."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import numpy as np
import pytest

from padkit.deploy import INT8, ONNX, OPENVINO, WEIGHTS, scorers
from padkit.deploy.bundle import Bundle, BundleThreshold
from padkit.deploy.runtimes import Exported
from padkit.deploy.scorers import applied_temperature, scorer, usual_backend
from padkit.errors import PluginError, SettingsError, WeightsError

ALL = ("torch", "openvino", "onnxruntime")


def bundle(**facts) -> Bundle:
    thresholds = (BundleThreshold(policy="source-dev", value=0.5),)
    return Bundle(**{"student": "timm", "settings": {}, "image_size": 16, "thresholds": thresholds, "simulated": True}
                  | facts)  # fmt: skip


@pytest.mark.parametrize(
    ("files", "installed", "backend"),
    [
        ((WEIGHTS, ONNX, OPENVINO), ALL, "openvino"),
        ((WEIGHTS, ONNX, OPENVINO), ("torch", "onnxruntime"), "torch"),
        ((WEIGHTS, ONNX), ("onnxruntime",), "onnx"),
        ((ONNX, OPENVINO), ("onnxruntime",), "onnx"),
        ((ONNX, OPENVINO), ALL, "openvino"),
        ((OPENVINO,), ("onnxruntime",), "openvino"),
        ((WEIGHTS,), ("onnxruntime",), "torch"),
        ((WEIGHTS, INT8), ("onnxruntime",), "onnx"),
        ((WEIGHTS, INT8), ("torch", "onnxruntime"), "torch"),
        ((), ALL, "onnx"),
    ],
)
def test_auto_takes_what_is_there(tmp_path, monkeypatch, files, installed, backend):
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(scorers, "find_spec", lambda name: name if name in installed else None)
    assert usual_backend(tmp_path) == backend


@pytest.mark.parametrize(
    ("recorded", "exported", "refused"), [("ab", "ab", False), ("ab", "cd", True), ("", "cd", False)]
)
def test_a_file_of_other_weights_is_refused(tmp_path, monkeypatch, recorded, exported, refused):
    made = Exported(run=np.asarray, path=tmp_path / ONNX, metadata={"padkit.sha256": exported})
    monkeypatch.setattr(scorers, "open_exported", lambda path, threads: made)
    if refused:
        with pytest.raises(WeightsError, match="other weights"):
            scorer(tmp_path, bundle(sha256=recorded), "onnx")
    else:
        assert scorer(tmp_path, bundle(sha256=recorded), "onnx") is made


@pytest.mark.parametrize(("metadata", "views"), [({}, "five"), ({"padkit.views": "five"}, "one")])
def test_a_file_of_other_views_is_refused(tmp_path, monkeypatch, metadata, views):
    made = Exported(run=np.asarray, path=tmp_path / ONNX, metadata=metadata)
    monkeypatch.setattr(scorers, "open_exported", lambda path, threads: made)
    with pytest.raises(WeightsError, match=rf"and .* has '{views}'; export it again"):
        scorer(tmp_path, bundle(views=views), "onnx")
    assert scorer(tmp_path, bundle(views=made.views), "onnx") is made


@pytest.mark.parametrize(("files", "opened"), [((ONNX, INT8), ONNX), ((INT8,), INT8), ((), ONNX)])
def test_int8_stands_in_where_there_is_no_other_onnx_file(tmp_path, monkeypatch, files, opened):
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(scorers, "open_exported", lambda path, threads: Exported(run=np.asarray, path=path))
    assert scorer(tmp_path, bundle(), "onnx").path == tmp_path / opened


def test_a_temperature_in_the_graph_is_told():
    made = Exported(run=np.asarray, path=Path("x"), metadata={"padkit.temperature": "1.5"})
    assert applied_temperature(made) == 1.5
    assert applied_temperature(lambda crops: crops) == 1


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(SettingsError, match="backend 'tensorrt' is unknown"):
        scorer(tmp_path, bundle(), "tensorrt")
    with pytest.raises(WeightsError, match=r"model\.onnx does not exist"):
        scorer(tmp_path, bundle())
    if util.find_spec("openvino") is None:
        (tmp_path / OPENVINO).touch()
        with pytest.raises(PluginError, match=r"padkit\[openvino\]"):
            scorer(tmp_path, bundle(), "openvino")
