"""ArcFace as a frozen teacher."""

from __future__ import annotations

from torch import Tensor

from padkit.errors import WeightsError
from padkit.roles import Features, Teacher
from padkit.weights import read_embedded, read_weights
from padkit_arcface.network import load

EMBEDDED = "arcface_simulated.safetensors"


class ArcFaceTeacher(Teacher):
    """Face recognition teacher: the maps after the four stages (strides 2, 4, 8, 16) and the embedding.

    Depth (18, 34, 50, 100, 200), width, embedding length and input size are recognised from the weights; the genuine
    ones of arcface_torch take 112 x 112 pixels and give 64x56x56, 128x28x28, 256x14x14, 512x7x7 and 512 numbers.

    Args:
        weights: State dict of an arcface_torch backbone (`backbone.pth`) or safetensors of the same keys;
            None takes the small network that ships with padkit, which was trained on simulated faces.

    Raises:
        WeightsError: The file cannot be read or is not an iResNet's.
    """

    def __init__(self, *, weights: str | None = None) -> None:
        super().__init__()
        if weights is not None and weights.endswith(".onnx"):
            raise WeightsError(f"arcface: {weights} is an ONNX file; the teacher `insightface` takes it as its model")
        state = read_embedded("padkit_arcface", EMBEDDED) if weights is None else read_weights(weights)
        self.network = load(state, weights or EMBEDDED)
        self.input_size = self.network.shape.input_size
        self.requires_grad_(requires_grad=False)
        self.train()

    def extract(self, inputs: Tensor) -> Features:
        """Return the four maps and the embedding of `inputs` [B, 3, input_size, input_size], RGB in [-1, 1]."""
        maps = self.network.maps(inputs)
        return Features(maps, self.network.embed(maps[-1]))
