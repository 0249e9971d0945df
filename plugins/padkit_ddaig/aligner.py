"""DDAIG: Zhou et al., Deep Domain-Adversarial Image Generation for Domain Generalisation, AAAI 2020.

arXiv 2003.06054.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.alignment.adversary import DomainClassifier
from padkit.alignment.share import perturb_share
from padkit.errors import PluginError, SettingsError
from padkit.networks.frozen import evaluation_mode, frozen_call
from padkit.networks.inputs import normalise
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.settings.ranges import Channels, PositiveShare, Range

_SPREAD = 0.02  # deviation of the initial weights, as in the authors' code: training starts from a weak perturbation


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance normalisation, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_convolution(width, width), nn.ReLU(), *_convolution(width, width))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        changed: Tensor = maps + self.layers(maps)
        return changed


class TransformationNetwork(nn.Module):
    """From images [B, 3, H, W] in [0, 1] to perturbations of the same shape in (-1, 1), at full resolution."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(3, width),
            nn.ReLU(),
            *(ResidualBlock(width) for _ in range(blocks)),
            nn.Conv2d(width, 3, 1),
            nn.Tanh(),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=_SPREAD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the perturbations of `images`."""
        perturbations: Tensor = self.layers(normalise(images))
        return perturbations


class ImageGeneration(Aligner):
    """A transformation network T moves images to domains nobody has seen; the student learns from both.

    With F the student and its head, D the domain classifier and CE the cross-entropy:

        x~ = x + strength T(x)
        T:  min  CE(F(x~), y) - CE(D(x~), d)            (loss `transformation`: label kept, domain hidden)
        F:  min  (1 - alpha) CE(F(x), y) + alpha CE(F(x~), y)
        D:  min  CE(D(x), d)                            (loss `domain`)

    The three objectives are the paper's, strength and alpha those of the authors' code (DDAIG in
    github.com/KaiyangZhou/Dassl.pytorch), and T has the form it has there: a convolution, residual blocks with instance
    normalisation, a 1x1 convolution, tanh. Its layer of global context is left out: it adds a constant to each channel,
    which the instance normalisation after it takes away again. Ours is:

    - all three learn in one step; the authors' code moves T first and transforms the images with the new T;
    - F's mixture is drawn: each image is x~ with probability alpha and x otherwise, one pass for two;
    - F and D are frozen and in evaluation mode where T is judged; x~ stays in [0, 1];
    - T is narrower (32 or 64 channels in the authors' code) for the sake of CPUs; D is DAA's domain classifier.

    `transformation` has no lower bound: it falls below zero as D is deceived.

    Args:
        strength: The paper's lambda, the largest change of a pixel, images being in [0, 1].
        alpha: Share of transformed images.
        blocks: Residual blocks of T.
        transformation_width: Channels of T.
        width: Channels of the domain classifier's first layer.
    """

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        strength: PositiveShare = 0.3,
        alpha: PositiveShare = 0.5,
        blocks: Annotated[int, Range(0, 100)] = 3,
        transformation_width: Channels = 16,
        width: Channels = 16,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        if not 0 < strength <= 1:
            raise SettingsError(f"aligner.strength {strength} must lie in (0, 1], as images do; 0.3 is the paper's.")
        if not 0 < alpha <= 1:
            raise SettingsError(f"aligner.alpha {alpha} is a share and must lie in (0, 1]; 0.5 is usual.")
        if blocks < 0:
            raise SettingsError(f"aligner.blocks {blocks} must not be negative; 3 is usual.")
        for name, value in {"transformation_width": transformation_width, "width": width}.items():
            if value < 1:
                raise SettingsError(f"aligner.{name} {value} must be at least 1; 16 is usual.")
        self.strength = strength
        self.alpha = alpha
        self.classifier = DomainClassifier(n_domains, width)
        self.transformation = TransformationNetwork(transformation_width, blocks)

    def transform(self, images: Tensor) -> Tensor:
        """Return x~: `images` changed by at most `strength` and within [0, 1], with gradient into T."""
        perturbations: Tensor = self.transformation(images)
        return (images + self.strength * perturbations.float()).clamp(0, 1)

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images with the batch's share of them transformed, [B, 3, H, W] in [0, 1]; T gets no gradient."""
        with torch.no_grad():
            return perturb_share(batch, self.alpha, lambda part: self.transform(part.images))

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Return `domain`, for D alone, and `transformation`, for T alone.

        Raises:
            PluginError: The batch has no `label_loss`.
        """
        if batch.label_loss is None:
            raise PluginError("aligner 'ddaig' needs Batch.label_loss, which padkit's objective gives.")
        domain = F.cross_entropy(self.classifier(batch.images).float(), batch.domains)
        transformed = self.transform(batch.images)
        hidden = F.cross_entropy(frozen_call(self.classifier, transformed).float(), batch.domains)
        kept = batch.label_loss(transformed, batch.labels).mean()
        return {"domain": domain, "transformation": kept - hidden}

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:  # noqa: ARG002
        """Return whether D names the domain of x and of x~, the largest change, and the student's loss on x~."""
        transformed = self.transform(batch.images)
        with evaluation_mode(self.classifier):
            clean_guess, guess = (self.classifier(x).argmax(dim=1) for x in (batch.images, transformed))
        found = {
            "domain_accuracy_clean": (clean_guess == batch.domains).float(),
            "domain_accuracy_transformed": (guess == batch.domains).float(),
            "perturbation": (transformed - batch.images).abs().amax(dim=(1, 2, 3)),
        }
        if batch.label_loss is not None:
            found["label_loss_transformed"] = batch.label_loss(transformed, batch.labels)
        return found


def _convolution(channels: int, width: int) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(channels, width, 3, padding=1, padding_mode="reflect", bias=False)
    return convolution, nn.InstanceNorm2d(width)
