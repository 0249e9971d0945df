"""Domain adversarial training (Ganin et al. 2016) with the settings of SSDG (Jia et al. 2020) as defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from padkit.alignment.adversary import (
    domain_discriminator,
    domain_loss,
    reversal_schedule,
    reverse_gradient,
)
from padkit.errors import SettingsError
from padkit.networks.frozen import evaluation_mode
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.settings.ranges import Channels, NonNegative, ShareBelowOne


class DomainAdversarialTraining(Aligner):
    """A domain discriminator behind a gradient reversal layer: features -> linear -> ReLU -> dropout -> linear.

    Args:
        weight: Weight of the loss `domain` in the sum.
        variant: `plain` judges all features; `class-conditional` keeps one discriminator a class, so that only
            features of the same class are made alike; `live-only` judges bona fide features alone: the adversary of
            SSDG on its own, whose triplet loss and normalisation `--aligner ssdg` adds.
        hidden: Width of the hidden layer.
        dropout: Dropout probability before the last layer.
    """

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        weight: NonNegative = 0.1,
        variant: Literal["plain", "class-conditional", "live-only"] = "plain",
        hidden: Channels = 512,
        dropout: ShareBelowOne = 0.5,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        if not 0 <= weight < math.inf:
            raise SettingsError(f"aligner.weight {weight} must be 0 or more and finite; the reversal turns the sign.")
        if not 0 <= dropout < 1:
            raise SettingsError(f"aligner.dropout {dropout} is a probability and must lie in [0, 1); 0.5 is usual.")
        if hidden < 1:
            raise SettingsError(f"aligner.hidden {hidden} must be at least 1; 512 is usual.")
        self.weight = weight
        self.variant = variant
        n_classes = 2 if variant == "class-conditional" else 1
        self.discriminators = nn.ModuleList(
            domain_discriminator(embedding_dim, hidden, dropout, n_domains) for _ in range(n_classes)
        )

    def weights(self) -> Mapping[str, float]:
        """Return the weight of `domain`."""
        return {"domain": self.weight}

    def judge(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """Return domain logits [B, n_domains] of `embedding` [B, D], each by the discriminator of its class."""
        logits = torch.stack([discriminator(embedding) for discriminator in self.discriminators], dim=1)
        chosen = labels if len(self.discriminators) > 1 else torch.zeros_like(labels)
        return logits[torch.arange(len(labels), device=labels.device), chosen]

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:
        """Return `domain`: the discriminator's cross-entropy on the reversed features."""
        embedding = features.embedding
        logits = self.judge(reverse_gradient(embedding, reversal_schedule(progress)), batch.labels)
        counted = batch.labels if self.variant == "live-only" else torch.ones_like(batch.labels)
        return {"domain": domain_loss(logits, batch.domains, counted)}

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:
        """Return whether the discriminator names the domain of each image's features."""
        with evaluation_mode(self):
            guess = self.judge(features.embedding, batch.labels).argmax(dim=1)
        return {"domain_accuracy": (guess == batch.domains).float()}
