"""Evidence of alignment: can a classifier that was trained on the perturbed images themselves still name their domain?

The classifier that an attack deceives is the worst judge of it: it was made to fail. What a student meets is the
perturbed image, and a student learns from it. So the judge here starts afresh, learns the domain from perturbed images
and is asked about perturbed images of people it never saw. Near chance, the domains are aligned; an attack that only
its own classifier falls for leaves this figure where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from padkit.alignment.adversary import DomainClassifier
from padkit.roles import Batch

Perturb = Callable[[Batch], Tensor]
_AT_ONCE = 96  # images perturbed or judged together
_PATIENCE, TRIES = 6, 32
_WIDTH, _PEAK_LR = 16, 3e-3


@torch.no_grad()
def perturb_all(perturb: Perturb, batch: Batch, *, patience: int = _PATIENCE) -> Tensor:
    """Return every image of the batch perturbed once, [B, 3, H, W], detached.

    An aligner that perturbs a share of each batch is asked again until each image was among them, `TRIES` times at
    most, or until asking `patience` times in a row brings nothing new, as where it leaves attacks alone; such images
    come back as they were.
    """
    found, left, idle = batch.images.clone(), torch.ones(len(batch.images), dtype=torch.bool), 0
    for _ in range(TRIES):
        images = perturb(batch).detach()
        new = left & (images != batch.images).flatten(1).any(dim=1).cpu()
        found = torch.where(new.to(found.device)[:, None, None, None], images, found)
        left, idle = left & ~new, 0 if bool(new.any()) else idle + 1
        if not bool(left.any()) or idle == patience:
            break
    return found


def fresh_domain_accuracy(
    train: Batch, held_out: Batch, perturb: Perturb, *, steps: int = 150, batch_size: int = 48, seed: int = 0
) -> dict[str, float]:
    """Train a fresh domain classifier on perturbed images and test it on perturbed images of other people.

    The classifier is `DomainClassifier` with 16 channels: batches balanced over the domains, horizontal flips, AdamW
    with a one-cycle rate. The same is done with the clean images, to compare with. Images that `perturb` leaves as they
    were (attacks, where it changes bona fide images alone) count in neither. The global random state is left alone.

    Args:
        train: Clean images to train on, on any device; at least one of each domain.
        held_out: Clean images of other people from the same domains.
        perturb: What an aligner's `perturb` is: batch to images.
        steps: Optimiser steps of each of the two classifiers.
        batch_size: Images per step.
        seed: Decides weights, batches and the perturbations' random parts.

    Returns:
        `domain_chance`, 1 / number of domains; `fresh_domain_accuracy_clean` and `..._attacked`, the mean over domains
        of the share named right, in [0, 1]; `fresh_domain_kl_clean` and `..._attacked`, the mean KL(uniform || p) in
        nats, 0 where the classifier knows nothing; `perturbation_max`, the mean over images of the largest change of a
        pixel, and `perturbation_psnr` in dB, both on held-out images. Empty where nothing is perturbed or a domain is
        missing.
    """
    with torch.random.fork_rng(enabled=True):
        torch.manual_seed(seed)
        before, after = zip(*(_perturbed(part, perturb) for part in (train, held_out)), strict=True)
        domains = int(train.domains.max()) + 1
        if domains < 2 or any(len(part.domains.unique()) < domains for part in before):
            return {}
        found = {"domain_chance": 1 / domains}
        for name, (learned, asked) in {"clean": before, "attacked": after}.items():
            torch.manual_seed(seed + 1)
            log_p = _judge(learned, asked.images, domains, steps, batch_size)
            right = (log_p.argmax(dim=1) == asked.domains).float()
            each = torch.stack([right[asked.domains == domain].mean() for domain in range(domains)])
            found[f"fresh_domain_accuracy_{name}"] = each.mean().item()
            found[f"fresh_domain_kl_{name}"] = (
                (-log_p.mean(dim=1) + torch.tensor(found["domain_chance"]).log()).mean().item()
            )
    change = after[1].images - before[1].images
    found["perturbation_max"] = change.abs().amax(dim=(1, 2, 3)).mean().item()
    found["perturbation_psnr"] = (-10 * change.square().mean(dim=(1, 2, 3)).log10()).mean().item()
    return found


def _perturbed(part: Batch, perturb: Perturb) -> tuple[Batch, Batch]:
    """Return what `perturb` changes of `part`, before and after."""
    parts = torch.split(torch.arange(len(part.images)), _AT_ONCE)
    images = torch.cat([perturb_all(perturb, _rows(part, some)) for some in parts])
    rows = (images != part.images).flatten(1).any(dim=1).nonzero()[:, 0]
    before = _rows(part, rows)
    return before, replace(before, images=images[rows])


def _rows(part: Batch, rows: Tensor) -> Batch:
    rows = rows.to(part.images.device)
    return replace(part, images=part.images[rows], labels=part.labels[rows], domains=part.domains[rows])


def _judge(train: Batch, asked: Tensor, domains: int, steps: int, batch_size: int) -> Tensor:
    """Return the log-probabilities [n, domains] that a classifier trained on `train` gives the images `asked`."""
    device = asked.device
    classifier = DomainClassifier(domains, _WIDTH).to(device)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=_PEAK_LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_LR, total_steps=steps)
    members = [(train.domains == domain).nonzero()[:, 0] for domain in range(domains)]
    share = -(-batch_size // domains)
    with torch.enable_grad():
        for _ in range(steps):
            rows = torch.cat([own[torch.randint(len(own), (share,)).to(device)] for own in members])
            flip = (torch.rand(len(rows), 1, 1, 1) < 0.5).to(device)
            images = train.images[rows]
            logits = classifier(torch.where(flip, images.flip(-1), images)).float()
            loss = F.cross_entropy(logits, train.domains[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    classifier.eval()
    with torch.no_grad():
        return torch.cat([classifier(images).float().log_softmax(dim=1) for images in torch.split(asked, _AT_ONCE)])
