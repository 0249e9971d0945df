"""The improved residual network of ArcFace (Deng et al., CVPR 2019), with the state-dict keys of arcface_torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from padkit.errors import WeightsError
from padkit.weights import load_matched, unwrap

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}
STAGES = 4
REDUCTION = 16  # four stages of stride 2


@dataclass(frozen=True, slots=True, kw_only=True)
class IResNetShape:
    """The numbers that define an iResNet.

    Attributes:
        blocks: Residual blocks of the four stages, see `DEPTHS`.
        channels: Channels after the four stages.
        stem: Channels of the first convolution.
        embedding: Length of the embedding.
        input_size: Side of the square input in pixels, a multiple of 16.
    """

    blocks: tuple[int, ...] = DEPTHS[18]
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem: int = 64
    embedding: int = 512
    input_size: int = 112

    @property
    def name(self) -> str:
        """The network's usual name, for example `iResNet-50`."""
        depth = next((depth for depth, blocks in DEPTHS.items() if blocks == self.blocks), None)
        return f"iResNet-{depth}" if depth else f"iResNet{list(self.blocks)}"


class Block(nn.Module):
    """Improved residual block: BN-Conv-BN-PReLU-Conv(stride)-BN beside the identity or a 1x1 convolution with BN."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, h / stride, w / stride] for `x` [B, inputs, h, w]."""
        y: Tensor = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        y = self.bn3(self.conv2(y))
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        return y + shortcut


class IResNet(nn.Module):
    """iResNet of any depth and width.

    Args:
        shape: Depth, width, embedding length and input size.
    """

    def __init__(self, shape: IResNetShape) -> None:
        super().__init__()
        if len(shape.blocks) != STAGES or len(shape.channels) != STAGES or shape.input_size % REDUCTION:
            raise ValueError(f"not an iResNet: {shape}")
        self.shape = shape
        last = shape.channels[-1]
        self.conv1 = nn.Conv2d(3, shape.stem, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.stem)
        self.prelu = nn.PReLU(shape.stem)
        inputs = (shape.stem, *shape.channels[:-1])
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(*sizes) for sizes in zip(inputs, shape.channels, shape.blocks, strict=True)
        )
        self.bn2 = nn.BatchNorm2d(last)
        self.fc = nn.Linear(last * (shape.input_size // REDUCTION) ** 2, shape.embedding)
        self.features = nn.BatchNorm1d(shape.embedding)
        self.features.weight.requires_grad = False  # a scale has no effect on the normalised embedding

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the four stages (strides 2 to 16); `images` as for `forward`."""
        x = self.prelu(self.bn1(self.conv1(images)))
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def embed(self, deepest: Tensor) -> Tensor:
        """Return embeddings [B, embedding], not normalised, of the fourth map."""
        x: Tensor = self.features(self.fc(torch.flatten(self.bn2(deepest), 1)))
        return x

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings [B, embedding] of `images` [B, 3, input_size, input_size], RGB in [-1, 1]."""
        return self.embed(self.maps(images)[-1])


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    first = Block(inputs, outputs, stride=2)
    return nn.Sequential(first, *(Block(outputs, outputs, stride=1) for _ in range(blocks - 1)))


def initialise(network: IResNet) -> None:
    """Set weights for training: kernels from N(0, 0.1) as in arcface_torch; the last BatchNorm of a block is kept."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.1)


def recognise(state: Mapping[str, Tensor], source: str | Path) -> IResNetShape:
    """Return the depth, width, embedding length and input size that the tensors of an iResNet imply.

    Args:
        state: Tensors by arcface_torch's names.
        source: Where they come from, for the error.

    Raises:
        WeightsError: A key that defines the shape is missing, or the shapes are not an iResNet's.
    """
    blocks = []
    for stage in range(1, STAGES + 1):
        indices = {key.split(".")[1] for key in state if key.startswith(f"layer{stage}.") and key.count(".") > 1}
        blocks.append(len(indices))
    telling = ["conv1.weight", "fc.weight", *(f"layer{stage}.0.conv1.weight" for stage in range(1, STAGES + 1))]
    missing = [key for key in telling if key not in state]
    if missing:
        raise WeightsError(
            f"weights {source} are not an iResNet's: {', '.join(missing)} missing; "
            "give the state dict of an arcface_torch backbone (backbone.pth)"
        )
    flat = [key for key in telling if state[key].ndim != (2 if key == "fc.weight" else 4)]
    if flat:
        shapes = ", ".join(f"{key} {tuple(state[key].shape)}" for key in flat)
        raise WeightsError(f"weights {source} are not an iResNet's: unknown shape of {shapes}; give a backbone.pth")
    channels = tuple(state[key].shape[0] for key in telling[2:])
    embedding, columns = state["fc.weight"].shape
    cells = math.isqrt(columns // channels[-1])
    if cells == 0 or cells * cells * channels[-1] != columns:
        raise WeightsError(
            f"weights {source}: fc.weight has {columns} columns, which is no square map of {channels[-1]} channels; "
            "only square inputs are known"
        )
    return IResNetShape(
        blocks=tuple(blocks),
        channels=channels,
        stem=state["conv1.weight"].shape[0],
        embedding=embedding,
        input_size=cells * REDUCTION,
    )


def load(state: Mapping[str, Tensor], source: str | Path) -> IResNet:
    """Return the iResNet that `state` describes, with its weights; every key must match.

    Raises:
        WeightsError: The tensors are not an iResNet's.
    """
    state = unwrap(state, ["conv1.weight"])
    network = IResNet(recognise(state, source))
    load_matched(network, state, source)
    return network
