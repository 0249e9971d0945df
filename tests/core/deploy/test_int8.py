"""int8: what stays in float, and the correction of the log-odds."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.deploy.int8 import _add_to_onnx, kept_in_float, offset


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


@pytest.mark.parametrize("shift", [-0.8, 0.05, 3.0])
def test_a_shift_of_all_log_odds_is_taken_back(shift):
    odds = np.random.default_rng(0).normal(0, 3, 200)
    assert offset(sigmoid(odds), sigmoid(odds - shift)) == pytest.approx(shift, abs=1e-3)


def test_noise_without_a_side_and_sure_scores_are_not_corrected():
    generator = np.random.default_rng(0)
    odds = generator.normal(0, 3, 4000)
    assert abs(offset(sigmoid(odds), sigmoid(odds + generator.normal(0, 0.1, 4000)))) < 0.01
    sure = np.repeat(np.float32([0, 1]), 50)
    assert abs(offset(sure, np.clip(sure, 1e-6, 1 - 1e-6).astype(np.float32))) < 0.1


@pytest.fixture
def graph():
    """A chain: normalisation, two layers with an activation between, the last layer, softmax."""
    onnx = pytest.importorskip("onnx")
    helper, chain = onnx.helper, ("Sub mean", "Conv 1", "Relu -", "Conv 2", "Gemm 3", "Softmax -")
    nodes = [
        helper.make_node(kind, [f"t{place}", *([name] if name != "-" else [])], [f"t{place + 1}"], f"n{place}")
        for place, (kind, name) in enumerate(map(str.split, chain))
    ]
    weights = [onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), name) for name in ("mean", "1", "2", "3")]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 2]) for name in ("t0", "t6")]
    return helper.make_graph(nodes, "toy", ends[:1], ends[1:], weights)


def test_normalisation_first_layer_and_all_from_the_last_stay_in_float(graph):
    assert kept_in_float(graph) == ["n0", "n1", "n4", "n5"]


def test_the_correction_stands_before_the_softmax(graph):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    del graph.node[:5]
    graph.node[0].input[0] = "t0"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    _add_to_onnx(model, 0.7)
    onnx.checker.check_model(model)
    session = runtime.InferenceSession(model.SerializeToString())
    logits = np.float32([[0, 0], [2, -1]])
    scores = session.run(None, {"t0": logits})[0][:, 1]
    assert scores == pytest.approx(sigmoid(logits[:, 1] - logits[:, 0] + 0.7), abs=1e-6)
