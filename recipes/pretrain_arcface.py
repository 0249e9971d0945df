"""Pretrains the face recognition teacher: an iResNet with ArcFace's loss over the identities of a dataset.

    padkit train pretrain_arcface                                          # simulated faces, no data needed
    padkit train --mixed_precision bf16 pretrain_arcface --steps 4000 --out runs/arcface.safetensors
    padkit train pretrain_arcface --data identities --data.root DIR   # DIR/<identity>/*.jpg
    padkit train dtda --teachers.fr.weights runs/arcface.safetensors  # then use it as a teacher

It writes the weights (safetensors) and beside them a card (JSON) with checksum, command and the verification figures on
identities that were not trained on.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset

from padkit.catalog import Catalog
from padkit.data.augmentation import Augmentation
from padkit.data.portraits import Portraits, hold_out_people
from padkit.data.preparation.prepare import prepare
from padkit.data.simulation import facts_of
from padkit.errors import DataError, SettingsError, TrainingError, run_as_command
from padkit.networks.inputs import network_input, normalise
from padkit.settings import Slot, read_settings
from padkit.settings.ranges import Channels, Count, OpenShare, Positive, Range, Seed, Share, Workers
from padkit.training.loader import naming_dead_workers
from padkit.training.start import choose_threads, loader_workers, start
from padkit.weights import check_destination, read_weights, write_card, write_weights
from padkit_arcface.network import DEPTHS, IResNet, IResNetShape, initialise, load

FALSE_ACCEPT_RATE = 0.01
COMPARED = 4000  # most unseen images; every pair of them is compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Pretrains an iResNet with ArcFace's loss over the identities of a dataset.

    Args:
        out: Weights file to write, ending in .safetensors; its card is written beside it.
        depth: 18, 34, 50 or 100.
        width: Channels of the first stage, doubled by each later one; 64 in the published networks.
        embedding: Length of the embedding.
        input_size: Side in pixels that faces are resized to; 112 in the published networks.
        steps: Optimiser steps.
        batch_size: Images per step, over all processes.
        lr: Peak learning rate of SGD, after a short rise and followed by half a cosine.
        scale: ArcFace's s.
        margin: ArcFace's m in radians.
        warmup: Share of the steps over which the margin rises from 0; small networks collapse without it.
        held_out: Share of the identities kept for verification if the dataset has no test split.
        half: Store kernels as float16, which halves the file.
        seed: Seed of everything random.
        workers: Processes that decode images for training; by default 0 when training on the CPU.
    """

    out: str = "runs/arcface/arcface.safetensors"
    depth: Literal[18, 34, 50, 100] = 18
    width: Channels = 16
    embedding: Channels = 128
    input_size: Annotated[int, Range(16, 512, multiple=16)] = 64
    steps: Count = 2000
    batch_size: Annotated[int, Range(2, 65536)] = 128
    lr: Positive = 0.1
    scale: Positive = 32.0
    margin: Annotated[float, Range(0, 1.5)] = 0.4
    warmup: Share = 0.3
    held_out: OpenShare = 0.2
    half: bool = True
    seed: Seed = 0
    workers: Workers | None = None


def margin_logits(cosine: Tensor, labels: Tensor, scale: float, margin: float) -> Tensor:
    """Return ArcFace's logits: s cos(theta + m) for the own identity, s cos(theta) for the others.

    Deng et al., ArcFace, CVPR 2019, equation 3. Beyond theta = pi - m, where cos(theta + m) would rise again, the own
    logit continues to fall as s (cos(theta) - m sin(m)).

    Args:
        cosine: [B, identities], cosines of embeddings and identity centres.
        labels: [B] int64, the own identity.
        scale: s.
        margin: m in radians.
    """
    own = cosine.gather(1, labels[:, None])
    sine = (1 - own * own).clamp_min(1e-6).sqrt()
    shifted = own * math.cos(margin) - sine * math.sin(margin)
    shifted = torch.where(own > math.cos(math.pi - margin), shifted, own - margin * math.sin(margin))
    return scale * cosine.scatter(1, labels[:, None], shifted)


