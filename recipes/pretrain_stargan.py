"""Pretrains the face attribute editing teacher: StarGAN on the attributes of a dataset.

    padkit train pretrain_stargan                                           # simulated faces, no data needed
    padkit train --mixed_precision bf16 pretrain_stargan --steps 4000 --out runs/stargan
    padkit train pretrain_stargan --data identities --data.root DIR --data.attributes list_attr_celeba.txt \
        --data.identity_file identity_CelebA.txt --attributes Black_Hair,Blond_Hair,Brown_Hair,Male,Young
    padkit train dtda --teachers.fe.weights runs/stargan/stargan_D.safetensors    # then use it as a teacher

It writes into the folder `--out`: discriminator and generator (safetensors), a card (JSON) beside each with checksum,
command and figures, and `editing.png` (rows: unseen faces; columns: the face, redrawn, then each attribute flipped).
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from padkit.catalog import Catalog
from padkit.data.portraits import Portraits, hold_out_people
from padkit.data.preparation.prepare import FrameTable, prepare
from padkit.data.simulation import facts_of
from padkit.errors import DataError, SettingsError, TrainingError, closest, run_as_command
from padkit.networks.inputs import network_input
from padkit.settings import Slot, read_settings
from padkit.settings.ranges import (
    BatchSize,
    Channels,
    Count,
    CropSide,
    NonNegative,
    OpenShare,
    Positive,
    Range,
    Seed,
    Whole,
    Workers,
)
from padkit.training.loader import naming_dead_workers
from padkit.training.start import choose_threads, loader_workers, start
from padkit.weights import check_destination, read_weights, write_card, write_weights
from padkit_stargan.assessment import assess, draw_edits, train_judge
from padkit_stargan.network import (
    Discriminator,
    DiscriminatorShape,
    Generator,
    GeneratorShape,
    load_discriminator,
    load_generator,
)

MANY = 16  # most attributes; of CelebA's forty the user must choose some


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Pretrains StarGAN on the attributes of a dataset.

    Args:
        out: Folder to write into.
        tag: Ending of the file names, as in stargan_D_<tag>.safetensors.
        attributes: Attributes to edit, separated by commas; empty takes all attributes of the dataset.
        image_size: Side in pixels of the faces, a multiple of 2^layers; 128 in the published network.
        layers: Convolutions of the discriminator's trunk; 6 in the published network.
        d_width: Channels of the discriminator's first convolution, doubled by each later one; 64 in the published one.
        g_width: Channels of the generator's first convolution; 64 in the published network.
        blocks: Residual blocks of the generator.
        steps: Steps of the discriminator; the generator takes one for every `n_critic` of them.
        n_critic: Discriminator steps per generator step.
        batch_size: Images per step, over all processes.
        lr: Learning rate of both Adam optimisers, falling to zero over the second half.
        lambda_cls: Weight of the attribute classification.
        lambda_rec: Weight of the reconstruction.
        lambda_gp: Weight of the gradient penalty.
        judge_steps: Steps of the independent classifier that rates the edited images; 0 leaves it out.
        held_out: Share of the subjects kept unseen if the dataset has no test split.
        half: Store kernels as float16, which halves the files.
        seed: Seed of everything random.
        workers: Processes that decode images for training; by default 0 when training on the CPU.
    """

    out: str = "runs/stargan"
    tag: str = ""
    attributes: str = ""
    image_size: CropSide = 64
    layers: Annotated[int, Range(1, 10)] = 5
    d_width: Channels = 24
    g_width: Channels = 24
    blocks: Count = 6
    steps: Count = 2000
    n_critic: Count = 5
    batch_size: BatchSize = 16
    lr: Positive = 1e-4
    lambda_cls: NonNegative = 1.0
    lambda_rec: NonNegative = 10.0
    lambda_gp: NonNegative = 10.0
    judge_steps: Whole = 600
    held_out: OpenShare = 0.1
    half: bool = True
    seed: Seed = 0
    workers: Workers | None = None


