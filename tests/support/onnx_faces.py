"""ONNX files as insightface's zoo has them: torch exports in evaluation mode, BatchNorm folded into convolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from padkit_arcface.network import IResNet

EPSILON = 1e-5


class Graph:
    """Collects nodes and initializers; numbers its values as the exporter did."""

    def __init__(self, first: int = 400) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.number = first

    def constant(self, value, name: str | None = None) -> str:
        name = name or self._next()
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        self.initializers.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes) -> str:
        output = output or self._next()
        self.nodes.append(helper.make_node(operator, inputs, [output], f"{operator}_{len(self.nodes)}", **attributes))
        return output

    def _next(self) -> str:
        self.number += 1
        return str(self.number)

    def conv(self, x: str, conv: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d | None = None) -> str:
        """A convolution into which the exporter folded the BatchNorm behind it."""
        weight = conv.weight.detach()
        bias = torch.zeros(len(weight)) if conv.bias is None else conv.bias.detach()
        if norm is not None:
            scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
            weight = weight * scale.view(-1, 1, 1, 1)
            bias = (bias - norm.running_mean) * scale + norm.bias.detach()
        side, (pad, _), (stride, _) = weight.shape[-1], conv.padding, conv.stride
        return self.add(
            "Conv", x, self.constant(weight), self.constant(bias), dilations=[1, 1], group=conv.groups,
            kernel_shape=[side, side], pads=[pad] * 4, strides=[stride, stride],
        )  # fmt: skip

    def norm(self, x: str, name: str, norm: torch.nn.Module, output: str | None = None) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        names = [self.constant(getattr(norm, part), f"{name}.{part}") for part in parts]
        return self.add("BatchNormalization", x, *names, output=output, epsilon=EPSILON, momentum=0.9)

    def prelu(self, x: str, prelu: torch.nn.PReLU) -> str:
        return self.add("PRelu", x, self.constant(prelu.weight.view(-1, 1, 1)))

    def save(self, path: Path, output: str, *, size: int = 112, dim: int = 512, opset: int = 11, ir: int = 6) -> Path:
        image = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, size, size])
        vector = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, dim])
        graph = helper.make_graph(self.nodes, "torch-jit-export", [image], [vector], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        return path


def randomise(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Weights and statistics that no default equals, and that keep signals at their size."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5)
        elif value.is_floating_point() and "prelu" in name:
            value.copy_(torch.rand(value.shape, generator=generator) * 0.3)
        elif value.is_floating_point():
            shift = 1.0 if name.endswith("weight") else 0.0
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1 + shift)
    return network.eval()


def write_iresnet(path: Path, network: IResNet, *, raw: bool = False) -> Path:
    """`w600k_r50.onnx` and its like: what arcface_torch's `torch2onnx.py` made of an iResNet, output `683`.

    `raw` standardises pixels of 0 to 255 in the graph and drops out before the last layer, as MXNet's exports do.
    """
    graph = Graph()
    x = "input.1"
    if raw:
        x = graph.add("Sub", x, graph.constant(np.array([127.5], np.float32)))
        x = graph.add("Mul", x, graph.constant(np.array([1 / 127.5], np.float32)))
    x = graph.prelu(graph.conv(x, network.conv1, network.bn1), network.prelu)
    for stage in range(1, 5):
        for index, block in enumerate(getattr(network, f"layer{stage}")):
            at = f"layer{stage}.{index}"
            y = graph.norm(x, f"{at}.bn1", block.bn1)
            y = graph.prelu(graph.conv(y, block.conv1, block.bn2), block.prelu)
            y = graph.conv(y, block.conv2, block.bn3)
            x = graph.add("Add", y, x if block.downsample is None else graph.conv(x, *block.downsample))
    x = graph.norm(x, "bn2", network.bn2)
    x = graph.add("Flatten", graph.add("Dropout", x, ratio=0.4) if raw else x, axis=1)
    fc = graph.constant(network.fc.weight, "fc.weight"), graph.constant(network.fc.bias, "fc.bias")
    x = graph.add("Gemm", x, *fc, alpha=1.0, beta=1.0, transB=1)
    graph.norm(x, "features", network.features, output="683")
    return graph.save(path, "683", size=network.shape.input_size, dim=network.shape.embedding)


class MobileBlock(torch.nn.Module):
    """Pointwise, depthwise and linear pointwise convolution of MobileFaceNet."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = 2 * inputs
        self.expand, self.bn1, self.prelu1 = torch.nn.Conv2d(inputs, wide, 1), norm(wide), torch.nn.PReLU(wide)
        self.depth = torch.nn.Conv2d(wide, wide, 3, stride=stride, padding=1, groups=wide)
        self.bn2, self.prelu2 = norm(wide), torch.nn.PReLU(wide)
        self.project, self.bn3 = torch.nn.Conv2d(wide, outputs, 1), norm(outputs)
        self.residual = stride == 1


