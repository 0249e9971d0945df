"""Runs an ONNX recognition network as a torch module that also returns its feature maps.

onnx2pytorch converts it and onnxruntime checks the result. docs/decisions/0006-onnx.md says which libraries were tried.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx2pytorch import ConvertModel
from torch import Tensor, nn

from padkit.errors import WeightsError, one_line

ONNX_DOMAINS = ("", "ai.onnx")
PROBE = 2  # images of the check; two, to detect a graph that mixes the images of a batch
TOLERANCE = 1e-3  # relative to the largest value; another order of summation changes less than 1e-5
MAP, VECTOR = 4, 2  # dimensions of a map and of an embedding, batch included
REMEDY = "export it from arcface_torch"

Shape = tuple[int, ...]
Values = dict[str, np.ndarray]


class OnnxNetwork(nn.Module):
    """Runs an ONNX file with one image input and one embedding output, on torch's device and in its precision.

    Args:
        file: The ONNX file.
        input_size: Side of its square input in pixels.

    Attributes:
        maps: Names of the values that are returned as maps, see `stage_ends`.

    Raises:
        WeightsError: An operator is unknown, the graph does not turn images into one embedding each, or its conversion
            computes other values.
    """

    def __init__(self, file: Path, input_size: int) -> None:
        super().__init__()
        self._file = file
        model = onnx.load(file)
        constants_to_weights(model.graph)
        image, embedding = self._ends(model.graph)
        show_values(model.graph)
        images = np.random.default_rng(0).random((PROBE, 3, input_size, input_size), dtype=np.float32)
        expected = self._run_one_by_one(model, image, images)
        shapes = {name: values[0].shape for name, values in expected.items() if values[0].dtype == np.float32}
        keep_batch(model.graph, shapes)
        drop_training_mode(model.graph)
        self.maps = stage_ends(model.graph.node, shapes, input_size)
        self.network = self._convert(onnx.utils.Extractor(model).extract_model([image], [*self.maps, embedding]))
        self._check(images, {name: np.concatenate(expected[name]) for name in [*self.maps, embedding]})

    def _ends(self, graph: onnx.GraphProto) -> tuple[str, str]:
        constants = {tensor.name for tensor in graph.initializer}
        inputs = [entry.name for entry in graph.input if entry.name not in constants]
        outputs = [entry.name for entry in graph.output]
        if len(inputs) != 1 or len(outputs) != 1:
            found = f"inputs {', '.join(inputs)} and outputs {', '.join(outputs)}"
            raise WeightsError(f"{self._file} has {found}; a recognition network has one of each")
        return inputs[0], outputs[0]

    def _run_one_by_one(self, model: onnx.ModelProto, image: str, images: np.ndarray) -> dict[str, list[np.ndarray]]:
        """Return all outputs by name, computed by onnxruntime for one image after the other."""
        names = [entry.name for entry in model.graph.output]
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            runs = [session.run(names, {image: one[np.newaxis]}) for one in images]
        except Exception as error:  # its errors share no other base
            raise WeightsError(
                f"{self._file}: onnxruntime cannot run it ({one_line(error)}); fetch it again"
            ) from error
        return {name: list(values) for name, values in zip(names, zip(*runs, strict=True), strict=True)}

    def _convert(self, model: onnx.ModelProto) -> nn.Module:
        for node in model.graph.node:  # onnx2pytorch would take an operator of any domain for one of ONNX
            if node.domain not in ONNX_DOMAINS:
                raise WeightsError(f"{self._file}: operator {node.domain}.{node.op_type} is not ONNX's own; {REMEDY}")
        try:
            # Its layers draw random weights before they get theirs, and it only warns when it guesses an operator.
            with torch.random.fork_rng(devices=()), warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                network: nn.Module = ConvertModel(model)
        except Exception as error:  # its errors share no other base
            raise WeightsError(f"{self._file}: onnx2pytorch cannot convert it ({one_line(error)}); {REMEDY}") from error
        model.graph.ClearField("initializer")  # it keeps the graph although it has copied the weights
        return network.eval().requires_grad_(requires_grad=False)

    def _check(self, images: np.ndarray, expected: Values) -> None:
        """Compare maps and embeddings of `images` [PROBE, 3, H, W] with those of onnxruntime, by name."""
        try:
            with torch.no_grad():
                maps, embedding = self(torch.from_numpy(images))
        except Exception as error:
            raise WeightsError(f"{self._file} does not run in torch ({one_line(error)}); {REMEDY}") from error
        if embedding.ndim != VECTOR or len(embedding) != PROBE:
            found = tuple(embedding.shape)
            raise WeightsError(f"{self._file} makes {found} of {PROBE} images, not one embedding each; {REMEDY}")
        for (name, wanted), value in zip(expected.items(), [*maps, embedding], strict=True):
            if not is_close(value.numpy(), wanted):
                raise WeightsError(f"{self._file}: value {name} in torch differs from onnxruntime's; {REMEDY}")

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the maps [B, C, h, w], from shallow to deep, and embeddings [B, D], not normalised.

        Args:
            images: [B, 3, input_size, input_size], standardised as the graph expects.
        """
        values = self.network(images)
        *maps, embedding = values if self.maps else [values]  # onnx2pytorch returns a single output without a list
        return tuple(maps), embedding


