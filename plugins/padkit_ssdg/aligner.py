"""SSDG: Jia et al., Single-Side Domain Generalization for Face Anti-Spoofing, CVPR 2020, arXiv 2004.14043."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

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


class SingleSideGeneralisation(Aligner):
    """Live faces of all domains are made alike; attacks are not, for there are too many kinds of them.

    Two losses besides the student's own:

    - `domain`: a discriminator behind a gradient reversal judges the domain of live features alone. This is
      `--aligner dat --aligner.variant live-only`, built of the same parts.
    - `triplet`, asymmetric: live faces of all domains are one class, the attacks of each domain a class of their own.
      The mean of max(0, |a - p| - |a - n| + margin) over the triplets (anchor, positive, negative) above zero.

    Margin, plain (not squared) distances, this mean, the discriminator, the schedule of the reversal and the weights
    are those of the authors' code, github.com/taylover-pei/SSDG-CVPR2020; the weights in three of its four protocols
    (0.1 and 2 in the fourth, I&C&M to O). Ours is:

    - with `normalise` both losses see features of length 1; the authors' code divides a feature f by sqrt(2 |f|);
    - the head that classifies, a part of the shipped detector, gets the student's features as they are; in the
      authors' code it gets the normalised ones, and its weights are normalised too;
    - the initial weights of the discriminator are torch's;
    - a process makes its triplets within its own micro-batch.

    Args:
        weight: Weight of the loss `domain` in the sum.
        triplet_weight: Weight of the loss `triplet` in the sum.
        margin: By how much a negative must be farther than a positive.
        normalise: Scale features to length 1 for both losses.
        hidden: Width of the discriminator's hidden layer.
        dropout: Dropout probability before its last layer.
    """

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        weight: NonNegative = 0.5,
        triplet_weight: NonNegative = 1.0,
        margin: NonNegative = 0.1,
        normalise: bool = True,
        hidden: Channels = 512,
        dropout: ShareBelowOne = 0.5,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        for name, value in {"weight": weight, "triplet_weight": triplet_weight, "margin": margin}.items():
            if not 0 <= value < math.inf:
                raise SettingsError(f"aligner.{name} {value} must be 0 or more and finite.")
        if not 0 <= dropout < 1:
            raise SettingsError(f"aligner.dropout {dropout} is a probability and must lie in [0, 1); 0.5 is usual.")
        if hidden < 1:
            raise SettingsError(f"aligner.hidden {hidden} must be at least 1; 512 is usual.")
        self.weight = weight
        self.triplet_weight = triplet_weight
        self.margin = margin
        self.normalise = normalise
        self.discriminator = domain_discriminator(embedding_dim, hidden, dropout, n_domains)

    def weights(self) -> Mapping[str, float]:
        """Return the weights of `domain` and `triplet`."""
        return {"domain": self.weight, "triplet": self.triplet_weight}

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:
        """Return `domain` over live features and `triplet` over all."""
        embedding = self._embedding(features)
        logits = self.discriminator(reverse_gradient(embedding, reversal_schedule(progress)))
        classes = torch.where(batch.labels == 1, 0, batch.domains + 1)
        return {
            "domain": domain_loss(logits, batch.domains, batch.labels),
            "triplet": triplet_loss(embedding, classes, self.margin),
        }

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:
        """Return whether the discriminator, which learns only from live features, names each image's domain."""
        with evaluation_mode(self):
            guess = self.discriminator(self._embedding(features)).argmax(dim=1)
        return {"domain_accuracy": (guess == batch.domains).float()}

    def _embedding(self, features: StudentFeatures) -> Tensor:
        embedding = features.embedding.float()
        return F.normalize(embedding, dim=1) if self.normalise else embedding


def triplet_loss(embedding: Tensor, classes: Tensor, margin: float) -> Tensor:
    """Return the mean of max(0, |a - p| - |a - n| + margin) over all triplets where it is above zero.

    a and p are two rows of one class, n a row of another (batch-all: Hermans et al. 2017, arXiv 1703.07737). It is 0,
    with zero gradients, if there is no such triplet. It needs memory for B^3 numbers: 0.4 MB at 48 rows, 0.5 GB at 512.

    Args:
        embedding: [B, D] float32.
        classes: [B] int64.
        margin: See above.
    """
    # Without matrix products: their rounding affects small distances, and autocast would compute them in 16 bits.
    distance = torch.cdist(embedding, embedding, compute_mode="donot_use_mm_for_euclid_dist")
    same = classes[:, None] == classes[None]
    positive = same & ~torch.eye(len(classes), dtype=torch.bool, device=classes.device)
    valid = positive[:, :, None] & ~same[:, None, :]
    excess = ((distance[:, :, None] - distance[:, None, :] + margin) * valid).relu()
    return excess.sum() / (excess > 0).sum().clamp(min=1)
