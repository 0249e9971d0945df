"""int8 forms of an exported detector, by ONNX Runtime and by NNCF, with two errors of theirs made smaller.

The first layer's weights matter most: it sees what print and screen leave in a picture, a few grey values. OpenVINO
keeps it in float; ONNX Runtime would lose its lead by that, so there its weights are rounded together. And rounding
moves all scores a little to one side; one number, added to the log-odds, takes that back. docs/deploy.md has figures.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from padkit.deploy.checking import in_batches
from padkit.deploy.rounding import offset, rounded_together
from padkit.deploy.runtimes import onnx_session, open_exported
from padkit.errors import extra_needed

LAYERS = ("Conv", "Gemm", "MatMul")
# Operators that int8 computes in integers. Without Clip and Relu each layer's range would be that before the cut.
ROUNDED = (
    *LAYERS, "Add", "Mul", "Clip", "Relu", "LeakyRelu", "Sigmoid", "MaxPool", "AveragePool", "GlobalAveragePool",
    "Concat",
)  # fmt: skip
OPENVINO_LAYERS = ("Convolution", "GroupConvolution", "MatMul")
EXAMPLES = 64, 20_000  # crops, and patches of them, that the first layer's weights are rounded by

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
        model = onnx.load(str(folded))
        overrides = _round_first_layer(model, crops[: EXAMPLES[0]])
        onnx.save(model, str(folded))
        name = model.graph.input[0].name

        class Reader(q.CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self.left = iter([{name: crop[None]} for crop in crops])

            def get_next(self) -> Any:
                return next(self.left, None)

        q.quantize_static(
            folded, rounded, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
            activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8, op_types_to_quantize=list(ROUNDED),
            nodes_to_exclude=kept_in_float(model.graph), extra_options={"TensorQuantOverrides": overrides},
        )  # fmt: skip
        model = onnx.load(str(rounded))
        _add_to_onnx(model, _offset_of(base, rounded, crops))
    return model


def _layers(graph: Any) -> list[Any]:
    """Return the nodes of an ONNX graph that have weights, in the order of computation."""
    weights = {one.name for one in graph.initializer}
    return [node for node in graph.node if node.op_type in LAYERS and weights.intersection(node.input)]


def kept_in_float(graph: Any) -> list[str]:
    """Return the nodes of an ONNX graph that normalise the crops, and those from the last layer to the score."""
    layers = _layers(graph)
    if not layers:
        return []
    after: set[str] = set(layers[0].output)
    for node in graph.node:  # in the order of computation
        if after.intersection(node.input):
            after.update(node.output)
    before = [node.name for node in graph.node if not after.intersection(node.output)]
    last = {node.name: position for position, node in enumerate(graph.node)}[layers[-1].name]
    return [*before, *(node.name for node in graph.node[last:])]


def _round_first_layer(model: Any, crops: Crops) -> dict[str, list[dict[str, Any]]]:
    """Round the weights of the first layer in their place, and return their steps as quantisation takes them.

    Nothing is done if it is no plain convolution.
    """
    import onnx

    layers = _layers(model.graph)
    if not layers or not _plain(first := layers[0]):
        return {}
    held = {one.name: one for one in model.graph.initializer}
    if first.input[1] not in held:
        return {}
    tensor = held[first.input[1]]
    weights = onnx.numpy_helper.to_array(tensor)
    if weights.ndim != 4:
        return {}
    patches = _patches(_input_of(model, first, crops), weights.shape[2:])
    rounded, steps = rounded_together(weights.reshape(len(weights), -1), patches)
    tensor.CopyFrom(onnx.numpy_helper.from_array(rounded.reshape(weights.shape).astype(np.float32), tensor.name))
    return {tensor.name: [{"axis": 0, "scale": np.float32(step), "zero_point": 0} for step in steps]}


def _plain(node: Any) -> bool:
    """Return whether a node of an ONNX graph is a convolution of all channels, without holes."""
    marks = [one for one in node.attribute if one.name in {"group", "dilations"}]
    return node.op_type == "Conv" and all(set(one.ints or [one.i]) == {1} for one in marks)


def _input_of(model: Any, node: Any, crops: Crops) -> NDArray[np.float32]:
    """Return what a node of an ONNX model is given for crops."""
    import onnx

    head = onnx.ModelProto()
    head.CopyFrom(model)
    del head.graph.node[list(model.graph.node).index(node) :]
    del head.graph.output[:]
    head.graph.output.append(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
    session = onnx_session(head.SerializeToString())
    found: NDArray[np.float32] = session.run(None, {model.graph.input[0].name: crops})[0]
    return found


def _patches(images: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return patches [N, C x height x width] of images [B, C, H, W], drawn with seed 0."""
    windows = np.lib.stride_tricks.sliding_window_view(images, size, axis=(2, 3))
    count, _, down, across = windows.shape[:4]
    generator = np.random.default_rng(0)
    drawn = [generator.integers(0, most, EXAMPLES[1]) for most in (count, down, across)]
    return windows[drawn[0], :, drawn[1], drawn[2]].reshape(EXAMPLES[1], -1)


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
    model = nncf.quantize(
        model, data, subset_size=len(crops), preset=nncf.QuantizationPreset.MIXED, advanced_parameters=whole,
        ignored_scope=nncf.IgnoredScope(names=kept_by_openvino(model)),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        rounded = Path(place) / "rounded.xml"
        openvino.save_model(model, rounded, compress_to_fp16=False)
        _add_to_openvino(model, _offset_of(base, rounded, crops))
    return model


def kept_by_openvino(model: Any) -> list[str]:
    """Return the nodes of an OpenVINO model that stay in float: up to the first layer, and the mean over views.

    NNCF finds by itself what normalises a crop, but not where the views of the crop are cut before; and eight bits for
    the logits of each view would be coarse.
    """
    nodes = model.get_ordered_ops()
    layers = [node for node in nodes if node.get_type_name() in OPENVINO_LAYERS]
    if not layers:
        return []
    kept = [layers[0].get_friendly_name()]
    left = [layers[0].input_value(0).get_node()]
    while left:
        node = left.pop()
        name = node.get_friendly_name()
        if node.get_type_name() not in ("Parameter", "Constant") and name not in kept:
            kept.append(name)
            left += [value.get_node() for value in node.input_values()]
    last = next(place for place, node in enumerate(nodes) if node.get_friendly_name() == layers[-1].get_friendly_name())
    return kept + [node.get_friendly_name() for node in nodes[last:] if node.get_type_name() == "ReduceMean"]


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
