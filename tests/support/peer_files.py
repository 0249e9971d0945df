"""Tiny ONNX files of the shapes of published peers; what they compute can be told by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_means(
    path: Path, size: int, matrix: Sequence[Sequence[float]], *, batch: int | str = "batch", softmax: bool = False
) -> Path:
    """Write a network that multiplies the mean of each channel [B, 3] by a matrix [3, K], with softmax if wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = numpy_helper.from_array(np.array(matrix, dtype=np.float32), "matrix")
    axes = numpy_helper.from_array(np.array([2, 3], dtype=np.int64), "axes")
    nodes = [
        helper.make_node("ReduceMean", ["picture", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "matrix"], ["logits" if softmax else "found"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["found"], axis=1))
    graph = helper.make_graph(
        nodes, "means",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [batch, len(matrix[0])])],
        [weights, axes],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path
