"""CLIP's image tower as a student."""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor, nn

from padkit.errors import SettingsError
from padkit.networks.inputs import resize
from padkit.roles import Student, StudentFeatures
from padkit.settings.ranges import Channels, CropSide, Positive
from padkit_clip.loading import build
from padkit_clip.lora import add_lora
from padkit_clip.prompts import text_head
from padkit_clip.tower import Tower


class ClipStudent(Student):
    """The image tower of an open_clip model, trained fully, by LoRA, or not at all.

    With `tuning` frozen and `head` text it is CLIP's zero-shot scorer: training then fits the temperature alone. With
    `tuning` frozen and `head` linear it is a linear probe. Images are resized to the model's size. The model bundle
    holds everything, the texts' vectors included; it needs neither text tower nor download.

    Args:
        model: Name of the model in open_clip. Weights trained with QuickGELU, as OpenAI's, are of the models whose name
            ends in `-quickgelu`.
        pretrained: Tag of the weights for open_clip to download, for example `laion2b_s34b_b88k`. With `weights`, the
            tag that file is of: it names the normalisation, and nothing is downloaded.
        weights: File with the state dict of the whole model (safetensors, or a checkpoint of tensors only); or a run
            of padkit with such a student, tuned fully or frozen, which gives the image tower alone.
        image_size: Side in pixels instead of the model's own; position embeddings are interpolated.
        tuning: What of the tower trains: all of it, a low-rank addition to its linear layers, or nothing.
        lora_rank: Rank of that addition.
        lora_alpha: Scale of that addition, over its rank.
        head: Linear layer, or cosine with the mean embeddings of texts, times a temperature (as FLIP).
        live_prompts: Texts of live faces for the text head; by default a few of ours.
        attack_prompts: Texts of attacks for the text head; by default a few of ours.

    Raises:
        SettingsError: A setting is impossible.
        WeightsError: The weights cannot be loaded or downloaded, or do not fit.
    """

    def __init__(
        self,
        *,
        model: str = "ViT-B-16",
        pretrained: str | None = None,
        weights: str | None = None,
        image_size: CropSide | None = None,
        tuning: Literal["full", "lora", "frozen"] = "full",
        lora_rank: Channels = 8,
        lora_alpha: Positive = 16.0,
        head: Literal["linear", "text"] = "linear",
        live_prompts: list[str] | None = None,
        attack_prompts: list[str] | None = None,
    ) -> None:
        super().__init__()
        if lora_rank < 1:
            raise SettingsError(f"student.lora_rank {lora_rank} must be at least 1.")
        clip = build(model, pretrained=pretrained, weights=weights, image_size=image_size)
        if head == "text" and weights and not clip.trained:
            raise SettingsError(f"student.weights {weights} hold no texts' tower; use student.head linear.")
        self.tower = Tower(clip.model.visual)
        self.tuning, self.size = tuning, clip.size
        # Part of the state, because a bundle is rebuilt without the tag that names them.
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(clip.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(clip.std).view(1, -1, 1, 1))
        self.channels, self.strides, self.embedding_dim = self._layout()
        # In a tuple, so that the head is a submodule of the detector, not of this module.
        self._head = (text_head(clip, self.embedding_dim, live_prompts, attack_prompts),) if head == "text" else ()
        if tuning == "lora" and not add_lora(self.tower, lora_rank, lora_alpha):
            raise SettingsError(f"student.tuning: {model} has no linear layers for lora; use full or frozen.")
        if tuning == "frozen":
            self.tower.requires_grad_(requires_grad=False)
        self.train()

    @torch.no_grad()
    def _layout(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        maps, embedding = self.tower.eval()(torch.zeros(1, 3, self.size, self.size))
        return tuple(m.shape[1] for m in maps), tuple(self.size // m.shape[2] for m in maps), embedding.shape[1]

    def forward(self, images: Tensor) -> StudentFeatures:
        """Return four maps and the embedding of `images` [B, 3, H, W], RGB in [0, 1]."""
        features: StudentFeatures = self.tower((resize(images, self.size) - self.mean) / self.std)
        return features

    def make_head(self) -> nn.Module:
        """Return the text head, or a new linear one."""
        return self._head[0] if self._head else super().make_head()

    def train(self, mode: bool = True) -> Self:
        """Set training mode, except for a frozen tower, whose normalisation statistics must not change."""
        super().train(mode)
        if self.tuning != "full":
            self.tower.eval()
        return self
