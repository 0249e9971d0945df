"""int8: what stays in float, what the first layer is rounded by, and where the scores are corrected."""

from __future__ import annotations

import numpy as np
import pytest

from padkit.deploy.int8 import _add_to_onnx, _patches, kept_by_openvino, kept_in_float


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


def test_normalisation_and_all_from_the_last_layer_stay_in_float(graph):
    assert kept_in_float(graph) == ["n0", "n4", "n5"]


def test_the_cutting_of_views_and_the_mean_of_their_logits_stay_in_float():
    """Of the crop `x` one part is cut out and enlarged; how many there are is read from `x` as well."""
    onnx = pytest.importorskip("onnx")
    helper, links = onnx.helper, {
        "Div": ("x", "d"), "Slice": ("d", "s"), "Resize": ("s", "r"), "Shape": ("x", "n"), "Concat": ("d r", "v"),
        "Conv": ("v w1", "c"), "Relu": ("c", "e"), "Gemm": ("e w2", "g"), "Reshape": ("g n", "p"),
        "ReduceMean": ("p", "m"), "Softmax": ("m", "y"),
    }  # fmt: skip
    nodes = [helper.make_node(kind, given.split(), [made], kind) for kind, (given, made) in links.items()]
    weights = [onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), name) for name in ("w1", "w2")]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "toy", ends[:1], ends[1:], weights)
    before, after = ["Div", "Slice", "Resize", "Shape", "Concat"], ["Gemm", "Reshape", "ReduceMean", "Softmax"]
    assert kept_in_float(graph) == [*before, *after]


class Node:
    """A node of a toy OpenVINO model."""

    def __init__(self, name: str, kind: str, *given: Node) -> None:
        self.name, self.kind, self.given = name, kind, given

    def get_friendly_name(self):
        return self.name

    def get_type_name(self):
        return self.kind

    def get_node(self):
        return self

    def input_values(self):
        return list(self.given)

    def input_value(self, place):
        return self.given[place]


def test_openvino_keeps_all_up_to_the_first_layer_and_the_mean_of_the_logits_in_float():
    crops, weights = Node("crops", "Parameter"), Node("w", "Constant")
    part = Node("part", "Slice", crops)
    views = Node("views", "Concat", crops, Node("enlarged", "Interpolate", part, Node("size", "ShapeOf", crops)))
    first = Node("first", "Convolution", views, weights)
    pooled = Node("pooled", "ReduceMean", first)
    last = Node("last", "MatMul", pooled, weights)
    mean = Node("mean", "ReduceMean", Node("logits", "Add", last, weights))
    enlarged = views.given[1]
    nodes = [crops, weights, *enlarged.given, enlarged, views, first, pooled, last, mean.given[0], mean]

    class Model:
        def get_ordered_ops(self):
            return nodes

    assert set(kept_by_openvino(Model())) == {"first", "views", "enlarged", "part", "size", "mean"}
    nodes[:] = [crops]
    assert kept_by_openvino(Model()) == []


def test_patches_are_parts_of_the_images():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    found = {tuple(one) for one in _patches(images, (2, 3))}
    assert found == {
        tuple(images[number, :, top : top + 2, left : left + 3].ravel())
        for number in range(2) for top in range(3) for left in range(3)
    }  # fmt: skip


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
    assert scores == pytest.approx(1 / (1 + np.exp(logits[:, 0] - logits[:, 1] - 0.7)), abs=1e-6)
