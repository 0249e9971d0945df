"""The ONNX operators of the recognition networks in insightface's zoo, each as a function of torch tensors.

Specification: https://onnx.ai/onnx/operators. Integers (shapes, axes) stay Python numbers, so that nothing a
network computes ever waits for the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
import torch
from torch import Tensor
from torch.nn import functional as F

Value = Tensor | tuple[int, ...] | int | None
Run = Callable[..., Value]


class Attributes:
    """The attributes of one node. One that nobody reads would change the result unseen, so it is refused."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self._given = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}

    def take(self, name: str, default: Any = None) -> Any:
        """Return an attribute's value."""
        return self._given.pop(name, default)

    def only(self, name: str, allowed: Any) -> None:
        """Admit a single value of an attribute, its default."""
        found = self.take(name, allowed)
        if found != allowed:
            raise ValueError(f"{name}={found!r} is not supported")

    def finish(self) -> None:
        """Refuse what has not been read."""
        if self._given:
            raise ValueError(f"attribute {', '.join(self._given)} is not supported")


def _conv(node: Attributes) -> Run:
    node.only("auto_pad", b"NOTSET")
    node.take("kernel_shape")
    strides, dilations = tuple(node.take("strides", (1, 1))), tuple(node.take("dilations", (1, 1)))
    top, left, bottom, right = node.take("pads", (0, 0, 0, 0))
    groups = node.take("group", 1)
    even = (top, left) == (bottom, right)

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        padded = x if even else F.pad(x, (left, right, top, bottom))
        return F.conv2d(padded, weight, bias, strides, (top, left) if even else 0, dilations, groups)

    return run


def _batch_norm(node: Attributes) -> Run:
    node.only("training_mode", 0)
    node.only("spatial", 1)
    node.take("momentum")
    epsilon = node.take("epsilon", 1e-5)
    return lambda x, scale, bias, mean, var: F.batch_norm(x, mean, var, scale, bias, training=False, eps=epsilon)


def _prelu(_: Attributes) -> Run:
    def run(x: Tensor, slope: Tensor) -> Tensor:
        if slope.ndim != x.ndim - 1 or slope.numel() not in (1, x.shape[1]) or slope.numel() != slope.shape[0]:
            raise ValueError(f"slope of shape {tuple(slope.shape)} is not one number a channel")
        return F.prelu(x, slope.flatten().to(x.dtype))  # autocast does not do it on every device

    return run


def _gemm(node: Attributes) -> Run:
    node.only("alpha", 1.0)
    node.only("beta", 1.0)
    node.only("transA", 0)
    transposed = node.take("transB", 0)

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.linear(x, weight if transposed else weight.t(), bias)

    return run


def _flatten(node: Attributes) -> Run:
    node.only("axis", 1)
    return lambda x: torch.flatten(x, 1)


def _reshape(node: Attributes) -> Run:
    node.only("allowzero", 0)

    def run(x: Tensor, shape: Sequence[int]) -> Tensor:
        # A graph exported with one image may have that image's 1 written down where the batch belongs.
        first = len(x) if shape[0] == 1 else shape[0]
        return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate((first, *shape[1:]))])

    return run


def _axes(node: Attributes) -> Callable[[Sequence[int] | None], list[int]]:
    """Return what reads the axes: an attribute up to opset 12, an input after."""
    own = node.take("axes")

    def read(given: Sequence[int] | None) -> list[int]:
        axes = own if given is None else given
        if axes is None or min(axes) < 0:
            raise ValueError(f"axes {axes} are not supported")
        return sorted(axes)

    return read


def _unsqueeze(node: Attributes) -> Run:
    axes = _axes(node)

    def run(x: Tensor | int, given: Sequence[int] | None = None) -> Value:
        if isinstance(x, int):
            return (x,)
        for axis in axes(given):
            x = x.unsqueeze(axis)
        return x

    return run


def _squeeze(node: Attributes) -> Run:
    axes = _axes(node)

    def run(x: Tensor, given: Sequence[int] | None = None) -> Tensor:
        for axis in reversed(axes(given)):
            if x.shape[axis] != 1:
                raise ValueError(f"axis {axis} of {tuple(x.shape)} is not 1")
            x = x.squeeze(axis)
        return x

    return run


def _gather(node: Attributes) -> Run:
    node.only("axis", 0)

    def run(shape: tuple[int, ...], index: int | tuple[int, ...]) -> Value:
        if not isinstance(shape, tuple):
            raise TypeError("only a shape can be gathered from")
        return shape[index] if isinstance(index, int) else tuple(shape[i] for i in index)

    return run


def _concat(node: Attributes) -> Run:
    axis = node.take("axis")

    def run(*parts: Any) -> Value:
        if isinstance(parts[0], tuple):
            return tuple(size for part in parts for size in part)
        return torch.cat(parts, axis)

    return run


def _dropout(node: Attributes) -> Run:
    node.take("ratio")
    node.take("seed")
    return lambda x, *_: x


def _plain(function: Run) -> Callable[[Attributes], Run]:
    return lambda _: function


OPERATORS: dict[str, Callable[[Attributes], Run]] = {
    "Add": _plain(torch.add),
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _plain(torch.div),
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _plain(lambda x: x.mean((2, 3), keepdim=True)),
    "Identity": _plain(lambda x: x),
    "MatMul": _plain(torch.matmul),
    "Mul": _plain(torch.mul),
    "PRelu": _prelu,
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Shape": _plain(lambda x: tuple(x.shape)),
    "Sigmoid": _plain(torch.sigmoid),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Unsqueeze": _unsqueeze,
}


def compile_node(node: onnx.NodeProto) -> Run:
    """Return the function that `node` is.

    Raises:
        ValueError: Its operator or one of its attributes is not supported.
    """
    make = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if make is None:
        kind = f"{node.domain}.{node.op_type}".lstrip(".")
        raise ValueError(f"operator {kind} is not supported; known are {', '.join(OPERATORS)}")
    attributes = Attributes(node)
    run = make(attributes)
    attributes.finish()
    return run
