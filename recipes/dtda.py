"""DTDA: dual-teacher distillation with a domain adversarial attack (arXiv 2401.01102), leave one domain out.

    accelerate launch recipes/dtda.py                          # simulated data, embedded teachers, nothing to download
    accelerate launch recipes/dtda.py --augmentation recapture+light # some live images become simulated attacks
    accelerate launch recipes/dtda.py --aligner dat            # domain adversarial training in place of the attack
    accelerate launch recipes/dtda.py --aligner daa+mixstyle   # the attack, and MixStyle within the student
    accelerate launch recipes/dtda.py --data folder --data.root DIR --target DOMAIN
    accelerate launch recipes/dtda.py --data prepared --data.folders DIR1,DIR2 --protocol 'M&I->C' --convention ssdg
    accelerate launch recipes/dtda.py --resume runs/NAME       # go on after a kill
    accelerate launch recipes/dtda.py --help                   # every option of every chosen component

Accelerate's launcher owns device, precision and processes. A run leaves a folder: see `padkit.runs.folder`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar, Literal

from accelerate import Accelerator, skip_first_batches

from padkit.catalog import Catalog
from padkit.data.augmentation import Augmentation
from padkit.data.batches import Augmented, BalancedBatches, to_images
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import Protocol, protocol_for
from padkit.errors import SettingsError, run_as_command
from padkit.networks.detector import Detector
from padkit.report.present import present
from padkit.runs import checkpoints
from padkit.settings import Settings, Slot, ranges, read_settings
from padkit.training import (
    Experiment,
    FrozenTeachers,
    Objective,
    TeacherOptions,
    averaged,
    conclude,
    fit_teachers,
    keep,
    make_optimizer,
    open_run,
    parameter_groups,
    quoted_policies,
    require_finite,
    resume_arguments,
    seed_run,
    seed_step,
    start,
    teaching_figures,
    training_bar,
    warm_up_cosine,
)  # fmt: skip

SLOTS = {
    "data": Slot("dataset", "synthetic", required=True),
    "student": Slot("student", "timm", required=True),
    "aligner": Slot("aligner", "daa"),
    "teachers": Slot("teacher", {"fr": "arcface", "fe": "stargan"}, TeacherOptions),
    "augmentation": Slot("augmentation", "light"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """DTDA: train a face presentation attack detector on source domains, test it on one it never saw.

    Args:
        protocol: Protocol by name, in place of target and sources: 'O&C&I->M', 'O->C&I&M', intra:O, oulu-npu:3.2.
        target: Domain to test on; not needed if the data have only one domain, which is then divided itself.
        sources: Domains to train on; all others by default.
        convention: Splits that count: official (sources' train, target's test), ssdg (train and test of all, no dev) or
            all; by default official, and all of a domain without splits.
        out: Run folder; by default a new one under runs/.
        resume: Folder of a run to continue, with its settings.
        seed: ranges.Seed of weights, batches, augmentation and attack.
        epochs: Passes over the training frames.
        max_steps: Stop after this many optimiser steps.
        batch_size: Frames per optimiser step, over all processes, balanced over domain and class.
        accumulate: Micro-batches an optimiser step is accumulated from.
        optimizer: Optimiser.
        lr: Peak learning rate; a linear warm-up precedes, a cosine to zero follows.
        head_lr_scale: Factor on it for the head, which is new where the student starts from weights.
        adapter_lr_scale: Factor on it for the adapters of the teachers.
        aligner_lr_scale: Factor on it for the aligner's own parameters.
        weight_decay: Weight decay.
        warmup: Share of the steps to warm up in.
        ema: Decay of the averaged weights that are evaluated and shipped; 0 ships the last weights.
        selection: Checkpoint to ship: the best on held-out source presentations, or the last.
        policy: Threshold policy that is quoted first and shipped: source-dev (the default), dev-eer (the target's dev
            split; the default of official protocols that have one), target-eer or fixed:VALUE.
        tracker: Any tracker of Accelerate, or none.
        checkpoint_every: Optimiser steps between checkpoints; one is saved after each epoch as well.
        workers: ranges.Processes that load images; by default 0 on a CPU, at most 8 with a GPU.
        threads: CPU threads per process; by default the machine's cores are shared among its processes.
        strict: An unreadable image is an error; otherwise it is skipped and counted.
        fresh_probe: Steps of a fresh domain classifier that learns, when training ends, from the images as the aligner
            perturbs them, and tells whether their domains are alike; 0 leaves it out.
        thumbnails: Show the faces of the worst mistakes in the report; they are the dataset's, under its licence.
    """

    former: ClassVar[dict[str, str]] = {"augment": "--augmentation light for true, none for false"}

    protocol: str | None = None
    target: str | None = None
    sources: list[str] | None = None
    convention: Literal["official", "ssdg", "all"] | None = None
    out: str | None = None
    resume: str | None = None
    seed: ranges.Seed = 0
    epochs: ranges.Count = 3
    max_steps: ranges.Count | None = None
    batch_size: ranges.BatchSize = 48
    accumulate: ranges.Count = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: ranges.Positive = 1e-3
    head_lr_scale: ranges.NonNegative = 1.0
    adapter_lr_scale: ranges.NonNegative = 1.0
    aligner_lr_scale: ranges.NonNegative = 1.0
    weight_decay: ranges.NonNegative = 0.01
    warmup: ranges.ShareBelowOne = 0.1
    ema: ranges.ShareBelowOne = 0.98
    selection: Literal["source-dev", "last"] = "source-dev"
    policy: str | None = None
    tracker: str = "tensorboard"
    checkpoint_every: ranges.Count = 100
    workers: ranges.Workers | None = None
    threads: ranges.Processes | None = None
    strict: bool = False
    fresh_probe: ranges.Whole = 100
    thumbnails: bool = True


def main() -> int:
    """Read the settings, prepare the data, train, evaluate."""
    catalog = Catalog()
    settings = read_settings(Options, SLOTS, resume_arguments(sys.argv[1:]), catalog, "dtda.py")
    options = settings.recipe
    quoted_policies(options.policy)
    accelerator = start(
        batch_size=options.batch_size, accumulate=options.accumulate, tracker=options.tracker, threads=options.threads,
        out=None if options.resume else options.out,
    )  # fmt: skip
    reader = catalog.build_chosen(settings.one("data"))
    with accelerator.main_process_first():
        name, shown = settings.one("data").name, accelerator.is_main_process
        table = prepare(reader, dataset_name=name, strict=options.strict, progress=shown)
    protocol = protocol_for(
        table, reader, protocol=options.protocol, target=options.target, sources=options.sources,
        convention=options.convention, seed=options.seed,
    )  # fmt: skip
    quoted = quoted_policies(options.policy, protocol)
    asked, settings = settings.one("aligner"), drop_lone_aligner(settings, catalog, protocol)
    if asked and not settings.one("aligner"):
        accelerator.print(f"One source domain ({protocol.sources[0]}): training without the aligner {asked.name}.")
    seed_run(options.seed)
    objective = assemble(settings, catalog, protocol, accelerator, reader.image_size)
    name = f"dtda-{options.protocol or protocol.target}-seed{options.seed}"
    folder, resumed = options.resume or options.out, options.resume is not None
    run = open_run(accelerator, folder, resumed, name, settings.tree, catalog.discovery)
    experiment = Experiment(
        accelerator, reader, table, protocol, run, options.batch_size, options.workers, options.seed
    )
    experiment.tell()
    train(experiment, options, objective, catalog.build_chosen(settings.one("augmentation")))
    results = conclude(
        experiment, objective.detector, settings.one("student"), quoted=quoted, selection=options.selection,
        settings=settings.tree,
    )  # fmt: skip
    if results is not None:
        present(run.path)
    accelerator.end_training()
    return 0


def drop_lone_aligner(settings: Settings[Options], catalog: Catalog, protocol: Protocol) -> Settings[Options]:
    """Leave out the default aligner if there are too few source domains; if the user asked for it, raise an error."""
    choice, sources = settings.one("aligner"), protocol.sources
    if choice is None or len(sources) >= getattr(catalog.factory("aligner", choice.name), "min_domains", 2):
        return settings
    if "aligner.name" in settings.given:
        cause = f"--aligner {choice.name} needs two source domains or more, there is only {sources[0]!r}"
        raise SettingsError(f"{cause}; add a domain or use --aligner none.")
    return settings.without("aligner")


def assemble(
    settings: Settings[Options], catalog: Catalog, protocol: Protocol, accelerator: Accelerator, image_size: int
) -> Objective:
    """Build student, aligner and teachers and join them in the objective."""
    detector = Detector(catalog.build_chosen(settings.one("student")))
    aligner = catalog.build_chosen(settings.one("aligner"), len(protocol.sources), detector.student.embedding_dim)
    chosen = settings.many("teachers")
    teachers = FrozenTeachers({name: catalog.build_chosen(teacher) for name, teacher in chosen.items()})
    objective = Objective(detector, aligner, teachers, {n: c.options for n, c in chosen.items()}, image_size)
    teachers.to(accelerator.device)
    return objective


def train(experiment: Experiment, options: Options, objective: Objective, augmentation: Augmentation | None) -> None:
    """Run the training loop; write the selected weights of the averaged detector into the run folder."""
    accelerator, run, frames = experiment.accelerator, experiment.run, experiment.frames(experiment.protocol.train)
    batches = BalancedBatches(
        frames.labels, frames.domains, batch_size=options.batch_size, parts=options.accumulate, seed=options.seed,
        numbered=augmentation is not None,
    )  # fmt: skip
    samples = frames if augmentation is None else Augmented(frames, augmentation, options.seed)
    total_steps = min(options.epochs * batches.steps, options.max_steps or sys.maxsize)
    scales = {
        "detector.head": options.head_lr_scale, "distillers": options.adapter_lr_scale,
        "aligner": options.aligner_lr_scale,
    }  # fmt: skip
    groups = parameter_groups(objective, options.lr, scales)
    optimizer = make_optimizer(options.optimizer, groups, options.lr, options.weight_decay)
    schedule = warm_up_cosine(optimizer, total_steps, options.warmup)
    loader = experiment.loader(samples, batches)
    model, optimizer, schedule, loader = accelerator.prepare(objective, optimizer, schedule, loader)
    average = averaged(objective.detector, options.ema)
    accelerator.register_for_checkpointing(average)
    progress = checkpoints.restore(accelerator, run.checkpoints) if options.resume else checkpoints.Progress()
    if not progress.step:
        fit_teachers(experiment, objective)
    if accelerator.is_main_process:
        run.rewind_log(progress.step)
    accelerator.init_trackers("padkit")

    with training_bar(total_steps, progress.step, shown=accelerator.is_main_process) as advance:
        while progress.step < total_steps:
            epoch, done = divmod(progress.step, batches.steps)
            batches.set_epoch(epoch)
            model.train()
            sums: dict[str, float] = defaultdict(float)
            for position, sample in enumerate(skip_first_batches(loader, done * options.accumulate)):
                micro_step = progress.step * options.accumulate + position % options.accumulate
                seed_step(accelerator, options.seed, micro_step)
                with accelerator.accumulate(model):
                    images = to_images(sample["image"])
                    images = images if augmentation is None else augmentation.vary(images)
                    done_share = progress.step / total_steps
                    losses = model(images, sample["label"], sample["domain"], done_share)
                    total = objective.total(losses, done_share)
                    seen = {name: value.detach() for name, value in {**losses, "total": total}.items()}
                    for name, value in accelerator.reduce(seen, "mean").items():
                        sums[name] += value.item() / options.accumulate
                    require_finite(sums, progress.step + 1, run)
                    accelerator.backward(total)
                    optimizer.step()
                    schedule.step()
                    optimizer.zero_grad()
                if not accelerator.sync_gradients:
                    continue
                average.update_parameters(objective.detector)
                progress.step += 1
                course = {**objective.scheduled_weights(done_share), "lr": schedule.get_last_lr()[0]}
                record = {"step": progress.step, "epoch": epoch + 1, **sums, **course}
                keep(accelerator, run, record)
                advance(progress.step, sums)
                sums.clear()
                if progress.step == total_steps:
                    break
                if progress.step % options.checkpoint_every == 0 and progress.step % batches.steps:
                    checkpoints.save(accelerator, run.checkpoints, progress)
            select(experiment, options, objective, average.module, progress, last=progress.step == total_steps)
            checkpoints.save(accelerator, run.checkpoints, progress)
    accelerator.print(f"selected by {options.selection}: the weights of step {progress.best_step}")


def select(
    experiment: Experiment, options: Options, objective: Objective, detector: Detector, progress: checkpoints.Progress,
    *, last: bool,
) -> None:  # fmt: skip
    """Judge held-out source presentations, log the evidence of alignment, keep the weights if they are the best yet."""
    figures = experiment.source_dev(detector, objective.aligner)
    if last:
        figures |= experiment.fresh_domain(objective.aligner, options.fresh_probe)
    record = {"step": progress.step, **{f"source_dev/{name}": value for name, value in figures.items()}}
    record |= teaching_figures(experiment, objective)
    keep(experiment.accelerator, experiment.run, record)
    shown = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
    experiment.accelerator.print(f"step {progress.step} source-dev: {shown}")
    rank = [-figures["eer"], figures["auc"]]
    if options.selection == "last" or not progress.best or rank > progress.best:
        progress.best, progress.best_step = rank, progress.step
        if experiment.accelerator.is_main_process:
            checkpoints.keep_selected(experiment.run, detector, objective.aligner, progress.step)


if __name__ == "__main__":
    sys.exit(run_as_command(main))