def is_close(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Return whether two arrays are equal except for rounding; False if a value is not finite."""
    return found.shape == wanted.shape and bool(np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max())


def constants_to_weights(graph: onnx.GraphProto) -> None:
    """Turn the `Constant` nodes of `graph` into weights: onnx2pytorch supports parameters of layers only as weights."""
    for node in [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


def show_values(graph: onnx.GraphProto) -> None:
    """Also make the first result of every node an output of `graph`, which is changed in place."""
    shown = {entry.name for entry in graph.output}
    results = [node.output[0] for node in graph.node]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in results if name not in shown)


def keep_batch(graph: onnx.GraphProto, shapes: Mapping[str, Shape]) -> None:
    """Let every Reshape take any number of images.

    Exporters write the batch size as 1, as it was, or compute it from another tensor's shape, which waits for the GPU.
    If Reshape makes one vector per image, Flatten replaces it; otherwise a target of 0 keeps the input's own size.

    Args:
        graph: Changed in place.
        shapes: Shapes of its floating-point values for one image.
    """
    for index, node in enumerate(graph.node):
        if node.op_type != "Reshape" or shapes.get(node.input[0], ())[:1] != (1,):
            continue
        batch, *rest = shapes[node.output[0]]
        if batch != 1:
            continue
        del node.attribute[:], node.input[1]
        if len(rest) == 1:
            node.op_type = "Flatten"
        else:
            node.input.append(f"target_{index}")
            graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, *rest]), node.input[1]))


def drop_training_mode(graph: onnx.GraphProto) -> None:
    """Remove `training_mode` = 0 from every BatchNormalization of `graph`: onnx2pytorch 0.6 cannot read it."""
    for node in graph.node:
        for attribute in [entry for entry in node.attribute if entry.name == "training_mode" and entry.i == 0]:
            node.attribute.remove(attribute)


def stage_ends(nodes: Sequence[onnx.NodeProto], shapes: Mapping[str, Shape], input_size: int) -> tuple[str, ...]:
    """Return the values in which the network's stages end, from shallow to deep.

    A stage is the part of the network at one resolution below the input's and above 1 x 1. It ends in its last residual
    sum (in an iResNet, the output of `layer1` to `layer4`) or, if it has none, in the last map that everything after it
    depends on.

    Args:
        nodes: The nodes in order.
        shapes: Shapes of their floating-point results for one image.
        input_size: Side of the network's input in pixels.
    """
    last = {name: index for index, node in enumerate(nodes) for name in node.input}
    sums: dict[int, str] = {}
    necks: dict[int, str] = {}
    alive: set[str] = set()
    for index, node in enumerate(nodes):
        name = node.output[0]
        if name not in shapes:
            continue
        shape = shapes[name]
        alive = {value for value in alive | {name} if last.get(value, index) > index}
        if len(shape) != MAP or not 1 < shape[-1] < input_size:
            continue
        if node.op_type == "Add" and all(shapes.get(value) == shape for value in node.input):
            sums[shape[-1]] = name
        if alive == {name}:
            necks[shape[-1]] = name
    ends = necks | sums
    return tuple(ends[size] for size in sorted(ends, reverse=True))
