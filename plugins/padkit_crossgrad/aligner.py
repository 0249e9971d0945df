"""CrossGrad: Shankar et al., Generalizing Across Domains via Cross-Gradient Training, ICLR 2018, arXiv 1804.10745."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.alignment.adversary import DomainClassifier
from padkit.alignment.share import perturb_share
from padkit.errors import PluginError, SettingsError
from padkit.networks.frozen import evaluation_mode, frozen_call
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.settings.ranges import Channels, Positive, PositiveShare


class CrossGradientTraining(Aligner):
    """Each of two classifiers also learns from images moved along the gradient of the other's loss.

    With J_l and J_d the cross-entropies of label and domain (Algorithm 1 of the paper):

        x_d = x + epsilon grad_x J_d(x, d)        student:            (1 - alpha) J_l(x) + alpha J_l(x_d)
        x_l = x + epsilon grad_x J_l(x, y)        domain classifier:  (1 - alpha) J_d(x) + alpha J_d(x_l)

    The label net is the student with its head. Clipping and alpha are those of the authors' code,
    github.com/vihari/crossgrad. Ours is:

    - the gradient is that of an image's own loss, so that epsilon means the same at every batch size; the authors' code
      takes that of the batch's mean loss, with an epsilon of 10;
    - the student's mixture is drawn: each image is x_d with probability alpha and x otherwise, one pass for two. The
      domain classifier's mixture is exact;
    - both networks are in evaluation mode while the gradients are taken; images stay in [0, 1];
    - there is one epsilon and one alpha, where Algorithm 1 has two of each; the domain classifier is DAA's.

    Args:
        epsilon: Length of the step along the gradient, images being in [0, 1].
        alpha: Share of perturbed images in either loss.
        clip: Bound of each component of the gradient; a pixel changes by at most epsilon x clip.
        width: Channels of the domain classifier's first layer.
    """

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        epsilon: Positive = 1.0,
        alpha: PositiveShare = 0.5,
        clip: Positive = 0.1,
        width: Channels = 16,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        for name, value in {"epsilon": epsilon, "clip": clip}.items():
            if not 0 < value < float("inf"):
                raise SettingsError(f"aligner.{name} {value} must be above 0 and finite.")
        if not 0 < alpha <= 1:
            raise SettingsError(f"aligner.alpha {alpha} is a share and must lie in (0, 1]; 0.5 is usual.")
        if width < 1:
            raise SettingsError(f"aligner.width {width} must be at least 1; 16 is usual.")
        self.epsilon = epsilon
        self.alpha = alpha
        self.clip = clip
        self.classifier = DomainClassifier(n_domains, width)

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images with the batch's share of them replaced by x_d, [B, 3, H, W] in [0, 1]."""
        return perturb_share(batch, self.alpha, lambda part: self.along_domain(part.images, part.domains))

    def along_domain(self, images: Tensor, domains: Tensor) -> Tensor:
        """Return x_d: `images` moved so that their domain is harder to tell, detached."""
        return self._move(images, lambda x: _cross_entropy(frozen_call(self.classifier, x), domains))

    def along_label(self, batch: Batch) -> Tensor:
        """Return x_l: the batch's images moved so that their label is harder to tell, detached.

        Raises:
            PluginError: The batch has no `label_loss`.
        """
        label_loss = batch.label_loss
        if label_loss is None:
            raise PluginError("aligner 'crossgrad' needs Batch.label_loss, which padkit's objective gives.")
        return self._move(batch.images, lambda x: label_loss(x, batch.labels))

    def _move(self, images: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        images = images.detach()
        with torch.enable_grad():
            moved = images.clone().requires_grad_(True)
            # Summed, not averaged, so that each image gets the gradient of its own loss.
            (gradient,) = torch.autograd.grad(loss(moved).sum(), moved)
        return (images + self.epsilon * gradient.clamp(-self.clip, self.clip)).clamp(0, 1)

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Return `domain`: the domain classifier's loss on x and x_l; the student gets no gradient from it."""
        moved = self.along_label(batch)
        clean, perturbed = (_cross_entropy(self.classifier(x), batch.domains).mean() for x in (batch.images, moved))
        return {"domain": (1 - self.alpha) * clean + self.alpha * perturbed}

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:  # noqa: ARG002
        """Return whether the classifier names the domain of x and of x_d, and the largest change."""
        moved = self.along_domain(batch.images, batch.domains)
        with evaluation_mode(self.classifier):
            clean_guess, guess = (self.classifier(x).argmax(dim=1) for x in (batch.images, moved))
        return {
            "domain_accuracy_clean": (clean_guess == batch.domains).float(),
            "domain_accuracy_perturbed": (guess == batch.domains).float(),
            "perturbation": (moved - batch.images).abs().amax(dim=(1, 2, 3)),
        }


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), wanted, reduction="none")
