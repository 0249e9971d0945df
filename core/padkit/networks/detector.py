"""The deployable part: a student and its classification head. Everything else exists only to train it."""

from __future__ import annotations

from torch import Tensor, nn

from padkit.errors import SettingsError
from padkit.roles import Features, Student


class Detector(nn.Module):
    """A student with its head of two classes: 0 = attack, 1 = bona fide."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        self.head = student.make_head()

    def classify(self, features: Features) -> Tensor:
        """Return the logits [B, 2] of the student's `features`."""
        if features.embedding is None:
            raise SettingsError(f"student {type(self.student).__name__} gives no embedding; the head needs one.")
        logits: Tensor = self.head(features.embedding)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Return P(bona fide) [B] in [0, 1], float32, of `images` [B, 3, H, W], RGB in [0, 1]."""
        return self.classify(self.student(images)).float().softmax(dim=1)[:, 1]
