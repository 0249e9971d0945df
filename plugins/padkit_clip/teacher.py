"""CLIP's image tower as a frozen teacher."""

from __future__ import annotations

from torch import Tensor

from padkit.errors import SettingsError
from padkit.roles import Features, Teacher
from padkit.settings.ranges import Count, CropSide
from padkit_clip.loading import build
from padkit_clip.tower import Tower


class ClipTeacher(Teacher):
    """The image tower of an open_clip model (CLIP, OpenCLIP, SigLIP, MetaCLIP, ...), with its own normalisation.

    It gives the image embedding that is compared with texts, not normalised, and as maps the token grids of a vision
    transformer's blocks or the stages of a ResNet.

    Args:
        model: Name of the model in open_clip. Weights trained with QuickGELU, as OpenAI's, are of the models whose name
            ends in `-quickgelu`.
        pretrained: Tag of the weights for open_clip to download, for example `laion2b_s34b_b88k`. With `weights`, the
            tag that file is of: it names the normalisation, and nothing is downloaded.
        weights: File with the state dict of the whole model (safetensors, or a checkpoint of tensors only).
        image_size: Side in pixels instead of the model's own; position embeddings are interpolated.
        maps: Which levels to give (blocks or stages), numbered from 1, the shallowest; by default four spread over the
            depth.

    Raises:
        SettingsError: The model, its tag, its size or its maps are impossible, or no weights are named.
        WeightsError: The weights cannot be loaded or downloaded, or do not fit.
    """

    def __init__(
        self,
        *,
        model: str = "ViT-B-16",
        pretrained: str | None = None,
        weights: str | None = None,
        image_size: CropSide | None = None,
        maps: list[Count] | None = None,
    ) -> None:
        super().__init__()
        if not pretrained and not weights:
            raise SettingsError(
                f"clip: a teacher must have learnt something; set pretrained to a tag of {model} to download its "
                "weights, or name a weights file."
            )
        clip = build(model, pretrained=pretrained, weights=weights, image_size=image_size)
        self.tower = Tower(clip.model.visual, maps)
        self.input_size, self.mean, self.std = clip.size, clip.mean, clip.std
        self.requires_grad_(requires_grad=False)
        self.train()

    def extract(self, inputs: Tensor) -> Features:
        """Return maps and embedding of `inputs` [B, 3, input_size, input_size], standardised RGB."""
        features: Features = self.tower(inputs)
        return features
