"""Assesses a StarGAN on unseen faces: figures by its own critic and by an independent classifier, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from padkit.data.portraits import Portraits
from padkit.networks.inputs import network_input
from padkit_stargan.network import Discriminator, DiscriminatorShape, Generator

BATCH = 64


def train_judge(shape: DiscriminatorShape, portraits: Portraits, steps: int, device: torch.device) -> Discriminator:
    """Return an attribute classifier, the judge, trained only on real faces and never on generated ones.

    Args:
        shape: Its layout, that of the discriminator.
        portraits: The training faces with their attributes.
        steps: Steps of Adam with batches of 64.
        device: Where to train.
    """
    judge = Discriminator(shape).to(device)
    optimizer = torch.optim.Adam(judge.parameters(), 3e-4)
    step = 0
    while step < steps:
        for images, _, attributes in DataLoader(portraits, BATCH, shuffle=True):
            faces = network_input(images.to(device), shape.image_size)
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(judge(faces)[1], attributes.to(device)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            if step == steps:
                break
    return judge.eval()


@torch.inference_mode()
def assess(
    generator: Generator, critic: Discriminator, judge: Discriminator | None, portraits: Portraits, names: Sequence[str]
) -> dict[str, float]:
    """Return figures on unseen faces, each in [0, 1].

    `attribute_accuracy_real` is the critic's on real faces, `attribute_accuracy_majority` that of always guessing the
    more frequent value, `redrawing_error` the mean absolute difference (of the value range) of a face redrawn with its
    own attributes. For the judge: its accuracy on real faces, and `judge_sees_edit`, the share of faces in which it
    finds an attribute flipped after the generator had to flip it, on average and by attribute; flips to impossible
    combinations (dark and fair hair) are left out.
    """
    size, device = critic.shape.image_size, next(critic.parameters()).device
    combinations = {tuple(row) for row in portraits.attributes.tolist()}
    hits: dict[str, list[Tensor]] = {}

    def note(name: str, values: Tensor) -> None:
        hits.setdefault(name, []).append(values.float().cpu())

    for images, _, attributes in DataLoader(portraits, BATCH):
        faces, labels = network_input(images.to(device), size), attributes.to(device)
        note("attribute_accuracy_real", (critic(faces)[1] > 0) == (labels > 0))
        note("redrawing_error", (faces - generator(faces, labels)).abs().mean((1, 2, 3)) / 2)
        if judge is None:
            continue
        note("judge_accuracy_real", (judge(faces)[1] > 0) == (labels > 0))
        for index, name in enumerate(names):
            wanted = labels.clone()
            wanted[:, index] = 1 - wanted[:, index]
            sensible = torch.tensor([tuple(row) in combinations for row in wanted.tolist()], device=device)
            if sensible.any():
                guess = judge(generator(faces[sensible], wanted[sensible]))[1][:, index] > 0
                note(f"judge_sees_edit.{name}", guess == (wanted[sensible, index] > 0))
    figures = {name: torch.cat(values).mean(0) for name, values in hits.items()}
    shares = portraits.attributes.mean(0)
    figures["attribute_accuracy_majority"] = torch.maximum(shares, 1 - shares)
    if edits := [value for name, value in figures.items() if name.startswith("judge_sees_edit.")]:
        figures["judge_sees_edit"] = torch.stack(edits)
    for name, value in zip(names, figures["attribute_accuracy_real"], strict=True):
        figures[f"attribute_accuracy_real.{name}"] = value
    return {name: round(value.mean().item(), 4) for name, value in sorted(figures.items())}


@torch.inference_mode()
def draw_edits(generator: Generator, portraits: Portraits, size: int, file: Path, rows: int = 8) -> None:
    """Write a PNG, one row per face: the face, redrawn with its own attributes, and with each attribute flipped."""
    device = next(generator.parameters()).device
    chosen = torch.linspace(0, len(portraits) - 1, min(rows, len(portraits))).round().int().tolist()
    faces = network_input(torch.stack([portraits[index].image for index in chosen]).to(device), size)
    labels = portraits.attributes[chosen].to(device)
    count = labels.shape[1]
    flips = torch.cat([torch.zeros(1, count), torch.eye(count)]).to(device)
    columns = [faces, *(generator(faces, (labels - flip).abs()) for flip in flips)]
    grid = torch.cat([torch.cat(list(row), dim=2) for row in zip(*columns, strict=True)], dim=1)
    levels = ((grid + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu()
    Image.fromarray(levels.numpy()).save(file)
