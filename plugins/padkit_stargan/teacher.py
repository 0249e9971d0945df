"""StarGAN as a frozen teacher."""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor

from padkit.errors import SettingsError, closest
from padkit.networks.feature_maps import N_MAPS, pick
from padkit.roles import Features, Teacher
from padkit.settings.ranges import Count, Range
from padkit.weights import read_embedded, read_weights
from padkit_stargan.network import DOWN, Discriminator, Generator, load_discriminator, load_generator

EMBEDDED = {"discriminator": "stargan_D_simulated.safetensors", "generator": "stargan_G_simulated.safetensors"}


class StarGANTeacher(Teacher):
    """Face attribute editing teacher.

    The discriminator's trunk has a map of stride 2, 4, 8, ...; the published ones take 128 x 128 or 256 x 256 pixels
    and have six, at 128 of 64x64x64, 128x32x32, 256x16x16, 512x8x8, 1024x4x4 and 2048x2x2. The generator's encoder has
    the maps after the first convolution, the two downsamplings and the bottleneck (strides 1, 2, 4, 4); the attributes
    asked of it are all zero, because those of a photograph are unknown. Width, depth, attribute count and image size
    are recognised from the weights.

    Args:
        weights: State dict of the published code (`200000-D.ckpt`, `200000-G.ckpt`) or safetensors of the same keys;
            None takes the small network that ships with padkit, which was trained on simulated faces.
        source: The half of StarGAN that `weights` holds and that gives the features.
        input_size: Side in pixels that faces are resized to before the generator, which takes any multiple of 4;
            the discriminator's is fixed by its weights and this is ignored.
        maps: Which of its maps to give, numbered from 1, the shallowest; by default the first four.
        pooled: Give the global average of the deepest of the maps as the embedding; without it there is none, as the
            earlier code of DTDA's authors (FRT-PAD) takes only maps from StarGAN.

    Raises:
        WeightsError: The file cannot be read or is not of this half of StarGAN.
        SettingsError: `source`, `input_size` or `maps` is impossible.
    """

    def __init__(
        self,
        *,
        weights: str | None = None,
        source: Literal["discriminator", "generator"] = "discriminator",
        input_size: Annotated[int, Range(4, 2048, multiple=4)] = 128,
        maps: list[Count] | None = None,
        pooled: bool = False,
    ) -> None:
        super().__init__()
        if source not in EMBEDDED:
            raise SettingsError(f"stargan: source {source!r} is unknown;{closest(source, EMBEDDED)}")
        state = read_embedded("padkit_stargan", EMBEDDED[source]) if weights is None else read_weights(weights)
        name = weights or EMBEDDED[source]
        self.pooled = pooled
        self.network: Generator | Discriminator
        if source == "generator":
            if input_size < 1 or input_size % 2**DOWN:
                raise SettingsError(f"stargan: input_size {input_size} must be a positive multiple of {2**DOWN}")
            self.network = load_generator(state, name)
            self.input_size = input_size
        else:
            self.network = load_discriminator(state, name)
            self.input_size = self.network.shape.image_size
        count = self.network.n_maps
        self.chosen = list(range(count))[:N_MAPS] if maps is None else pick(maps, count, "stargan")
        self.requires_grad_(requires_grad=False)
        self.train()

    def extract(self, inputs: Tensor) -> Features:
        """Return the chosen maps of `inputs` [B, 3, input_size, input_size], RGB in [-1, 1]."""
        if isinstance(self.network, Generator):
            found = self.network.encode(inputs, inputs.new_zeros(len(inputs), self.network.shape.attributes))
        else:
            found = self.network.maps(inputs, self.chosen[-1] + 1)
        maps = tuple(found[index] for index in self.chosen)
        return Features(maps, maps[-1].mean(dim=(2, 3)) if self.pooled else None)