def norm(channels: int) -> torch.nn.BatchNorm2d:
    return torch.nn.BatchNorm2d(channels)


def write_mobilefacenet(path: Path, *, baked: bool = False, dim: int = 32) -> Path:
    """`w600k_mbf.onnx` and its like: depthwise convolutions, `view(x.size(0), -1)`, a linear layer without bias.

    The exporter writes the view as Shape, Gather, Unsqueeze, Concat and Reshape, or, `baked`, as Reshape to [1, -1].
    """
    graph = Graph()
    stem = randomise(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), norm(8), torch.nn.PReLU(8)))
    x = graph.prelu(graph.conv("input.1", stem[0], stem[1]), stem[2])
    inputs = 8
    plan = [(8, 2), (8, 1), (16, 2), (16, 1), (16, 2), (16, 1)]  # 112 -> 56 (stem) -> 28 -> 14 -> 7
    for number, (outputs, stride) in enumerate(plan):
        block = randomise(MobileBlock(inputs, outputs, stride), number)
        y = graph.prelu(graph.conv(x, block.expand, block.bn1), block.prelu1)
        y = graph.prelu(graph.conv(y, block.depth, block.bn2), block.prelu2)
        y = graph.conv(y, block.project, block.bn3)
        x, inputs = graph.add("Add", x, y) if block.residual else y, outputs
    pool = randomise(torch.nn.Sequential(torch.nn.Conv2d(16, 16, 7, groups=16), norm(16)))
    x = graph.conv(x, pool[0], pool[1])
    if baked:
        x = graph.add("Reshape", x, graph.add("Constant", value=numpy_helper.from_array(np.array([1, -1]))))
    else:
        shape = graph.add("Shape", x)
        size = graph.add("Gather", shape, graph.constant(np.array(0)), axis=0)
        parts = graph.add("Unsqueeze", size, axes=[0]), graph.constant(np.array([-1]))
        x = graph.add("Reshape", x, graph.add("Concat", *parts, axis=0))
    last = randomise(torch.nn.Sequential(torch.nn.Linear(16, dim, bias=False), torch.nn.BatchNorm1d(dim)))
    x = graph.add("MatMul", x, graph.constant(last[0].weight.t()))
    x = graph.add("Squeeze", graph.norm(graph.add("Unsqueeze", x, axes=[2]), "features", last[1]), axes=[2])
    return graph.save(path, x, dim=dim)


def write_decoy(path: Path, *, size: int | None, outputs: int = 1) -> Path:
    """Another member of a pack: insightface routes by input size and number of outputs."""
    shape = [1, 3, size or "?", size or "?"]
    image = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, shape)
    nodes = [helper.make_node("Flatten", ["input.1"], [f"out{i}"], axis=1) for i in range(outputs)]
    results = [helper.make_tensor_value_info(f"out{i}", TensorProto.FLOAT, [1, None]) for i in range(outputs)]
    graph = helper.make_graph(nodes, "torch-jit-export", [image], results)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6), path)
    return path