def gradient_penalty(critic: Callable[[Tensor], tuple[Tensor, Tensor]], images: Tensor) -> Tensor:
    """Return the mean squared distance of the critic's gradient norm from 1 (Gulrajani et al. 2017, equation 3).

    Args:
        critic: Returns realness and attribute logits.
        images: [B, 3, H, W], mixtures of real and edited images.
    """
    images = images.detach().requires_grad_(True)
    realness, _ = critic(images)
    (gradient,) = torch.autograd.grad(realness.sum(), images, create_graph=True)
    norms: Tensor = gradient.float().flatten(1).norm(dim=1)
    return ((norms - 1) ** 2).mean()


def classification(logits: Tensor, attributes: Tensor) -> Tensor:
    """Return the attributes' cross-entropy, summed over attributes and averaged over the batch, as published."""
    return F.binary_cross_entropy_with_logits(logits.float(), attributes, reduction="sum") / len(logits)


def batches(loader: Any, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield faces [B, 3, size, size], RGB in [-1, 1], half of them mirrored, and attributes [B, A], without end."""
    while True:
        for images, _, attributes in loader:
            faces = network_input(images, size)
            mirrored = torch.rand(len(faces), device=faces.device) < 0.5
            yield torch.where(mirrored[:, None, None, None], faces.flip(-1), faces), attributes


def decay(optimizer: Any, lr: float, progress: float) -> None:
    """Let the learning rate fall linearly over the second half."""
    for group in optimizer.param_groups:
        group["lr"] = lr * min(1.0, 2 * (1 - progress))


def train(options: Options, accelerator: Accelerator, portraits: Portraits) -> tuple[Generator, Discriminator]:
    """Return the trained networks (Choi et al., StarGAN, CVPR 2018, equations 1 to 8).

    Raises:
        SettingsError: The batch is larger than the dataset.
        TrainingError: A loss is no longer a number.
    """
    count = portraits.attributes.shape[1]
    generator: Any = Generator(GeneratorShape(attributes=count, width=options.g_width, blocks=options.blocks))
    critic: Any = Discriminator(
        DiscriminatorShape(
            attributes=count, width=options.d_width, layers=options.layers, image_size=options.image_size
        )
    )
    optimizers = [
        torch.optim.Adam(network.to(memory_format=torch.channels_last).parameters(), options.lr, (0.5, 0.999))
        for network in (generator, critic)
    ]
    if len(portraits) < options.batch_size:
        raise SettingsError(f"batch_size {options.batch_size} exceeds the {len(portraits)} training images; lower it")
    workers = loader_workers(options.workers, accelerator)
    loader: Any = DataLoader(portraits, options.batch_size, shuffle=True, drop_last=True, num_workers=workers)
    generator, critic, g_optimizer, d_optimizer, loader = accelerator.prepare(generator, critic, *optimizers, loader)
    judge = accelerator.unwrap_model(critic)  # the generator's step must not fill the critic's gradients
    faces_and_labels = batches(loader, options.image_size)
    report: dict[str, float] = {}
    for step in range(1, options.steps + 1):
        decay(d_optimizer, options.lr, step / options.steps)
        faces, labels = next(faces_and_labels)
        wanted = labels[torch.randperm(len(labels), device=labels.device)]
        with torch.no_grad():
            edited = accelerator.unwrap_model(generator)(faces, wanted)
        mix = torch.rand(len(faces), 1, 1, 1, device=faces.device)
        real, logits = critic(faces)
        losses = {
            "adversarial": critic(edited)[0].mean() - real.mean(),
            "attributes": options.lambda_cls * classification(logits, labels),
            "penalty": options.lambda_gp * gradient_penalty(critic, mix * faces + (1 - mix) * edited),
        }
        accelerator.backward(torch.stack(list(losses.values())).sum())
        d_optimizer.step()
        d_optimizer.zero_grad()
        report |= {f"D {name}": loss.item() for name, loss in losses.items()}

        if step % options.n_critic == 0:
            decay(g_optimizer, options.lr, step / options.steps)
            judge.requires_grad_(requires_grad=False)
            edited = generator(faces, wanted)
            realness, logits = judge(edited)
            losses = {
                "adversarial": -realness.mean(),
                "attributes": options.lambda_cls * classification(logits, wanted),
                "reconstruction": options.lambda_rec * (faces - generator(edited, labels)).abs().mean(),
            }
            accelerator.backward(torch.stack(list(losses.values())).sum())
            g_optimizer.step()
            g_optimizer.zero_grad()
            judge.requires_grad_(requires_grad=True)
            report |= {f"G {name}": loss.item() for name, loss in losses.items()}

        if step % max(1, options.steps // 20) == 0 or step == options.steps:
            if not all(math.isfinite(value) for value in report.values()):
                raise TrainingError(f"a loss is not finite at step {step}: {report}; lower --lr")
            accelerator.print(f"step {step:5d}  " + "  ".join(f"{name} {value:.2f}" for name, value in report.items()))
    return accelerator.unwrap_model(generator), accelerator.unwrap_model(critic)


def chosen_attributes(asked: str, table: FrameTable) -> tuple[str, ...]:
    """Return the attributes to edit.

    Raises:
        DataError: The dataset has no attributes.
        SettingsError: A requested attribute is unknown, or there are too many to take all.
    """
    known = tuple(table.preparation["attribute_names"])
    names = tuple(name.strip() for name in asked.split(",") if name.strip()) or known
    if not known:
        raise DataError(
            f"{table.preparation['dataset']} names no facial attributes; "
            "give a table in CelebA's format (--data identities --data.attributes list_attr_celeba.txt)"
        )
    for name in names:
        if name not in known:
            raise SettingsError(f"attribute {name!r} is not in {table.preparation['dataset']}.{closest(name, known)}")
    if len(names) > MANY:
        raise SettingsError(f"{len(names)} attributes are too many; choose at most {MANY} by --attributes A,B,C")
    return names


@naming_dead_workers()
def main(argv: Sequence[str] | None = None) -> int:
    """Train, write the weights and assess the written files."""
    words, catalog = list(sys.argv[1:] if argv is None else argv), Catalog()
    settings = read_settings(Options, {"data": Slot("dataset", "faces")}, words, catalog, "pretrain_stargan.py")
    options, choice = settings.recipe, settings.one("data")
    if choice is None:
        raise SettingsError("--data none leaves nothing to train on; name a dataset")
    if options.image_size % 2**options.layers:
        raise SettingsError(f"image_size {options.image_size} must be a multiple of 2^layers = {2**options.layers}")
    tag = f"_{options.tag}" if options.tag else ""
    files = [check_destination(Path(options.out) / f"stargan_{half}{tag}.safetensors") for half in "GD"]
    accelerator = start(batch_size=options.batch_size)
    choose_threads(accelerator, None, steady=True)
    set_seed(options.seed)
    reader = catalog.build("dataset", choice.name, choice.settings)
    with accelerator.main_process_first():
        table = prepare(reader, dataset_name=choice.name, progress=accelerator.is_main_process)
    names = chosen_attributes(options.attributes, table)
    seen, unseen = (Portraits(table, rows, names) for rows in hold_out_people(table, options.held_out, options.seed))
    accelerator.print(f"{len(seen)} images, {len(unseen)} unseen ones; attributes: {', '.join(names)}")
    trained = train(options, accelerator, seen)
    if not accelerator.is_main_process:
        return 0

    for file, network in zip(files, trained, strict=True):
        write_weights(file, network.state_dict(), half=options.half)
    generator = load_generator(read_weights(files[0]), files[0]).to(accelerator.device).eval()
    critic = load_discriminator(read_weights(files[1]), files[1]).to(accelerator.device).eval()
    judge = train_judge(critic.shape, seen, options.judge_steps, accelerator.device) if options.judge_steps else None
    figures = assess(generator, critic, judge, unseen, names)
    draw_edits(generator, unseen, options.image_size, Path(options.out) / f"editing{tag}.png")
    drawn, real_faces = facts_of(table.preparation)
    simulated = drawn and not real_faces
    source = f"simulated {table.preparation['fingerprint']}" if simulated else choice.name
    size = f"{options.image_size} x {options.image_size} pixels"
    for file, part in zip(files, ("generator", "discriminator"), strict=True):
        write_card(
            file,
            summary=f"StarGAN {part}, {size}, attributes {', '.join(names)}",
            recipe=f"accelerate launch --mixed_precision {accelerator.mixed_precision} recipes/pretrain_stargan.py "
            + shlex.join(words),
            seed=options.seed,
            data=f"trained on {source}: {len(seen)} images",
            licence="Apache-2.0" if simulated else "bound by the terms of its training data",
            figures=figures,
        )
    print(f"{options.out}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(run_as_command(main))
