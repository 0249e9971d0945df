"""The domain adversarial attack of DTDA (arXiv 2401.01102): images are perturbed against a domain classifier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.alignment.adversary import DomainClassifier
from padkit.alignment.share import perturb_share
from padkit.errors import SettingsError
from padkit.networks.frozen import evaluation_mode
from padkit.roles import Aligner, Batch, StudentFeatures


class DomainAdversarialAttack(Aligner):
    """l-infinity projected gradient descent (Madry et al. 2018) on a domain classifier.

    The classifier learns the domain of the *clean* images by cross-entropy (loss `domain`), jointly with the student.
    The attack moves each image within `epsilon` so that the classifier no longer knows its domain; student and teachers
    see the attacked images. That the classifier is small, convolutional and trained jointly is our choice; the paper's
    details were not available to us.

    Args:
        epsilon: Largest change of a pixel, images being in [0, 1]; usually 1/255 to 8/255.
        steps: Gradient steps, each half as long as the one before, the first of length epsilon. Steps of one length
            jump over the point where the domains are indistinguishable; of all iterates the best is kept per image.
        loss: `uniform` minimises KL(uniform || p(domain | image)), the literal reading of "indistinguishable";
            `maximize` maximises the domain cross-entropy, which may push an image into another domain.
        random_start: Start from a uniformly random perturbation instead of none.
        attacked_share: Share of each batch that is attacked, in (0, 1]; below 1 trains on clean and attacked images
            together.
        width: Channels of the domain classifier's first layer.
    """

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        epsilon: float = 2 / 255,
        steps: int = 4,
        loss: Literal["uniform", "maximize"] = "uniform",
        random_start: bool = True,
        attacked_share: float = 0.5,
        width: int = 16,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        if not 0 < epsilon <= 1:
            raise SettingsError(f"aligner.epsilon {epsilon} must lie in (0, 1], as images do; 4/255 is usual.")
        if steps < 1:
            raise SettingsError(f"aligner.steps {steps} must be at least 1; use --aligner none for no attack.")
        if not 0 < attacked_share <= 1:
            raise SettingsError(f"aligner.attacked_share {attacked_share} must lie in (0, 1].")
        if width < 1:
            raise SettingsError(f"aligner.width {width} must be at least 1; 16 is usual.")
        self.epsilon = epsilon
        self.steps = steps
        self.loss = loss
        self.random_start = random_start
        self.attacked_share = attacked_share
        self.classifier = DomainClassifier(n_domains, width)

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images with the batch's share of them attacked, [B, 3, H, W] in [0, 1]."""
        return perturb_share(batch, self.attacked_share, lambda part: self.attack(part.images, part.domains))

    def attack(self, images: Tensor, domains: Tensor) -> Tensor:
        """Return attacked copies of `images`: within epsilon of them and within [0, 1], detached.

        The gradient is taken only with respect to the images, and the classifier is in evaluation mode, so neither a
        parameter's gradient nor a BatchNorm statistic changes.
        """
        images = images.detach()
        low, high = (images - self.epsilon).clamp(0, 1), (images + self.epsilon).clamp(0, 1)
        attacked = images.clone()
        if self.random_start:
            attacked = attacked + torch.empty_like(images).uniform_(-self.epsilon, self.epsilon)
            attacked = attacked.clamp(low, high)
        best, lowest = attacked, images.new_full((len(images),), torch.inf)
        with evaluation_mode(self.classifier), torch.enable_grad():
            for step in range(self.steps):
                attacked.requires_grad_(True)
                loss = self._attack_loss(attacked, domains)
                # Summed, not averaged: in half precision a mean over the batch would underflow.
                (gradient,) = torch.autograd.grad(loss.sum(), attacked)
                attacked = attacked.detach()
                best, lowest = _keep_lower(best, lowest, attacked, loss.detach())
                attacked = (attacked - self.epsilon / 2**step * gradient.sign()).clamp(low, high)
        with evaluation_mode(self.classifier), torch.no_grad():
            best, _ = _keep_lower(best, lowest, attacked, self._attack_loss(attacked, domains))
        return best

    def _attack_loss(self, images: Tensor, domains: Tensor) -> Tensor:
        """Return the loss that the attack minimises, [B]."""
        log_p: Tensor = self.classifier(images).float().log_softmax(dim=1)
        if self.loss == "uniform":
            return -log_p.mean(dim=1)  # KL(uniform || p) up to the constant log(n_domains)
        return log_p.gather(1, domains[:, None])[:, 0]

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Return `domain`: the classifier's cross-entropy on the clean images; the student gets no gradient from it."""
        return {"domain": F.cross_entropy(self.classifier(batch.images).float(), batch.domains)}

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:  # noqa: ARG002
        """Return whether the classifier names the domain of clean and of attacked images, and the largest change."""
        attacked = self.attack(batch.images, batch.domains)
        with evaluation_mode(self.classifier):
            clean_guess = self.classifier(batch.images).argmax(dim=1)
            attacked_guess = self.classifier(attacked).argmax(dim=1)
        return {
            "domain_accuracy_clean": (clean_guess == batch.domains).float(),
            "domain_accuracy_attacked": (attacked_guess == batch.domains).float(),
            "perturbation": (attacked - batch.images).abs().amax(dim=(1, 2, 3)),
        }


def _keep_lower(best: Tensor, lowest: Tensor, images: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each image the version with the lower loss, and that loss."""
    better = loss < lowest
    return torch.where(better[:, None, None, None], images, best.detach()), torch.where(better, loss, lowest)
