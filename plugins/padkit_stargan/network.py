"""Generator and discriminator of StarGAN (Choi et al., CVPR 2018), with the state-dict keys of the published code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import WeightsError
from padkit.weights import load_matched, unwrap

DOWN = 2  # the generator halves and doubles the resolution twice
SLOPE = 0.01
ENTRY = re.compile(r"main\.(\d+)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorShape:
    """The numbers that define a generator.

    Attributes:
        attributes: Facial attributes it edits.
        width: Channels of the first convolution.
        blocks: Residual blocks of the bottleneck.
    """

    attributes: int = 5
    width: int = 64
    blocks: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscriminatorShape:
    """The numbers that define a discriminator.

    Attributes:
        attributes: Facial attributes it classifies.
        width: Channels of the first convolution; each later one has twice as many.
        layers: Convolutions of stride 2 in the trunk.
        image_size: Side of the square input in pixels, a multiple of 2^layers.
    """

    attributes: int = 5
    width: int = 64
    layers: int = 6
    image_size: int = 128


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation that carries running statistics but normalises by each image's own.

    The published code never leaves training mode, so its results are based on each image's own statistics, although its
    checkpoints also hold running ones. Here evaluation mode computes the same and changes no statistics.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True, track_running_stats=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` [B, C, h, w] with each image's channels standardised, scaled and shifted."""
        if self.training:
            return super().forward(x)
        return F.instance_norm(x, None, None, self.weight, self.bias, use_input_stats=True, eps=self.eps)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance normalisation beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            InstanceNorm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x` [B, C, h, w]."""
        y: Tensor = x + self.main(x)
        return y


class Generator(nn.Module):
    """Redraws a face with the requested attributes.

    Args:
        shape: Attributes, width and depth.
    """

    def __init__(self, shape: GeneratorShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        layers: list[nn.Module] = [nn.Conv2d(3 + shape.attributes, width, 7, padding=3, bias=False)]
        layers += [InstanceNorm(width), nn.ReLU(inplace=True)]
        for _ in range(DOWN):
            layers += [nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False)]
            width *= 2
            layers += [InstanceNorm(width), nn.ReLU(inplace=True)]
        layers += [ResidualBlock(width) for _ in range(shape.blocks)]
        for _ in range(DOWN):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False)]
            width //= 2
            layers += [InstanceNorm(width), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(width, 3, 7, padding=3, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def _planes(self, images: Tensor, attributes: Tensor) -> Tensor:
        planes = attributes.to(images.dtype)[:, :, None, None].expand(-1, -1, *images.shape[-2:])
        return torch.cat([images, planes], dim=1)

    @property
    def n_maps(self) -> int:
        """Number of maps that `encode` returns."""
        return 2 + DOWN

    def encode(self, images: Tensor, attributes: Tensor) -> tuple[Tensor, ...]:
        """Return the maps after the first convolution, the two downsamplings and the bottleneck (strides 1, 2, 4, 4).

        Args:
            images: [B, 3, H, W], RGB in [-1, 1]; H and W multiples of 4.
            attributes: [B, attributes], the requested labels, 0 or 1.
        """
        x = self._planes(images, attributes)
        ends = [3 * (stage + 1) for stage in range(1 + DOWN)]
        ends.append(ends[-1] + self.shape.blocks)
        maps = []
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            x = self.main[start:end](x)
            maps.append(x)
        return tuple(maps)

    def forward(self, images: Tensor, attributes: Tensor) -> Tensor:
        """Return edited images [B, 3, H, W] in [-1, 1]; the arguments are those of `encode`."""
        edited: Tensor = self.main(self._planes(images, attributes))
        return edited


class Discriminator(nn.Module):
    """Tells real from edited patches and classifies the attributes.

    Args:
        shape: Attributes, width, depth and image size.
    """

    def __init__(self, shape: DiscriminatorShape) -> None:
        super().__init__()
        if shape.image_size % 2**shape.layers:
            raise ValueError(f"image_size {shape.image_size} is no multiple of 2^{shape.layers}")
        self.shape = shape
        width = shape.width
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for _ in range(shape.layers - 1):
            layers += [nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            width *= 2
        self.main = nn.Sequential(*layers)
        self.conv1 = nn.Conv2d(width, 1, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, shape.attributes, shape.image_size // 2**shape.layers, bias=False)

    @property
    def n_maps(self) -> int:
        """Number of maps that `maps` returns."""
        return self.shape.layers

    def maps(self, images: Tensor, count: int | None = None) -> tuple[Tensor, ...]:
        """Return the trunk's maps (strides 2, 4, 8, ...), the first `count` or all.

        Args:
            images: [B, 3, image_size, image_size], RGB in [-1, 1].
            count: How many layers to run.
        """
        x, maps = images, []
        for layer in range(self.shape.layers if count is None else count):
            x = self.main[2 * layer : 2 * layer + 2](x)
            maps.append(x)
        return tuple(maps)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return realness [B, 1, h, w] (no range) and attribute logits [B, attributes] of `images` as for `maps`."""
        x = self.main(images)
        return self.conv1(x), self.conv2(x).flatten(1)


def _kernel(state: Mapping[str, Tensor], key: str, source: str | Path, network: str) -> torch.Size:
    tensor = state.get(key)
    if tensor is None or tensor.ndim != len("oihw"):
        found = "missing" if tensor is None else f"of the unknown shape {tuple(tensor.shape)}"
        raise WeightsError(
            f"weights {source} are not a StarGAN {network}'s: {key} is {found}; "
            f"give a {'*-G.ckpt' if network == 'generator' else '*-D.ckpt'} of the published code"
        )
    return tensor.shape


def recognise_generator(state: Mapping[str, Tensor], source: str | Path) -> GeneratorShape:
    """Return attribute count, width and depth that a generator's tensors imply.

    Raises:
        WeightsError: A telling key is missing or has an unknown shape.
    """
    width, inputs, *_ = _kernel(state, "main.0.weight", source, "generator")
    blocks = {match[0] for key in state if (match := ENTRY.match(key)) and key.startswith(f"{match[0]}main.")}
    if not blocks or inputs <= len("RGB"):
        raise WeightsError(
            f"weights {source} are not a StarGAN generator's: {len(blocks)} residual blocks, {inputs} input planes; "
            "give a *-G.ckpt of the published code (a *-D.ckpt goes with source=discriminator)"
        )
    return GeneratorShape(attributes=inputs - len("RGB"), width=width, blocks=len(blocks))


def recognise_discriminator(state: Mapping[str, Tensor], source: str | Path) -> DiscriminatorShape:
    """Return attribute count, width, depth and image size that a discriminator's tensors imply.

    Raises:
        WeightsError: A telling key is missing or has an unknown shape.
    """
    width, *_ = _kernel(state, "main.0.weight", source, "discriminator")
    attributes, _, cells, _ = _kernel(state, "conv2.weight", source, "discriminator")
    layers = len({match[0] for key in state if (match := ENTRY.match(key))})
    return DiscriminatorShape(attributes=attributes, width=width, layers=layers, image_size=cells * 2**layers)


def load_generator(state: Mapping[str, Tensor], source: str | Path) -> Generator:
    """Return the generator that `state` describes, with its weights, every key matched.

    Raises:
        WeightsError: The tensors are not a generator's.
    """
    state = unwrap(state, ["main.0.weight"])
    network = Generator(recognise_generator(state, source))
    load_matched(network, state, source)
    return network


def load_discriminator(state: Mapping[str, Tensor], source: str | Path) -> Discriminator:
    """Return the discriminator that `state` describes, with its weights, every key matched.

    Raises:
        WeightsError: The tensors are not a discriminator's.
    """
    state = unwrap(state, ["main.0.weight"])
    network = Discriminator(recognise_discriminator(state, source))
    load_matched(network, state, source)
    return network
