"""MixStyle: Zhou et al., Domain Generalization with MixStyle, ICLR 2021, arXiv 2104.02008."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from padkit.errors import PluginError, SettingsError
from padkit.networks.frozen import evaluation_mode
from padkit.roles import Aligner, Batch, Student
from padkit.settings.ranges import Count, Positive, PositiveShare

_FLOOR = 1e-6  # added to the variance, as in the authors' code


class MixStyle(Aligner):
    """Gives the student's early maps statistics between those of two images, so that styles nobody has seen arise.

    For the maps x of an image and x' of its partner, with mean mu and standard deviation sigma over the positions of
    each channel and l ~ Beta(alpha, alpha):

        (l sigma(x) + (1 - l) sigma(x')) (x - mu(x)) / sigma(x)  +  l mu(x) + (1 - l) mu(x')

    mu and sigma carry no gradient; with probability `probability` a stage mixes a batch, otherwise it leaves it alone;
    stages draw on their own; labels play no part, so an attack's maps may get a live face's statistics. All this is the
    paper's, as in the authors' code (MixStyle in github.com/KaiyangZhou/Dassl.pytorch). Ours is:

    - `cross-domain` partners come from any other domain; the authors' code swaps the halves of a batch of two domains;
    - sigma is that of the positions at hand; the authors' code divides by one less than their number;
    - the maps handed to the teachers' distillation are the mixed ones.

    Hooks are on the student's modules while it sees a training batch, and at no other time: whatever copies, averages,
    saves or evaluates the student never meets them. There are no parameters and no losses.

    Args:
        stages: Which of the student's maps to mix, 1 being the shallowest; by default 1,2.
        partners: `cross-domain` mixes with an image of another domain, `random` with any of the batch.
        probability: Probability that a stage mixes a batch.
        alpha: Both parameters of the Beta distribution; the smaller, the nearer to one of the two images.
    """

    min_domains: ClassVar[int] = 1

    def __init__(
        self,
        n_domains: int,
        embedding_dim: int,
        *,
        stages: list[Count] | None = None,
        partners: Literal["cross-domain", "random"] = "cross-domain",
        probability: PositiveShare = 0.5,
        alpha: Positive = 0.1,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        stages = [1, 2] if stages is None else stages
        if not stages or min(stages) < 1 or len(set(stages)) < len(stages):
            raise SettingsError(f"aligner.stages {stages} must name stages, each once, counted from 1; 1,2 is usual.")
        if partners == "cross-domain" and n_domains < 2:
            raise SettingsError("aligner.partners cross-domain needs two domains; with one, use random.")
        if not 0 < probability <= 1:
            raise SettingsError(f"aligner.probability {probability} must lie in (0, 1]; 0.5 is usual.")
        if not 0 < alpha < float("inf"):
            raise SettingsError(f"aligner.alpha {alpha} must be above 0 and finite; 0.1 is usual.")
        self.stages = stages
        self.partners = partners
        self.probability = probability
        self.alpha = alpha
        self._places: list[str] = []

    @contextmanager
    def inside(self, student: Student, batch: Batch) -> Iterator[None]:
        """Mix the maps of the chosen stages while the context is open; in evaluation mode change nothing."""
        if not self.training:
            yield
            return
        if not self._places:
            self._places = self._find(student, batch.images[:1])

        def hook(_module: nn.Module, _inputs: Any, maps: Tensor) -> Tensor | None:
            return self.mix(maps, batch.domains) if torch.rand(()).item() < self.probability else None

        with ExitStack() as stack:
            for place in self._places:
                handle = student.get_submodule(place).register_forward_hook(hook)
                stack.callback(handle.remove)
            yield

    def mix(self, maps: Tensor, domains: Tensor) -> Tensor:
        """Return `maps` [B, C, h, w] with mixed statistics; `domains` [B] determine the possible partners."""
        partner = self._partner(domains)
        shape = torch.full((len(maps),), self.alpha, device=maps.device)
        share = torch.distributions.Beta(shape, shape).sample().view(-1, 1, 1, 1)
        return mixed(maps, partner, share)

    def _partner(self, domains: Tensor) -> Tensor:
        """Return for each image its partner's row [B]; its own row if the batch has no other domain."""
        if self.partners == "random":
            return torch.randperm(len(domains), device=domains.device)
        score = torch.rand(len(domains), len(domains), device=domains.device)
        score = score.masked_fill(domains[:, None] == domains[None], -1.0)
        found, partner = score.max(dim=1)
        return torch.where(found < 0, torch.arange(len(domains), device=domains.device), partner)

    def _find(self, student: Student, image: Tensor) -> list[str]:
        """Return the names of the modules whose outputs are the chosen maps."""
        made: list[tuple[str, Tensor]] = []

        def recorder(name: str) -> Any:
            return lambda _module, _inputs, output: made.append((name, output))

        with ExitStack() as stack, evaluation_mode(student), torch.no_grad():
            for name, module in student.named_modules():
                if name:
                    stack.callback(module.register_forward_hook(recorder(name)).remove)
            maps = student(image).maps
        places: list[str] = []
        for stage in self.stages:
            if stage > len(maps):
                raise SettingsError(f"aligner.stages: the student has {len(maps)} stages, there is no stage {stage}.")
            # The last module that returns it: a stage returns the same tensor as the last of its layers.
            names = [name for name, output in made if output is maps[stage - 1]]
            if not names:
                who = type(student).__name__
                cause = f"aligner 'mixstyle': stage {stage} of student {who} is not what one of its modules returns"
                raise PluginError(f"{cause}; choose other --aligner.stages or a convolutional student, say resnet18.")
            places.append(names[-1])
        return places


def mixed(maps: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Return `maps` with the statistics `share` of their own + (1 - `share`) of their partner's, in float32 inside.

    Args:
        maps: [B, C, h, w].
        partner: [B] int64, row of each image's partner.
        share: [B, 1, 1, 1] in [0, 1].
    """
    full = maps.float()
    variance, mean = torch.var_mean(full.detach(), dim=(2, 3), correction=0, keepdim=True)
    deviation = (variance + _FLOOR).sqrt()
    scale = share * deviation + (1 - share) * deviation[partner]
    shift = share * mean + (1 - share) * mean[partner]
    return ((full - mean) / deviation * scale + shift).to(maps.dtype)
