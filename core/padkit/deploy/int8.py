"""int8 forms of an exported detector, by ONNX Runtime and by NNCF: the first layer in float, the log-odds corrected.

The first layer works on what print and screen leave in a picture, a few grey values, and is a small part of the work.
Rounding moves all scores a little to one side; one number, added to the log-odds, takes that back. On a ResNet-18 both
together halved the difference from the weights twice over (docs/deploy.md); other ranges of activations did not help.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.deploy.checking import in_batches
from padkit.deploy.runtimes import open_exported
from padkit.errors import extra_needed
from padkit.evaluation.temperature import EDGE

LAYERS = ("Conv", "Gemm", "MatMul")
# Operators that int8 computes in integers. Without Clip and Relu each layer's range would be that before the cut.
ROUNDED = (
    *LAYERS, "Add", "Mul", "Clip", "Relu", "LeakyRelu", "Sigmoid", "MaxPool", "AveragePool", "GlobalAveragePool",
    "Concat",
)  # fmt: skip
OPENVINO_LAYERS = ("Convolution", "GroupConvolution", "MatMul")
STEPS = 20  # of Gauss and Newton; a few are enough
DAMPING = 1e-6  # per crop: where every score is 0 or 1, nothing is to be corrected

Crops = NDArray[np.uint8]


def onnx_int8(base: Path, crops: Crops) -> Any:
    """Return a model with activations u8 and weights s8 by channel, calibrated on crops.

    Args:
        base: The ONNX form in float32.
        crops: uint8 RGB [n, S, S, 3].

    Raises:
        PluginError: The extra `onnx` is not installed.
    """
    with extra_needed("padkit export to int8", "padkit[onnx]"):
        import onnx
        from onnxruntime import quantization as q
        from onnxruntime.quantization.shape_inference import quant_pre_process
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folded, rounded = Path(place) / "folded.onnx", Path(place) / "rounded.onnx"
        quant_pre_process(base, folded, skip_symbolic_shape=True)
        graph = onnx.load(str(folded)).graph
        name = graph.input[0].name

        class Reader(q.CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self.left = iter([{name: crop[None]} for crop in crops])

            def get_next(self) -> Any:
                return next(self.left, None)

        q.quantize_static(
            folded, rounded, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
            activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8, op_types_to_quantize=list(ROUNDED),
            nodes_to_exclude=kept_in_float(graph),
        )  # fmt: skip
        model = onnx.load(str(rounded))
        _add_to_onnx(model, _offset_of(base, rounded, crops))
    return model


def kept_in_float(graph: Any) -> list[str]:
    """Return the nodes of an ONNX graph up to its first layer, and those from its last layer to the score."""
    weights = {one.name for one in graph.initializer}
    layers = [node for node in graph.node if node.op_type in LAYERS and weights.intersection(node.input)]
    if not layers:
        return []
    after: set[str] = set(layers[0].output)
    for node in graph.node:  # in the order of computation
        if after.intersection(node.input):
            after.update(node.output)
    kept = [node.name for node in graph.node if not after.intersection(node.output)]
    last = {node.name: position for position, node in enumerate(graph.node)}[layers[-1].name]
    return [*kept, layers[0].name, *(node.name for node in graph.node[last:])]


def openvino_int8(base: Path, crops: Crops) -> Any:
    """Return a model of OpenVINO with int8 layers by NNCF, calibrated on crops; for arguments see `onnx_int8`.

    Raises:
        PluginError: The extra `openvino` is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # otherwise it reports its use to its makers
    with extra_needed("padkit export to OpenVINO int8", "padkit[openvino]"):
        import nncf
        import openvino
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    data = nncf.Dataset([crop[None] for crop in crops])
    # Activations with a zero point, because those of linear bottlenecks have two signs, and their whole range: by its
    # defaults NNCF moved the HTER of an EfficientNet-Lite0 by 4 points, so not at all.
    whole = nncf.AdvancedQuantizationParameters(activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX)
    model = openvino.Core().read_model(base)
    layers = [node.get_friendly_name() for node in model.get_ordered_ops() if node.get_type_name() in OPENVINO_LAYERS]
    model = nncf.quantize(
        model, data, subset_size=len(crops), preset=nncf.QuantizationPreset.MIXED, advanced_parameters=whole,
        ignored_scope=nncf.IgnoredScope(names=layers[:1]),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        rounded = Path(place) / "rounded.xml"
        openvino.save_model(model, rounded, compress_to_fp16=False)
        _add_to_openvino(model, _offset_of(base, rounded, crops))
    return model


def offset(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> float:
    """Return what, added to the log-odds of scores, brings them nearest to others in the mean square.

    Args:
        exact: [n], what the scores should be, in [0, 1].
        rounded: [n], what they are.
    """
    kept = np.clip(rounded.astype(np.float64), EDGE, 1 - EDGE)
    odds, found = np.log(kept / (1 - kept)), 0.0
    for _ in range(STEPS):
        scores = 1 / (1 + np.exp(-(odds + found)))
        slope = scores * (1 - scores)
        found += float(np.sum(slope * (exact - scores)) / (np.sum(slope**2) + DAMPING * len(odds)))
    return found


def _offset_of(base: Path, rounded: Path, crops: Crops) -> float:
    exact, found = (in_batches(open_exported(path), crops) for path in (base, rounded))
    return offset(exact, found)


def _add_to_onnx(model: Any, value: float) -> None:
    """Add a number to the log-odds, before the softmax that makes the scores."""
    import onnx

    graph = model.graph
    place, softmax = [(place, node) for place, node in enumerate(graph.node) if node.op_type == "Softmax"][-1]
    names = f"{softmax.name}_offset", f"{softmax.name}_corrected"
    graph.initializer.append(onnx.numpy_helper.from_array(_of_logits(value), names[0]))
    graph.node.insert(place, onnx.helper.make_node("Add", [softmax.input[0], names[0]], [names[1]], names[1]))
    softmax.input[0] = names[1]


def _add_to_openvino(model: Any, value: float) -> None:
    """Do what `_add_to_onnx` does."""
    from openvino import opset13

    softmax = [node for node in model.get_ordered_ops() if node.get_type_name() == "Softmax"][-1]
    logits = softmax.input_value(0)
    softmax.input(0).replace_source_output(opset13.add(logits, opset13.constant(_of_logits(value))).output(0))


def _of_logits(value: float) -> NDArray[np.float32]:
    """Return what is added to the logits of (attack, bona fide)."""
    return np.array([[0.0, value]], dtype=np.float32)
