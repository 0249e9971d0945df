"""The recognition networks of insightface's model zoo as a frozen teacher."""

from __future__ import annotations

from torch import Tensor

from padkit.roles import Features, Teacher
from padkit_arcface.graph import OnnxNetwork
from padkit_arcface.zoo import find


class InsightFaceTeacher(Teacher):
    """Face recognition teacher from insightface's zoo or any ArcFace-style ONNX file.

    The graph is converted to torch operations, so a training step runs it on the student's device and in its precision.
    It gives the embedding of insightface's own `get_feat` and the maps in which its stages end; of an iResNet (all
    packs but the MobileFaceNets of `buffalo_s` and `buffalo_sc`) 64x56x56, 128x28x28, 256x14x14 and 512x7x7. Input
    size, mean and standard deviation are those insightface uses.

    Args:
        model: Pack of the zoo (buffalo_l, buffalo_m, buffalo_s, buffalo_sc, antelopev2), a folder that holds one, or
            an ONNX file.
        download: Let insightface download a pack that is not there; its models are for non-commercial research only.
        root: insightface's folder; packs are looked for in `models/` in it.

    Raises:
        WeightsError: The pack or file is missing, cannot be downloaded, or is not a known recognition network.
    """

    def __init__(self, *, model: str = "buffalo_l", download: bool = False, root: str = "~/.insightface") -> None:
        super().__init__()
        found = find(model, root, download=download)
        self.network = OnnxNetwork(found.file, found.input_size)
        self.input_size = found.input_size
        self.mean, self.std = (found.mean,) * 3, (found.std,) * 3
        self.train()

    def extract(self, inputs: Tensor) -> Features:
        """Return maps and embedding of `inputs` [B, 3, input_size, input_size], standardised RGB."""
        return Features(*self.network(inputs))
