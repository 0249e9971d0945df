"""An aligner that changes no image: it asks that every domain have the same mean features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.settings.ranges import NonNegative


class MomentMatching(Aligner):
    """The first moment of the embeddings, matched between domains (loss `moments`).

    Args:
        weight: Weight of the loss.
    """

    def __init__(self, n_domains: int, embedding_dim: int, *, weight: NonNegative = 0.1) -> None:
        super().__init__(n_domains, embedding_dim)
        self.weight = weight

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:
        """Return `moments`: the mean squared distance, in [0, 4], of the domains' means from their common mean."""
        vectors = F.normalize(features.embedding.float(), dim=1)
        present = torch.unique(batch.domains)
        means = torch.stack([vectors[batch.domains == domain].mean(dim=0) for domain in present])
        return {"moments": (means - means.mean(dim=0)).square().sum(dim=1).mean()}

    def weights(self) -> Mapping[str, float]:
        """Return the weight of `moments`."""
        return {"moments": self.weight}
