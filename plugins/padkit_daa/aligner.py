"""The domain adversarial attack of DTDA (arXiv 2401.01102): domain classifiers perturb the images they judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from padkit.alignment.adversary import DomainClassifier
from padkit.alignment.perturbation import Axes, Bounds, apply
from padkit.alignment.share import check_attacked_share, perturb_share
from padkit.errors import SettingsError
from padkit.networks.frozen import evaluation_mode
from padkit.roles import Aligner, Batch, StudentFeatures
from padkit.settings.ranges import Channels, Few, GridSide, LogFactor, PositiveShare, Share, Whole

Judge = Callable[[Tensor], Tensor]  # images to domain logits


class DomainAdversarialAttack(Aligner):
    """Projected gradient descent (Madry et al. 2018) on a domain classifier, over pixels and over the image's style.

    The attack looks for parameters theta of a perturbation T (`padkit.alignment.perturbation`), each within its bound,

        min_theta  KL(uniform || p(domain | T(x, theta)))        |theta_i| <= bound_i

    so that the classifier no longer knows the domain; student and teachers see T(x, theta). The classifier learns the
    domain by cross-entropy (loss `domain`), jointly with the student: from clean images alone it is deceived by
    directions that mean nothing to another classifier; from attacked ones as well (`learns_from: both`) it plays the
    min-max game of domain adversarial training, in the images. Whether domains are aligned, a *fresh* classifier tells
    (`padkit.alignment.fresh`), never this one.

    That the classifier is small, convolutional and trained jointly, and what may be perturbed, is our choice; the
    paper's details were not available to us.

    Args:
        epsilon: Largest change of a pixel beside its style, images being in [0, 1]; usually 1/255 to 8/255.
        colour: Largest change of a whole channel; 0 leaves colours alone.
        contrast: Largest logarithm of the factor on a channel's contrast; 0 leaves it alone.
        spectrum: Largest logarithm of the factor on a channel's amplitudes in each of 8 bands of frequencies, which
            tell noise and sharpness; 0 leaves them alone.
        grid: Side of the grid that the pixels' part is computed on, then resized to the image: 8 for low frequencies,
            112 for the teachers' scale, whose resize removes what is finer; by default the image's own.
        axes: Axes of colour, contrast and spectrum: `rgb`, the channels; or `opponent`, brightness and two differences
            of colours, which hides more of a camera within the same change.
        steps: Gradient steps, each half as long as the one before, the first as long as the bound. Steps of one length
            jump over the point where the domains are indistinguishable; of all iterates the best is kept per image.
        loss: `uniform` minimises KL(uniform || p(domain | image)), the literal reading of "indistinguishable";
            `maximize` maximises the domain cross-entropy, which may push an image into another domain.
        random_start: Start from a uniformly random perturbation instead of none.
        attacked_share: Share of each batch that is attacked; below 1 trains on clean and attacked images
            together.
        live_only: Attack bona fide images alone; of the attacked share, presentation attacks stay as they are.
        learns_from: Images the classifiers learn from: `clean`, `attacked`, or `both` in halves of a batch twice as
            long.
        classifiers: Number of classifiers, alike but for their initial weights; the attack deceives their mean.
        restart_every: Learning steps after which one classifier, the next in turn, begins again with new weights, so
            that the attack has to deceive many in the course of training; 0 never.
        width: Channels of the domain classifiers' first layer.
    """

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
        steps: Few = 4,
        loss: Literal["uniform", "maximize"] = "uniform",
        random_start: bool = True,
        attacked_share: PositiveShare = 0.5,
        live_only: bool = False,
        learns_from: Literal["clean", "attacked", "both"] = "clean",
        classifiers: Few = 1,
        restart_every: Whole = 0,
        width: Channels = 16,
    ) -> None:
        super().__init__(n_domains, embedding_dim)
        self.bounds = Bounds(epsilon=epsilon, colour=colour, contrast=contrast, spectrum=spectrum, grid=grid, axes=axes)
        if steps < 1:
            raise SettingsError(f"aligner.steps {steps} must be at least 1; use --aligner none for no attack.")
        if classifiers < 1:
            raise SettingsError(f"aligner.classifiers {classifiers} must be at least 1; 1 to 4 is usual.")
        if restart_every < 0:
            raise SettingsError(f"aligner.restart_every {restart_every} must be at least 0, which is never.")
        if width < 1:
            raise SettingsError(f"aligner.width {width} must be at least 1; 16 is usual.")
        self.steps = steps
        self.loss = loss
        self.random_start = random_start
        self.attacked_share = check_attacked_share(attacked_share)
        self.live_only = live_only
        self.learns_from = learns_from
        self.restart_every = restart_every
        self.width = width
        self.classifiers = nn.ModuleList(DomainClassifier(n_domains, width) for _ in range(classifiers))
        if restart_every:
            self.register_buffer("learnt", torch.tensor(0))
            self._learnt: int | None = None  # the same on the host, which need not wait for the device then
            self.register_load_state_dict_post_hook(_forget_count)  # type: ignore[no-untyped-call]

    learnt: Tensor

    def perturb(self, batch: Batch) -> Tensor:
        """Return the images with the batch's share of them attacked, [B, 3, H, W] in [0, 1]."""
        return perturb_share(batch, self.attacked_share, self._attacked)

    def _attacked(self, batch: Batch) -> Tensor:
        attacked = self.attack(batch.images, batch.domains)
        if not self.live_only:
            return attacked
        return torch.where((batch.labels == 1)[:, None, None, None], attacked, batch.images)

    def attack(self, images: Tensor, domains: Tensor) -> Tensor:
        """Return attacked copies of `images`: within the bounds and within [0, 1], detached.

        The gradient is taken with respect to the perturbation alone, and of the classifiers as they are in evaluation
        mode, frozen, so neither a parameter's gradient nor a BatchNorm statistic is touched.
        """
        images, limits = images.detach(), self.bounds.limits()
        theta = self.bounds.drawn(images, "uniform") if self.random_start else self.bounds.none(images)
        best: tuple[Tensor, Tensor] | None = None
        with evaluation_mode(self.classifiers):
            judges = [_folded(classifier) for classifier in self.classifiers]
            for step in range(self.steps):
                with torch.enable_grad():
                    theta = {name: value.detach().requires_grad_(True) for name, value in theta.items()}
                    attacked = apply(images, theta, self.bounds.axes)
                    loss = self._attack_loss(judges, attacked, domains)
                    # Summed, not averaged: in half precision a mean over the batch would underflow.
                    gradients = torch.autograd.grad(loss.sum(), list(theta.values()))
                best = _keep_lower(best, attacked.detach(), loss.detach())
                theta = {
                    name: theta[name].detach().sub_(gradient.sign(), alpha=limit / 2**step).clamp_(-limit, limit)
                    for (name, limit), gradient in zip(limits.items(), gradients, strict=True)
                }
            with torch.no_grad():
                attacked = apply(images, theta, self.bounds.axes)
                return _keep_lower(best, attacked, self._attack_loss(judges, attacked, domains))[0]

    def _attack_loss(self, judges: Sequence[Judge], images: Tensor, domains: Tensor) -> Tensor:
        """Return what the attack minimises, [B], the mean over the classifiers."""
        every = [judge(images).float().log_softmax(dim=1) for judge in judges]
        if self.loss == "uniform":  # KL(uniform || p) up to the constant log(n_domains)
            each = [-log_p.mean(dim=1) for log_p in every]
        else:
            each = [log_p.gather(1, domains[:, None])[:, 0] for log_p in every]
        return torch.stack(each).mean(dim=0)

    def _log_p(self, images: Tensor) -> Iterator[Tensor]:
        return (classifier(images).float().log_softmax(dim=1) for classifier in self.classifiers)

    def losses(self, batch: Batch, features: StudentFeatures, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Return `domain`: the classifiers' mean cross-entropy; the student gets no gradient from it."""
        if self.restart_every and self.training:
            self._restart()
        images, domains = batch.images, batch.domains
        if self.learns_from != "clean":
            attacked = self._attacked(batch)
            both = self.learns_from == "both"
            images, domains = (torch.cat([images, attacked]), domains.repeat(2)) if both else (attacked, domains)
        return {"domain": torch.stack([F.nll_loss(log_p, domains) for log_p in self._log_p(images)]).mean()}

    @torch.no_grad()
    def _restart(self) -> None:
        """Count a learning step, and give the classifier whose turn it is new weights."""
        if self._learnt is None:
            self._learnt = int(self.learnt)
        turn, rest = divmod(self._learnt, self.restart_every)
        if turn and not rest:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(turn)  # every process must draw the same
                new = DomainClassifier(self.n_domains, self.width)
            self.classifiers[(turn - 1) % len(self.classifiers)].load_state_dict(new.state_dict())
        self.learnt += 1
        self._learnt += 1

    @torch.no_grad()
    def evidence(self, batch: Batch, features: StudentFeatures) -> dict[str, Tensor]:  # noqa: ARG002
        """Return what the classifiers together make of clean and of attacked images, and the largest change.

        `domain_accuracy_*`: was the domain named right? `domain_kl_*`: KL(uniform || p) in nats. That these fall under
        attack shows that it works on the classifiers it attacks, and no more.
        """
        found: dict[str, Tensor] = {}
        attacked = self._attacked(batch)
        with evaluation_mode(self.classifiers):
            for name, images in {"clean": batch.images, "attacked": attacked}.items():
                log_p = torch.stack([each.exp() for each in self._log_p(images)]).mean(dim=0).log()
                found[f"domain_accuracy_{name}"] = (log_p.argmax(dim=1) == batch.domains).float()
                found[f"domain_kl_{name}"] = -log_p.mean(dim=1) - math.log(self.n_domains)
        return found | {"perturbation": (attacked - batch.images).abs().amax(dim=(1, 2, 3))}


def _folded(classifier: nn.Module) -> Judge:
    """Return a classifier in its fastest form for several passes with the same weights."""
    return classifier.folded() if isinstance(classifier, DomainClassifier) else classifier


def _forget_count(aligner: DomainAdversarialAttack, _keys: object) -> None:
    aligner._learnt = None


def _keep_lower(best: tuple[Tensor, Tensor] | None, images: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each image the version with the lower loss, and that loss; `best` is what there was before."""
    if best is None:
        return images, loss
    better = loss < best[1]
    return torch.where(better[:, None, None, None], images, best[0]), torch.where(better, loss, best[1])
