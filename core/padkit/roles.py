"""The base classes that plugins implement: `Teacher`, `Aligner` and `Student`.

`DatasetReader` (`padkit.data.reader`) and `Augmentation` (`padkit.data.augmentation`) are in their own modules, because
they need no torch. One rule for every role: a constructor's keyword-only parameters are the component's settings;
padkit passes the positional parameters.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from padkit.networks.inputs import central, normalise

__all__ = ["Aligner", "Batch", "Features", "LabelLoss", "Student", "StudentFeatures", "Teacher"]

LabelLoss = Callable[[Tensor, Tensor], Tensor]


class Features(NamedTuple):
    """The features that a network computes from images.

    Attributes:
        maps: Feature maps [B, C_i, h_i, w_i], from shallow to deep.
        embedding: One vector per image [B, D]; a teacher may have none (None).
    """

    maps: tuple[Tensor, ...]
    embedding: Tensor | None


class StudentFeatures(Features):
    """The features of a student, always with an embedding, which its head, aligners and distillation need.

    Attributes:
        maps: Feature maps [B, C_i, h_i, w_i], from shallow to deep.
        embedding: One vector per image [B, D].
    """

    __slots__ = ()
    embedding: Tensor

    def __new__(cls, maps: tuple[Tensor, ...], embedding: Tensor) -> Self:
        """Replace the constructor of `Features`, whose embedding may be None."""
        return super().__new__(cls, maps, embedding)


@dataclass(frozen=True, slots=True)
class Batch:
    """A labelled batch on the training device.

    Attributes:
        images: [B, 3, H, W], RGB in [0, 1].
        labels: [B] int64, 1 = bona fide, 0 = attack.
        domains: [B] int64, index of the source domain.
        label_loss: (images [n, 3, H, W], labels [n]) -> [n] float32, the cross-entropy of any images for the detector
            in its present state, in evaluation mode. Its gradient reaches only the images; it is all that an
            aligner learns about the detector. padkit always provides it.
    """

    images: Tensor
    labels: Tensor
    domains: Tensor
    label_loss: LabelLoss | None = None


class Teacher(nn.Module):
    """A frozen network. `forward` takes RGB in [0, 1], like every part of padkit; it resizes and normalises the images.

    `__init__(self, *, <settings>)`. A subclass sets `input_size`, `mean`, `std` and `crop` and implements `extract`. A
    teacher stays in evaluation mode even if `train()` is called, so that its normalisation statistics never change.

    Attributes:
        crop: Central share, in (0, 1], of the crop's side that the network looks at: padkit's crops show more than the
            tight faces some networks were trained on. Its maps show that part alone.
        input_size: Side in pixels of the square the network was trained on; None accepts any size.
        mean, std: Per-channel standardisation of RGB in [0, 1]; the default maps to [-1, 1].
    """

    crop: float = 1.0
    input_size: int | None = None
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @abstractmethod
    def extract(self, inputs: Tensor) -> Features:
        """Return the features of resized, normalised `inputs` [B, 3, input_size, input_size].

        It must not write to `inputs`: teachers that take the same ones share them.
        """

    def forward(self, images: Tensor) -> Features:
        """Return the features of `images` [B, 3, H, W], RGB in [0, 1]."""
        return self.extract(normalise(central(images, self.crop), self.input_size, self.mean, self.std))

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - the signature is torch's
        """Stay in evaluation mode; `mode` is ignored."""
        return super().train(False)


class Student(nn.Module):
    """A backbone to train; it normalises its input itself. `__init__(self, *, <settings>)`.

    Attributes:
        channels: Channels of each map that `forward` returns.
        strides: Input pixels per cell of each map.
        embedding_dim: Length of the embedding.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    embedding_dim: int

    @abstractmethod
    def forward(self, images: Tensor) -> StudentFeatures:
        """Return maps and embedding [B, embedding_dim] of `images` [B, 3, H, W], RGB in [0, 1]."""

    def make_head(self) -> nn.Module:
        """Return a new classification head: embeddings [B, embedding_dim] to logits [B, 2], 0 = attack, 1 = bona fide.

        The default is a linear layer; a student may override it. The detector calls this once, then trains and saves
        the head.
        """
        return nn.Linear(self.embedding_dim, 2)


class Aligner(nn.Module):
    """Makes source domains alike. `__init__(self, n_domains: int, embedding_dim: int, *, <settings>)`.

    The default implementations of the methods align nothing.

    Attributes:
        min_domains: Fewest source domains the method can work with.
    """

    min_domains: ClassVar[int] = 2

    def __init__(self, n_domains: int, embedding_dim: int) -> None:
        super().__init__()
        self.n_domains = n_domains
        self.embedding_dim = embedding_dim

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images the student and the teachers see, [B, 3, H, W] in [0, 1].

        It must leave no gradient in any parameter and must change no buffer.
        """
        return batch.images

    def inside(self, student: Student, batch: Batch) -> AbstractContextManager[None]:  # noqa: ARG002
        """Return a context that is open while the student sees the perturbed training images, and only then.

        In this context an aligner may change what happens inside the student, by forward hooks on its modules; when the
        context closes, everything must be as before. It is never open for evaluation, nor for the averaged and the
        shipped detector.

        Args:
            student: The student, in training mode.
            batch: The clean batch.
        """
        return nullcontext()

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the aligner's own losses, named scalars, from the student's features of the perturbed images.

        Args:
            batch: The clean batch.
            features: The student's features of the perturbed images.
            progress: Share of training done, in [0, 1].
        """
        return {}

    def weights(self) -> Mapping[str, float]:
        """Return the weight of each of its losses in the sum; a loss without an entry has weight 1."""
        return {}

    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:  # noqa: ARG002
        """Return per-image figures [B] on held-out source images, logged as means (was the domain guessed right?).

        Args:
            batch: A clean held-out batch.
            features: The student's features of these clean images.
        """
        return {}
