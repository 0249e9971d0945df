"""The detector, the part that is deployed: a student and its classification head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.errors import SettingsError, closest
from padkit.networks.frozen import frozen_call
from padkit.networks.views import CORNER, VIEWS, Views
from padkit.roles import Student, StudentFeatures


class Detector(nn.Module):
    """A student with its head of two classes: 0 = attack, 1 = bona fide.

    Args:
        student: The student.
        views: What of a crop its score is made of: `one`, the whole crop; `five`, that and its corners (`viewed`).

    Raises:
        SettingsError: There are no such views.
    """

    def __init__(self, student: Student, views: Views = "one") -> None:
        super().__init__()
        if views not in VIEWS:
            raise SettingsError(f"views {views!r} are unknown.{closest(str(views), [*VIEWS])}")
        self.student = student
        self.head = student.make_head()
        self.views: Views = views

    def classify(self, features: StudentFeatures) -> Tensor:
        """Return the logits [B, 2] of the student's `features`; training learns from them, scores come from `judge`."""
        logits: Tensor = self.head(features.embedding)
        return logits

    def judge(self, images: Tensor, temperature: float = 1.0) -> tuple[StudentFeatures, Tensor]:
        """Return the student's features of whole images, and their scores, by one pass through the student.

        Args:
            images: [B, 3, H, W], RGB in [0, 1].
            temperature: What the logits are divided by.

        Returns:
            The features of the images as they are, and P(bona fide) [B] in [0, 1], float32: of the mean of the logits
            over the views.
        """
        features: StudentFeatures = self.student(viewed(images, self.views))
        logits = self.classify(features).float()
        if self.views != "one":
            count = images.shape[0]
            logits = logits.reshape(VIEWS[self.views], count, 2).mean(dim=0)
            features = StudentFeatures(tuple(each[:count] for each in features.maps), features.embedding[:count])
        return features, (logits / temperature).softmax(dim=1)[:, 1]

    def forward(self, images: Tensor) -> Tensor:
        """Return P(bona fide) [B] in [0, 1], float32, of `images` [B, 3, H, W], RGB in [0, 1]."""
        return self.judge(images)[1]


def viewed(images: Tensor, views: Views) -> Tensor:
    """Return what of images is judged, [V x B, 3, H, W]: first all of them as they are, then all by their next view.

    The further views of `five` are the corners, cut at `CORNER` of the sides in whole pixels and enlarged to the whole
    again (bilinear, pixel centres half a pixel in): top left, top right, bottom left, bottom right. Those of one
    diagonal, top right and bottom left, are mirrored left to right.

    Args:
        images: [B, 3, H, W].
        views: Which.
    """
    if views == "one":
        return images
    height, width = images.shape[2:]
    down, across = round(CORNER * height), round(CORNER * width)
    above, below = images[:, :, :down], images[:, :, height - down :]
    corners = torch.cat(
        [
            above[..., :across], above[..., width - across :].flip(3),
            below[..., :across].flip(3), below[..., width - across :],
        ]
    )  # fmt: skip
    enlarged = F.interpolate(corners, size=(height, width), mode="bilinear", align_corners=False)
    return torch.cat([images, enlarged])


def label_loss(detector: Detector, images: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy [B], float32, of each of `images` [B, 3, H, W] for `detector` in its present state.

    Its gradient reaches only the images. This is what `padkit.roles.Batch.label_loss` calls.
    """
    features: StudentFeatures = frozen_call(detector.student, images)
    logits: Tensor = frozen_call(detector.head, features.embedding)
    return F.cross_entropy(logits.float(), labels, reduction="none")
