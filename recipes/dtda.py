"""DTDA: dual-teacher distillation with a domain adversarial attack (arXiv 2401.01102), leave one domain out.

    padkit train dtda                          # simulated data, embedded teachers, nothing to download
    padkit train dtda --augmentation recapture+light  # some live images become simulated attacks
    padkit train dtda --aligner dat            # domain adversarial training in place of the attack
    padkit train dtda --aligner daa+mixstyle   # the attack, and MixStyle within the student
    padkit train dtda --data folder --data.root DIR --target DOMAIN
    padkit train dtda --config photographs --data.root PHOTOS  # live photographs alone, simulated attacks
    padkit train dtda --data prepared --data.folders DIR1,DIR2 --protocol 'M&I->C' --convention ssdg
    padkit train dtda --resume runs/NAME       # go on after a kill
    padkit train dtda --help                   # every option of every chosen component

`padkit train` starts Accelerate's launcher, which owns device, precision and processes. A run leaves a folder: see
`padkit.runs.folder`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from accelerate import Accelerator

from padkit.catalog import Catalog
from padkit.data.augmentation import Augmentation
from padkit.data.batches import to_images
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import protocol_for, sources_among
from padkit.errors import SettingsError, run_as_command
from padkit.networks.detector import Detector
from padkit.report.present import present
from padkit.runs import checkpoints
from padkit.settings import Settings, Slot, ranges
from padkit.training import (
    Experiment,
    FrozenTeachers,
    LateLosses,
    Learner,
    Objective,
    TeacherOptions,
    ThreadTuner,
    batches_from,
    begin_tracking,
    best_yet,
    check_image_size,
    choose_threads,
    clip,
    conclude,
    fit_teachers,
    follow,
    jitter_within,
    judge_target,
    judging_interval,
    keep,
    main_process_prepares,
    make_learner,
    naming_dead_workers,
    open_run,
    quoted_policies,
    read_run_settings,
    realign,
    require_room,
    reserve_folder,
    seed_run,
    seed_step,
    start,
    teaching_figures,
    training_bar,
    whole,
    whole_state,
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
        resume: Folder of a run to continue with its settings; only epochs, max_steps, threads, workers, tracker,
            checkpoint_every, checkpoints_kept, compile, stability and thumbnails may differ.
        seed: Seed of weights, batches, augmentation and attack.
        epochs: Passes over the training frames.
        max_steps: Stop after this many optimiser steps.
        batch_size: Frames per optimiser step, over all processes, balanced over domain and class.
        batches: balanced: by domain and class. pairs: beside an attack stands a bona fide frame of the same subject,
            session and device, where there is one; needs an even batch.
        accumulate: Micro-batches an optimiser step is accumulated from.
        jitter_scale: Training crops are cut smaller or larger by up to this share of their side, anew at each draw; by
            default as much as the room that the crops are stored with (--data.room 0.1: a tenth), which it needs.
        jitter_shift: They are cut beside their place by up to this share of their side, across and down; by default
            half that room. All other crops stay where they are.
        optimizer: Optimiser.
        lr: Peak learning rate; a linear warm-up precedes, a cosine to zero follows.
        head_lr_scale: Factor on it for the head, which is new where the student starts from weights.
        adapter_lr_scale: Factor on it for the adapters of the teachers.
        aligner_lr_scale: Factor on it for the aligner's own parameters.
        weight_decay: Weight decay.
        clip_norm: Length that the gradient of all parameters together is shortened to if it is longer; null leaves it.
        sync_batchnorm: Batch normalisations of several GPUs normalise by the statistics of the whole batch.
        warmup: Share of the steps to warm up in.
        ema: Decay of the averaged weights that are evaluated and shipped; 0 ships the last weights.
        selection: Checkpoint to ship: the best on held-out source presentations, or the last. To compare with the
            literature, on the test set: target-best ships the best there, mean-last-10 the last and reports means
            beside it.
        views: What of a crop the detector's score is made of, wherever it is judged: one, the whole crop; five, the
            mean of the logits of that and of its four corners, for five times the cost. Training is the same.
        judge_every: Optimiser steps within an epoch from one judgement of a checkpoint to the next; its end is judged
            as well. By default so that a run has six or more; 0 judges at the ends only.
        policy: Threshold policy that is quoted first and shipped: source-dev (the default), dev-eer (the target's dev
            split; the default of official protocols that have one), target-eer or fixed:VALUE.
        tracker: Any tracker of Accelerate, or none.
        checkpoint_every: Optimiser steps between checkpoints; one is saved after each epoch as well.
        checkpoints_kept: Checkpoints that stay, the newest ones.
        workers: Processes that load images; by default 0 on a CPU, at most 8 with a GPU.
        threads: CPU threads per process; auto finds by load, limits and timed steps how many pay, again when steps
            become slow. It is left to the machine, and changes losses in their last digits; a number pins both.
        compile: Compile student and teachers with torch.compile, block by block where blocks repeat. Pays on long runs.
        split_by_machine: With several machines, each trains on its own part of the frames of every domain and class,
            and reads no other part of the table.
        strict: An unreadable image is an error; otherwise it is skipped and counted.
        fresh_probe: Steps of a fresh domain classifier that learns, when training ends, from the images as the aligner
            perturbs them, and tells whether their domains are alike; 0 leaves it out.
        stability: Test presentations whose face's box is scaled and shifted a little, and whose face is shrunk, to see
            whether verdicts hold; 0 for none.
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
    batches: Literal["balanced", "pairs"] = "balanced"
    accumulate: ranges.Count = 1
    jitter_scale: ranges.Jitter | None = None
    jitter_shift: ranges.Jitter | None = None
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: ranges.Positive = 1e-3
    head_lr_scale: ranges.NonNegative = 1.0
    adapter_lr_scale: ranges.NonNegative = 1.0
    aligner_lr_scale: ranges.NonNegative = 1.0
    weight_decay: ranges.NonNegative = 0.01
    clip_norm: ranges.Positive | None = None
    sync_batchnorm: bool = False
    warmup: ranges.ShareBelowOne = 0.1
    ema: ranges.ShareBelowOne = 0.98
    selection: Literal["source-dev", "last", "target-best", "mean-last-10"] = "source-dev"
    views: Literal["one", "five"] = "one"
    judge_every: ranges.Whole | None = None
    policy: str | None = None
    tracker: str = "tensorboard"
    checkpoint_every: ranges.Count = 100
    checkpoints_kept: ranges.Count = 2
    workers: ranges.Workers | None = None
    threads: ranges.Processes | Literal["auto"] | None = "auto"
    compile: bool = False
    split_by_machine: bool = False
    strict: bool = False
    fresh_probe: ranges.Whole = 100
    stability: ranges.Whole = 200
    thumbnails: bool = True


@naming_dead_workers()
def main() -> int:
    """Read the settings, prepare the data, train, evaluate."""
    catalog = Catalog()
    settings = read_run_settings(Options, SLOTS, sys.argv[1:], catalog, "dtda.py")
    options = settings.recipe
    quoted_policies(options.policy)
    accelerator = start(
        batch_size=options.batch_size, accumulate=options.accumulate, tracker=options.tracker, shards=True,
        clip_norm=options.clip_norm,
    )  # fmt: skip
    threads = choose_threads(accelerator, options.threads, steady=options.compile)
    reserve_folder(accelerator, options.out, options.resume)
    reader = catalog.build_chosen(settings.one("data"))
    asked: dict[str, Any] = {"protocol": options.protocol, "target": options.target, "sources": options.sources}
    with main_process_prepares(accelerator):
        name, shown = settings.needed("data").name, accelerator.is_local_main_process
        table = prepare(
            reader, dataset_name=name, strict=options.strict, progress=shown,
            before=lambda records: rehearse(
                settings, catalog, accelerator, reader.image_size, reader.room,
                sources_among(records, reader, **asked),
            ),
        )  # fmt: skip
    protocol = protocol_for(table, reader, **asked, convention=options.convention, seed=options.seed)
    quoted = quoted_policies(options.policy, protocol)
    wanted, settings = settings.one("aligner"), drop_lone_aligner(settings, catalog, protocol.sources)
    if wanted and not settings.one("aligner"):
        accelerator.print(f"One source domain ({protocol.sources[0]}): training without the aligner {wanted.name}.")
    seed_run(options.seed)
    objective = assemble(settings, catalog, len(protocol.sources), accelerator, reader.image_size)
    name = f"dtda-{options.protocol or protocol.target}-seed{options.seed}"
    run = open_run(accelerator, options.out, options.resume, name, settings.tree, catalog.discovery, table.preparation)
    experiment = Experiment(
        accelerator, reader, table, protocol, run, options.batch_size, options.workers, options.seed
    )
    experiment.tell()
    progress, shipped = train(
        experiment, options, objective, catalog.build_chosen(settings.one("augmentation")), threads
    )
    results = conclude(
        experiment, shipped, settings.one("student"), quoted=quoted, selection=options.selection,
        settings=settings.tree, recent=progress.recent, stability=options.stability,
    )  # fmt: skip
    if results is not None:
        present(run.path)
    accelerator.end_training()
    return 0


def rehearse(
    settings: Settings[Options], catalog: Catalog, accelerator: Accelerator, image_size: int, room: float,
    sources: tuple[str, ...],
) -> None:  # fmt: skip
    """Build everything once, before a long preparation: mistakes that need no frames are found in seconds."""
    jitter_within(room, scale=settings.recipe.jitter_scale, shift=settings.recipe.jitter_shift)
    settings = drop_lone_aligner(settings, catalog, sources) if sources else settings
    assemble(settings, catalog, max(len(sources), 2), accelerator, image_size)
    catalog.build_chosen(settings.one("augmentation"))


def drop_lone_aligner(settings: Settings[Options], catalog: Catalog, sources: tuple[str, ...]) -> Settings[Options]:
    """Leave out the default aligner if there are too few source domains; if the user asked for it, raise an error."""
    choice = settings.one("aligner")
    if choice is None or len(sources) >= getattr(catalog.factory("aligner", choice.name), "min_domains", 2):
        return settings
    if "aligner.name" in settings.given:
        cause = f"--aligner {choice.name} needs two source domains or more, there is only {sources[0]!r}"
        raise SettingsError(f"{cause}; add a domain or use --aligner none.")
    return settings.without("aligner")


def assemble(
    settings: Settings[Options], catalog: Catalog, domains: int, accelerator: Accelerator, image_size: int
) -> Objective:
    """Build student, aligner and teachers and join them in the objective."""
    detector = Detector(catalog.build_chosen(settings.one("student")), settings.recipe.views)
    check_image_size(detector, image_size, settings.needed("student"), settings.needed("data"))
    aligner = catalog.build_chosen(settings.one("aligner"), domains, detector.student.embedding_dim)
    chosen = settings.many("teachers")
    options = {name: teacher.options for name, teacher in chosen.items()}
    built = {name: catalog.build_chosen(teacher) for name, teacher in chosen.items()}
    teachers = FrozenTeachers(built, options, settings.recipe.seed)
    objective = Objective(detector, aligner, teachers, options, image_size)
    teachers.to(accelerator.device, accelerator.mixed_precision)
    return objective


def train(
    experiment: Experiment, options: Options, objective: Objective, augmentation: Augmentation | None,
    threads: ThreadTuner,
) -> tuple[checkpoints.Progress, Detector]:  # fmt: skip
    """Run the training loop; write the selected weights of the averaged detector, which is returned, into the run."""
    accelerator, run = experiment.accelerator, experiment.run
    jitter = jitter_within(experiment.table.room, scale=options.jitter_scale, shift=options.jitter_shift)
    loader, batches = experiment.training(
        options.batches, augmentation, jitter, parts=options.accumulate, by_machine=options.split_by_machine
    )
    total = min(options.epochs * batches.steps, options.max_steps or sys.maxsize)
    judge_every = judging_interval(options.judge_every, total=total, epoch=batches.steps)
    threads.look_again()
    learner, progress = begin(experiment, options, objective, loader, total)
    average = learner.average
    if progress.judged < progress.step == total:  # continued to where it stands, a checkpoint within an epoch
        select(experiment, options, objective, average.module, progress, last=True)
        checkpoints.save(accelerator, run.checkpoints, progress, kept=options.checkpoints_kept)
    with training_bar(total, progress.step, shown=accelerator.is_main_process) as advance:
        noted = LateLosses(accelerator, run, advance)
        while progress.step < total:
            epoch, done = divmod(progress.step, batches.steps)
            batches.set_epoch(epoch)
            learner.model.train()
            for position, sample in enumerate(batches_from(learner.loader, done * options.accumulate, epoch)):
                share = progress.step / total
                seed_step(accelerator, options.seed, progress.step * options.accumulate + position % options.accumulate)
                with threads.timed(), accelerator.accumulate(learner.model):
                    learn(learner, options, augmentation, sample, share, noted)
                if not accelerator.sync_gradients:
                    continue
                follow(average, objective, objective.detector, accelerator)
                progress.step += 1
                course = {**objective.scheduled_weights(share), "lr": learner.schedule.get_last_lr()[0]}
                noted.step({"step": progress.step, "epoch": epoch + 1, **course})
                within = progress.step % batches.steps
                if progress.step == total:
                    break
                if judge_every and within and within % judge_every == 0:
                    noted.flush()
                    select(experiment, options, objective, average.module, progress, within=True)
                if progress.step % options.checkpoint_every == 0 and within:
                    noted.flush()
                    checkpoints.save(accelerator, run.checkpoints, progress, kept=options.checkpoints_kept)
            noted.flush()
            select(experiment, options, objective, average.module, progress, last=progress.step == total)
            checkpoints.save(accelerator, run.checkpoints, progress, kept=options.checkpoints_kept)
    accelerator.print(f"selected by {options.selection}: the weights of step {progress.best_step}")
    return progress, average.module


def learn(
    learner: Learner, options: Options, augmentation: Augmentation | None, sample: Any, share: float, noted: LateLosses
) -> None:
    """Learn from one micro-batch, when `share` of training is done; the last one of a batch ends in a step."""
    images = to_images(sample["image"])
    images = images if augmentation is None else augmentation.vary(images)
    losses = learner.model(images, sample["label"], sample["domain"], share)
    total = learner.objective.total(losses, share)
    noted.add({**losses, "total": total})
    learner.accelerator.backward(total)
    clip(learner.accelerator, learner.model, options.clip_norm)
    learner.optimizer.step()
    learner.schedule.step()
    learner.optimizer.zero_grad()


def begin(
    experiment: Experiment, options: Options, objective: Objective, loader: Any, total: int
) -> tuple[Learner, checkpoints.Progress]:
    """Make what learns; restore a continued run, or set what distillation needs to know of the data."""
    accelerator, run = experiment.accelerator, experiment.run
    learner = make_learner(
        accelerator, objective, loader, steps=total, optimizer=options.optimizer, lr=options.lr,
        scales={
            "detector.head": options.head_lr_scale, "distillers": options.adapter_lr_scale,
            "aligner": options.aligner_lr_scale,
        },
        weight_decay=options.weight_decay, warmup=options.warmup, ema=options.ema,
        sync_batchnorm=options.sync_batchnorm, compiled=options.compile,
    )  # fmt: skip
    progress = checkpoints.restore(accelerator, run.checkpoints) if options.resume else checkpoints.Progress()
    require_room(progress.step, total, run)
    realign(learner.optimizer, learner.schedule)
    with whole(objective):
        fit_teachers(experiment, objective, resumed=progress.step > 0)
    if accelerator.is_main_process:
        run.rewind_log(progress.step)
    begin_tracking(accelerator)
    return learner, progress


def select(
    experiment: Experiment, options: Options, objective: Objective, detector: Detector, progress: checkpoints.Progress,
    *, within: bool = False, last: bool = False,
) -> None:  # fmt: skip
    """Judge held-out source presentations, keep the weights if they rank best; `within` an epoch without evidence."""
    with whole(objective):
        figures = experiment.source_dev(detector, objective.aligner, evidence=not within)
        if last:
            figures |= experiment.fresh_domain(objective.aligner, options.fresh_probe)
        record = {"step": progress.step, **{f"source_dev/{name}": value for name, value in figures.items()}}
        record |= {} if within else teaching_figures(experiment, objective)
    quoted = quoted_policies(options.policy, experiment.protocol)
    record |= judge_target(experiment, detector, progress, selection=options.selection, policies=quoted)
    keep(experiment.accelerator, experiment.run, record)
    shown = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
    experiment.accelerator.print(f"step {progress.step} source-dev: {shown}")
    if best_yet(experiment, progress, options.selection, record):
        aligner = whole_state(objective.aligner)
        if experiment.accelerator.is_main_process:
            checkpoints.keep_selected(experiment.run, detector, aligner, progress.step)


if __name__ == "__main__":
    sys.exit(run_as_command(main))
