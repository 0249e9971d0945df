"""`padkit adapt`: fine-tunes a model on a few captures of one's own. Imports no torch."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from padkit.catalog import Catalog
from padkit.commands.samples import SampleOptions
from padkit.data.simulation import facts_of, simulated_warning
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import BatchSize, Count, OpenShare, Positive, Processes, Seed, Share

if TYPE_CHECKING:
    from padkit.data.augmentation import Augmentation
    from padkit.data.preparation.prepare import FrameTable
    from padkit.data.reader import DatasetReader
    from padkit.deploy.predictor import Predictor
    from padkit.evaluation.regression import DomainCheck
    from padkit.networks.detector import Detector
    from padkit.runs.adaptation import AdaptationPart

PROG = "padkit adapt"
USAGE = f"{PROG} MODEL --data NAME ... --out DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(SampleOptions):
    """Fine-tune a trained model on a few captures of your own, and write a new model.

    padkit adapt MODEL --data folder --data.root DIR --regression.NAME prepared --regression.NAME.folders DIR --out NEW.
    MODEL is a run's folder, its model/ folder, an installed model's name, or owner/name on the Hugging Face Hub. A part
    of your captures is held out, by person where people are known. Old data are mixed in and measured on: those of the
    run, if MODEL is a run's folder, and any that you name by --regression.NAME READER. If the new model is worse than
    before on any of them by more than the tolerance, nothing is written, unless you accept it.

    Args:
        out: New folder for the adapted model and its report, adaptation.md.
        tolerance: By how much AUC may fall and HTER may rise, on each old domain and on the own data (0.02 = 2 points).
        accept_regression: Write the model although it got worse somewhere, or although there are no old data to tell.
        run_data: Whether the data of MODEL's run are old data: its sources to mix in, its held-out part and its test
            set to measure on.
        held_out: Share of the people that is measured on and not learned from.
        split: Only this split of the own data: train, dev or test.
        domains: Only these domains of the own data (A,B).
        cropped: The media, own and old, are face crops already: find nothing, take the square.
        policy: Threshold policy of the model before, or fixed:VALUE; its first by default.
        lr: Peak learning rate (AdamW).
        epochs: Passes over the own captures.
        batch_size: Frames of a step, balanced over domain and class; where there are old data, half of them are old.
        seed: Draws the held-out people, the batches and the augmentation.
        threads: CPU threads.
    """

    out: str = "adapted"
    tolerance: Share = 0.02
    accept_regression: bool = False
    run_data: bool = True
    held_out: OpenShare = 0.3
    policy: str = ""
    lr: Positive = 1e-4
    epochs: Count = 10
    batch_size: BatchSize = 32
    seed: Seed = 0
    threads: Processes | None = None


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status.

    Raises:
        SettingsError: An option is unknown or wrong.
        PadkitError: The model or the data cannot be had, or the new model is worse than the old one.
    """
    from padkit.settings import read_settings
    from padkit.settings.recipes import Slot

    model, *words = arguments or ("",)
    asks = bool({"-h", "--help"} & {*arguments})
    if not model or (model.startswith("-") and not asks):
        raise SettingsError(f"{PROG}: the model comes first: {USAGE}.")
    slots = {
        "data": Slot("dataset", "folder", required=True),
        "regression": Slot("dataset", {}),
        "augmentation": Slot("augmentation", "light"),
    }
    catalog = Catalog()
    helped = list(arguments) if model.startswith("-") else words
    settings = read_settings(Options, slots, helped, catalog, f"{PROG} MODEL")
    own = settings.needed("data")
    job = Job(
        model=model,
        options=settings.recipe,
        own=(own.name, catalog.build_chosen(own)),
        old={name: (one.name, catalog.build_chosen(one)) for name, one in settings.many("regression").items()},
        augmentation=catalog.build_chosen(settings.one("augmentation")),
        settings=settings.tree,
        words=tuple(arguments),
    )
    _adapt(job, catalog)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What was asked for: readers come with the name of their component."""

    model: str
    options: Options
    own: tuple[str, DatasetReader]
    old: Mapping[str, tuple[str, DatasetReader]]
    augmentation: Augmentation | None
    settings: Mapping[str, Any]
    words: tuple[str, ...]


def _adapt(job: Job, catalog: Catalog) -> None:
    from padkit.deploy.adapted import scores_of
    from padkit.deploy.calibrated import check_out
    from padkit.deploy.predictor import load
    from padkit.deploy.scorers import detector_scorer
    from padkit.deploy.stored import load_bundle
    from padkit.evaluation.regression import DomainCheck, balanced_threshold, figures
    from padkit.training.adaptation import TuningOptions, tune

    options = job.options
    predictor = load(job.model, backend="torch", threads=options.threads, face="none", policy=options.policy)
    check_out(predictor, Path(options.out).expanduser(), "adapted")
    parts, notes = _parts(job, predictor, catalog)
    measured = [part for part in parts if len(part.check)]
    print(f"measuring {sum(len(part.check) for part in measured)} frames before and after", file=sys.stderr)
    before = [scores_of(predictor, part.table, part.check) for part in measured]
    detector, bundle = load_bundle(predictor.folder, catalog)
    how = TuningOptions(lr=options.lr, epochs=options.epochs, batch_size=options.batch_size, seed=options.seed)
    losses = tune(detector, parts, bundle.image_size, job.augmentation, how)
    plain = dataclasses.replace(bundle, temperature=1.0)
    new = dataclasses.replace(predictor, bundle=plain, score=detector_scorer(detector), policy="")
    after = [scores_of(new, part.table, part.check) for part in measured]
    threshold = balanced_threshold([one for one, part in zip(after, measured, strict=True) if part.threshold])
    used = bundle.choose(options.policy).value
    checks = [
        DomainCheck(
            name=part.name, own=part.own, seen=part.threshold, before=figures(old, used), after=figures(one, threshold)
        )
        for part, old, one in zip(measured, before, after, strict=True)
    ]
    notes.append(f"Loss of the first step {losses[0]:.3f}, of the last {losses[-1]:.3f}, {len(losses)} steps.")
    _ship(job, predictor, detector, parts, checks, notes)


def _parts(job: Job, predictor: Predictor, catalog: Catalog) -> tuple[list[AdaptationPart], list[str]]:
    """Return the own captures and the old domains, and what must be known of them."""
    from padkit.deploy.calibrated import chosen_rows, crop_notes, prepared, records_of, silent_among
    from padkit.runs.adaptation import OWN, old_parts, own_part, run_parts, without_own
    from padkit.runs.finished import read_run
    from padkit.runs.folder import RunFolder
    from padkit.runs.opened import Opener

    options, bundle = job.options, predictor.bundle
    run = Path(job.model).expanduser()
    with_run = options.run_data and RunFolder(run).finished
    if not (with_run or job.old or options.accept_regression):
        raise SettingsError(
            f"{PROG}: there are no old data, so nobody would know what the model loses elsewhere; name some by "
            "--regression.NAME READER, give the run's folder as MODEL, or write --accept_regression true."
        )

    notes: list[str] = []

    def table_of(named: tuple[str, DatasetReader], called: str) -> FrameTable:
        name, reader = named
        table, cropper = prepared(
            bundle, reader, name, cropped=options.cropped, frames=options.frames, face=options.face,
            face_model=options.face_model,
        )  # fmt: skip
        silent = silent_among(table, records_of(reader, cropper))
        if silent is not None and silent[0]:
            notes.append(f"{called}: {silent[0]} of {silent[1]} presentations gave no face and are in no figure.")
        notes.extend(crop_notes(bundle, table, cropper))
        if warning := simulated_warning(*facts_of(table.preparation)):
            notes.append(f"{called}: {warning[0].lower()}{warning[1:]}")
        return table

    table = table_of(job.own, OWN)
    rows = chosen_rows(table, options.split, options.domains)
    own, warnings = own_part(table, rows, options.held_out, options.seed)
    old: list[AdaptationPart] = []
    if with_run:
        try:
            old += run_parts(read_run(run), Opener(catalog, shown=True))
        except DataError as error:
            raise DataError(f"{str(error).rstrip('.')}, or leave the run's data out by --run_data false.") from error
    for name, named in job.old.items():
        old += old_parts(table_of(named, name), name, options.held_out, options.seed)
    kept, told = without_own(old, own)
    return [own, *kept], [*notes, *warnings, *told]


def _ship(
    job: Job, predictor: Predictor, detector: Detector, parts: Sequence[AdaptationPart],
    checks: Sequence[DomainCheck], notes: Sequence[str],
) -> None:  # fmt: skip
    """Print the figures and write the new model, unless it is worse than the old one."""
    from padkit.deploy.adapted import REPORT, adapted, write_adapted
    from padkit.deploy.cutting import judged_as_cut
    from padkit.evaluation.regression import facts, worsened
    from padkit.report.adaptation import adaptation_notes, adaptation_tables
    from padkit.report.tables.layout import MADE_BY, markdown, terminal

    options, out = job.options, Path(job.options.out).expanduser()
    worse, limit = list(worsened(checks, options.tolerance)), f"{100 * options.tolerance:g} points"
    tables, told = adaptation_tables(checks, parts), [*adaptation_notes(checks), *notes]
    if worse and options.accept_regression:
        told.append(f"Worse than before by more than {limit}, and accepted: {'; '.join(worse)}.")
    told.append(f"{MADE_BY}{shlex.join(['padkit', 'adapt', *job.words])}")
    Console().print(terminal(tables, told))
    if worse and not options.accept_regression:
        raise DataError(
            f"{out}: not written, because the new model is worse than before by more than {limit} on "
            f"{'; '.join(worse)}; give more data, lower --lr or --epochs, or write --accept_regression true."
        )
    record = {
        "settings": dict(job.settings),
        "keys": sorted({part.table.preparation["key"] for part in parts}),
        "padkit": version("padkit"),
        "tolerance": options.tolerance,
        "accepted_regression": worse,
        "checks": facts(checks),
    }
    made = [facts_of(part.table.preparation) for part in parts]
    bundle = adapted(judged_as_cut(predictor.bundle, options.face), checks[0], record, made=made)
    write_adapted(predictor.folder, detector, bundle, out, markdown(tables, told))
    Console().print(f"Written: {out} (report: {out / REPORT})", markup=False, highlight=False)
