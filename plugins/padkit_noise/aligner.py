"""Random noise in the place of an attack: what any perturbation of its size does, whatever its direction."""

from __future__ import annotations

import torch
from torch import Tensor

from padkit.alignment.perturbation import Axes, Bounds, apply
from padkit.alignment.share import check_attacked_share, perturb_share
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.settings.ranges import GridSide, LogFactor, PositiveShare, Share


class RandomNoise(Aligner):
    """Each parameter of DAA's perturbation at plus or minus its bound, by a coin: the control of the attack.

    With `epsilon` alone this is sign noise, x + epsilon s with s in {-1, 1}, of the largest norm that DAA's bounds
    allow. What DAA gains over it is owed to the direction of the attack; what both gain, to a perturbation as such. It
    has nothing to learn and knows no domains.

    Args:
        epsilon: Change of each pixel, images being in [0, 1].
        colour: Change of a whole channel.
        contrast: Logarithm of the factor on a channel's contrast.
        spectrum: Logarithm of the factor on a channel's amplitudes in each band of frequencies.
        grid: Side of the grid that the pixels' part is drawn on; the image's own by default.
        axes: Axes of colour, contrast and spectrum, `rgb` or `opponent`.
        attacked_share: Share of each batch that is perturbed.
    """

    min_domains = 1

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        epsilon: Share = 2 / 255,
        colour: Share = 0.0,
        contrast: LogFactor = 0.0,
        spectrum: LogFactor = 0.0,
        grid: GridSide | None = None,
        axes: Axes = "rgb",
        attacked_share: PositiveShare = 0.5,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        self.bounds = Bounds(epsilon=epsilon, colour=colour, contrast=contrast, spectrum=spectrum, grid=grid, axes=axes)
        self.attacked_share = check_attacked_share(attacked_share)

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images with the batch's share of them perturbed, [B, 3, H, W] in [0, 1]."""
        return perturb_share(batch, self.attacked_share, lambda part: self.noisy(part.images))

    @torch.no_grad()
    def noisy(self, images: Tensor) -> Tensor:
        """Return perturbed copies of `images`, detached."""
        return apply(images, self.bounds.drawn(images, "sign"), self.bounds.axes)

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the largest change of a pixel of each image."""
        return {"perturbation": (self.noisy(batch.images) - batch.images).abs().amax(dim=(1, 2, 3))}