class Recogniser(nn.Module):
    """The network with one trainable centre per identity."""

    def __init__(self, network: IResNet, identities: int, scale: float) -> None:
        super().__init__()
        self.network = network
        self.centres = nn.Parameter(torch.randn(identities, network.shape.embedding) * 0.01)
        self.scale = scale

    def forward(self, images: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
        """Return the loss and the share of `images` [B, 3, H, W], RGB in [-1, 1], nearest to their own centre."""
        embeddings = self.network(images)
        with torch.autocast(images.device.type, enabled=False):  # angles need more digits than bf16 has
            cosine = F.linear(F.normalize(embeddings.float()), F.normalize(self.centres))
            loss = F.cross_entropy(margin_logits(cosine, labels, self.scale, margin), labels)
        return loss, (cosine.argmax(1) == labels).float().mean()


def verification(embeddings: Tensor, labels: Tensor) -> dict[str, float]:
    """Return AUC and TAR at FAR = 1 % over all pairs of embeddings [N, D], which are compared by cosine.

    Raises:
        DataError: No two images show the same person, or no two show different persons.
    """
    unit = F.normalize(embeddings.float())
    first, second = torch.triu_indices(len(unit), len(unit), offset=1)
    scores = (unit @ unit.T)[first, second].numpy()
    same = (labels[first] == labels[second]).numpy()
    if same.all() or not same.any():
        raise DataError("verification needs at least two unseen identities, one of them with two images")
    threshold = np.quantile(scores[~same], 1 - FALSE_ACCEPT_RATE)
    return {
        "verification_auc": round(float(roc_auc_score(same, scores)), 4),
        "tar_at_far_1pct": round(float((scores[same] > threshold).mean()), 4),
        "genuine_pairs": int(same.sum()),
        "impostor_pairs": int((~same).sum()),
    }


@torch.inference_mode()
def verify(network: IResNet, portraits: Portraits, device: torch.device, seed: int) -> dict[str, float]:
    """Return the verification figures of `network` on unseen identities."""
    network = network.to(device).eval()
    chosen = np.sort(np.random.default_rng(seed).permutation(len(portraits))[:COMPARED])
    loader = DataLoader(Subset(portraits, chosen.tolist()), batch_size=128)
    parts = [(network(network_input(images.to(device), network.shape.input_size)).cpu(), y) for images, y, _ in loader]
    embeddings, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return {**verification(embeddings, labels), "unseen_identities": len(portraits.identities)}


def train(options: Options, accelerator: Accelerator, portraits: Portraits, variation: Augmentation) -> IResNet:
    """Return the network trained on varied portraits.

    Raises:
        SettingsError: The batch is larger than the dataset.
        TrainingError: The loss is no longer a number.
    """
    shape = IResNetShape(
        blocks=DEPTHS[options.depth],
        channels=tuple(options.width * 2**stage for stage in range(4)),
        stem=options.width,
        embedding=options.embedding,
        input_size=options.input_size,
    )
    network = IResNet(shape)
    initialise(network)
    # Fast on CPUs, but PyTorch 2.15 dies in the backward pass of 1x1 strided convolutions of fewer than 16 channels.
    layout = torch.channels_last if options.width >= 16 else torch.contiguous_format
    model: Any = Recogniser(network, len(portraits.identities), options.scale).to(memory_format=layout)
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9, weight_decay=5e-4)
    if len(portraits) < options.batch_size:
        raise SettingsError(f"batch_size {options.batch_size} exceeds the {len(portraits)} training images; lower it")
    workers = loader_workers(options.workers, accelerator)
    loader: Any = DataLoader(portraits, options.batch_size, shuffle=True, drop_last=True, num_workers=workers)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

    step = 0
    while step < options.steps:
        for images, labels, _ in loader:
            progress = step / options.steps
            margin = options.margin * min(1.0, progress / options.warmup) if options.warmup else options.margin
            for group in optimizer.param_groups:
                rise = min(1.0, (step + 1) / (0.05 * options.steps + 1))
                group["lr"] = options.lr * rise * 0.5 * (1 + math.cos(math.pi * progress))
            faces = normalise(variation.vary(images.float() / 255), options.input_size)
            loss, accuracy = model(faces.contiguous(memory_format=layout), labels, margin)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if step % max(1, options.steps // 20) == 0 or step == options.steps:
                if not math.isfinite(loss.item()):
                    raise TrainingError(f"the loss is {loss.item()} at step {step}; lower --lr or --margin")
                accelerator.print(f"step {step:5d}  loss {loss.item():7.3f}  own centre nearest {accuracy.item():6.1%}")
            if step == options.steps:
                break
    trained: Recogniser = accelerator.unwrap_model(model)
    return trained.network


def check(portraits: Portraits, purpose: str) -> Portraits:
    """Return `portraits` if they have at least two identities.

    Raises:
        DataError: They have fewer.
    """
    if (found := len(portraits.identities)) < 2:
        raise DataError(
            f"{found} identity to {purpose}, at least 2 are needed; "
            "give a dataset whose records name their subjects (--data identities --data.root DIR)"
        )
    return portraits


@naming_dead_workers()
def main(argv: Sequence[str] | None = None) -> int:
    """Train, write the weights and verify the written file."""
    words, catalog = list(sys.argv[1:] if argv is None else argv), Catalog()
    settings = read_settings(Options, {"data": Slot("dataset", "faces")}, words, catalog, "pretrain_arcface.py")
    options, choice = settings.recipe, settings.one("data")
    if choice is None:
        raise SettingsError("--data none leaves nothing to train on; name a dataset")
    check_destination(options.out)
    accelerator = start(batch_size=options.batch_size)
    choose_threads(accelerator, None, steady=True)
    set_seed(options.seed)
    reader = catalog.build("dataset", choice.name, choice.settings)
    with accelerator.main_process_first():
        table = prepare(reader, dataset_name=choice.name, progress=accelerator.is_main_process)
    seen, unseen = (Portraits(table, rows) for rows in hold_out_people(table, options.held_out, options.seed))
    portraits, others = check(seen, "train on"), check(unseen, "verify with")
    found = f"{len(portraits)} images of {len(portraits.identities)} identities"
    accelerator.print(f"{found}; {len(others)} images of {len(others.identities)} unseen ones")
    network = train(options, accelerator, portraits, catalog.build("augmentation", "light", {}))
    if not accelerator.is_main_process:
        return 0

    file = write_weights(options.out, network.state_dict(), half=options.half)
    written = load(read_weights(file), file)
    figures = verify(written, others, accelerator.device, options.seed)
    drawn, real_faces = facts_of(table.preparation)
    simulated = drawn and not real_faces
    source = f"simulated {table.preparation['fingerprint']}" if simulated else choice.name
    card = write_card(
        file,
        summary=f"{written.shape.name} of width {options.width}, {options.input_size} x {options.input_size} pixels",
        recipe=f"accelerate launch --mixed_precision {accelerator.mixed_precision} recipes/pretrain_arcface.py "
        + shlex.join(words),
        seed=options.seed,
        data=f"trained on {source}: {found}",
        licence="Apache-2.0" if simulated else "bound by the terms of its training data",
        figures=figures,
    )
    print(f"{file} ({card.size / 1e6:.2f} MB): " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
