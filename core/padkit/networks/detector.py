"""The detector, the part that is deployed: a student and its classification head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from padkit.networks.frozen import frozen_call
from padkit.roles import Student, StudentFeatures


class Detector(nn.Module):
    """A student with its head of two classes: 0 = attack, 1 = bona fide."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        self.head = student.make_head()

    def classify(self, features: StudentFeatures) -> Tensor:
        """Return the logits [B, 2] of the student's `features`."""
        logits: Tensor = self.head(features.embedding)
        return logits

    def score(self, features: StudentFeatures) -> Tensor:
        """Return P(bona fide) [B] in [0, 1], float32, of the student's `features`."""
        return self.classify(features).float().softmax(dim=1)[:, 1]

    def forward(self, images: Tensor) -> Tensor:
        """Return P(bona fide) [B] in [0, 1], float32, of `images` [B, 3, H, W], RGB in [0, 1]."""
        return self.score(self.student(images))


def label_loss(detector: Detector, images: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy [B], float32, of each of `images` [B, 3, H, W] for `detector` in its present state.

    Its gradient reaches only the images. This is what `padkit.roles.Batch.label_loss` calls.
    """
    features: StudentFeatures = frozen_call(detector.student, images)
    logits: Tensor = frozen_call(detector.head, features.embedding)
    return F.cross_entropy(logits.float(), labels, reduction="none")
