"""An ONNX recognition network as a torch module: on the student's device, in its precision, with maps on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from padkit.errors import WeightsError, one_line
from padkit_arcface.operators import Run, Value, compile_node

PROBE = 2  # images of the trial run; two show a graph that was exported for exactly one
MAP, VECTOR = 4, 2  # dimensions of a map and of an embedding, batch included


@dataclass(frozen=True, slots=True)
class Step:
    """One node.

    Attributes:
        title: How errors call it.
        operator: Its ONNX operator.
        run: What it does.
        inputs: Names of its inputs; an empty name is an input left out.
        output: Name of its result.
        spent: Names of results that nobody needs after it.
    """

    title: str
    operator: str
    run: Run
    inputs: tuple[str, ...]
    output: str
    spent: tuple[str, ...] = ()


class OnnxNetwork(nn.Module):
    """Executes an ONNX graph of one image input and one embedding output, node by node.

    Its initializers are buffers: nothing in it is to be trained.

    Args:
        model: The graph, of the operators in `padkit_arcface.operators`.
        input_size: Side of its square input in pixels.
        source: Where it comes from, for errors.

    Attributes:
        maps: Names of the values given as maps, see `stage_ends`.

    Raises:
        WeightsError: An operator is unknown, or the graph does not turn images into one embedding each.
    """

    def __init__(self, model: onnx.ModelProto, input_size: int, source: str | Path) -> None:
        super().__init__()
        self._source = source
        self._buffer_of: dict[str, str] = {}
        self._numbers: dict[str, Value] = {"": None}
        for tensor in model.graph.initializer:
            self._keep(tensor.name, tensor)
        steps = []
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._keep(node.output[0], node.attribute[0].t)
            else:
                steps.append(self._step(node))
        self._input, self._output = self._ends(model.graph)
        self._check_order(steps)
        self._steps = release(steps, {self._output})
        shapes = self._trial(input_size)
        self.maps = stage_ends(steps, shapes, input_size)
        self._steps = release(steps, {*self.maps, self._output})

    def _keep(self, name: str, tensor: onnx.TensorProto) -> None:
        """Keep a constant: floating-point numbers as a buffer, integers (shapes, axes, indices) as they are."""
        array = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
        if array.is_floating_point():
            self._buffer_of[name] = f"{len(self._buffer_of)}_{name.replace('.', '_')}"
            self.register_buffer(self._buffer_of[name], array.float())
        else:
            self._numbers[name] = tuple(array.tolist()) if array.ndim else int(array)

    def _step(self, node: onnx.NodeProto) -> Step:
        title = f"node {node.name or node.output[0]} ({node.op_type})"
        try:
            run = compile_node(node)
        except ValueError as error:
            raise WeightsError(f"{self._source}: {title}: {error}; convert the network to arcface_torch's") from error
        return Step(title, node.op_type, run, tuple(node.input), node.output[0])

    def _ends(self, graph: onnx.GraphProto) -> tuple[str, str]:
        constants = self._buffer_of.keys() | self._numbers.keys()
        inputs = [entry.name for entry in graph.input if entry.name not in constants]
        outputs = [entry.name for entry in graph.output]
        if len(inputs) != 1 or len(outputs) != 1:
            found = f"inputs {', '.join(inputs)} and outputs {', '.join(outputs)}"
            raise WeightsError(f"{self._source} has {found}; a recognition network has one of each")
        return inputs[0], outputs[0]

    def _check_order(self, steps: Iterable[Step]) -> None:
        known = self._buffer_of.keys() | self._numbers.keys() | {self._input}
        made: set[str] = set()
        for step in steps:
            absent = [name for name in step.inputs if name not in known | made]
            if absent:
                raise WeightsError(
                    f"{self._source}: {step.title} reads {absent[0]}, which nothing makes; fetch it again"
                )
            made.add(step.output)
        if self._output not in made:
            raise WeightsError(f"{self._source}: nothing makes its output {self._output}; fetch it again")

    def _trial(self, input_size: int) -> dict[str, torch.Size]:
        """Run a batch of black images; return the shapes of all tensors on the way."""
        shapes: dict[str, torch.Size] = {}
        try:
            with torch.no_grad():
                self._run(torch.zeros(PROBE, 3, input_size, input_size), shapes)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            at = self._steps[len(shapes)].title
            raise WeightsError(f"{self._source}: {at}: {one_line(error)}; fetch it again") from error
        found = shapes[self._output]
        if len(found) != VECTOR or found[0] != PROBE:
            raise WeightsError(f"{self._source} makes {tuple(found)} of {PROBE} images, not one embedding each")
        return shapes

    def _run(self, images: Tensor, shapes: dict[str, torch.Size] | None = None) -> dict[str, Value]:
        """Return the results that are not let go of; note the shape of each (none, of integers) where asked to."""
        values: dict[str, Value] = {self._input: images, **self._numbers}
        values |= {name: getattr(self, place) for name, place in self._buffer_of.items()}
        for step in self._steps:
            result = values[step.output] = step.run(*(values[name] for name in step.inputs))
            if shapes is not None:
                shapes[step.output] = result.shape if isinstance(result, Tensor) else torch.Size()
            for name in step.spent:
                del values[name]
        return values

    def forward(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the maps [B, C, h, w], from shallow to deep, and embeddings [B, D], not normalised.

        Args:
            images: [B, 3, input_size, input_size], standardised as the graph expects.
        """
        values = self._run(images)
        embedding, maps = values[self._output], [values[name] for name in self.maps]
        assert isinstance(embedding, Tensor)  # the trial showed it
        return tuple(value for value in maps if isinstance(value, Tensor)), embedding


def release(steps: Sequence[Step], wanted: set[str]) -> list[Step]:
    """Return `steps` that let go of every result after its last use, except the `wanted` ones."""
    last = last_use(steps)
    return [
        replace(step, spent=tuple(name for name, at in last.items() if at == index and name not in wanted))
        for index, step in enumerate(steps)
    ]


def last_use(steps: Sequence[Step]) -> dict[str, int]:
    """Return for every result the index of the last step that reads it, its own where none does."""
    last: dict[str, int] = {}
    for index, step in enumerate(steps):
        last |= {name: index for name in step.inputs if name in last} | {step.output: index}
    return last


def stage_ends(steps: Sequence[Step], shapes: Mapping[str, torch.Size], input_size: int) -> tuple[str, ...]:
    """Return the values in which the network's stages end, from shallow to deep.

    A stage is what happens at one resolution below the input's and above 1 x 1. It ends in its last residual sum (in
    an iResNet, the output of `layer1` to `layer4`) or, where it has none, in the last map that all that follows
    depends on.

    Args:
        steps: The graph.
        shapes: Shapes of its results; empty where one is integers.
        input_size: Side of its input in pixels.
    """
    last = last_use(steps)
    sums: dict[int, str] = {}
    necks: dict[int, str] = {}
    alive: set[str] = set()
    for index, step in enumerate(steps):
        alive = {name for name in alive | {step.output} if last[name] > index and shapes[name]}
        shape = shapes[step.output]
        if len(shape) != MAP or not 1 < shape[-1] < input_size:
            continue
        if step.operator == "Add" and all(shapes.get(name) == shape for name in step.inputs):
            sums[shape[-1]] = step.output
        if alive == {step.output}:
            necks[shape[-1]] = step.output
    ends = necks | sums
    return tuple(ends[size] for size in sorted(ends, reverse=True))
