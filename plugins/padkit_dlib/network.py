"""dlib's face recognition ResNet: 29 convolutions and one matrix; an inference network, affine layers folded in.

Architecture: `dnn_face_recognition_ex.cpp` of dlib's examples. A block is 3x3, ReLU, 3x3, plus the shortcut, ReLU. The
first block of a halving stage has a first convolution of stride 2 without padding; its shortcut is averaged over 2 x 2
pixels. Where the two differ in channels or size, the smaller is filled up with zeros, on the right and below.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = (3, 4, 3, 3, 1)  # of the stages; all but the first halve
SIZE = 150  # side of the input in pixels
COLOUR = (122.782, 117.001, 104.298)  # mean of RGB in [0, 255] that is subtracted
SCALE = 256.0  # what it is divided by then


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels of the stem and the first stage (one number), of the following stages, and length of the embedding."""

    stages: tuple[int, ...] = (32, 64, 128, 256, 256)
    embedding: int = 128


class Block(nn.Module):
    """Residual block [B, inputs, h, w] -> [B, outputs, h', w']."""

    def __init__(self, inputs: int, outputs: int, *, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2 if halve else 1, padding=0 if halve else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output; maps are never negative."""
        y: Tensor = self.conv2(F.relu(self.conv1(x)))
        shortcut = F.avg_pool2d(x, 2) if self.halve else x
        sizes = [max(pair) for pair in zip(y.shape[1:], shortcut.shape[1:], strict=True)]
        return F.relu(_filled(y, sizes) + _filled(shortcut, sizes))


def _filled(x: Tensor, sizes: list[int]) -> Tensor:
    channels, height, width = (wanted - found for wanted, found in zip(sizes, x.shape[1:], strict=True))
    return F.pad(x, (0, width, 0, height, 0, channels)) if channels or height or width else x


class FaceNet(nn.Module):
    """The network; 150 x 150 pixels give maps of 35, 17, 8, 4 and 2 cells a side.

    Args:
        widths: Channels and embedding length.
    """

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths = widths
        self.stem = nn.Conv2d(3, widths.stages[0], 7, stride=2)
        inputs = (widths.stages[0], *widths.stages[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(outputs if i else before, outputs, halve=bool(stage) and i == 0) for i in range(n)))
            for stage, (before, outputs, n) in enumerate(zip(inputs, widths.stages, BLOCKS, strict=True))
        )
        self.fc = nn.Linear(widths.stages[-1], widths.embedding, bias=False)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the five stages of `images` [B, 3, 150, 150], (255 RGB - COLOUR) / 256."""
        x = F.max_pool2d(F.relu(self.stem(images)), 3, stride=2)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return tuple(found)

    def embed(self, deepest: Tensor) -> Tensor:
        """Return embeddings [B, embedding] of the fifth map; dlib compares them by Euclidean distance."""
        x: Tensor = self.fc(deepest.mean(dim=(2, 3)))
        return x
