"""`padkit calibrate`: sets threshold and temperature of a model on data of one's own. Imports no torch."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console

from padkit.catalog import Catalog
from padkit.commands.judging import tell_program
from padkit.commands.samples import SampleOptions
from padkit.errors import SettingsError
from padkit.settings.ranges import Processes, Range, Whole

PROG = "padkit calibrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(SampleOptions):
    """Set a trained model's threshold and temperature on presentations of your own, and write a new model.

    padkit calibrate MODEL --data folder --data.root DIR --target apcer:0.05 --out NEW. MODEL is a run's folder, its
    model/ folder, an installed model's name, or owner/name on the Hugging Face Hub. Faces in photographs are found and
    cut as the model was trained on; prepared tables and face crops are taken as they are. A target rate is proved by
    the sample, not only measured on it: a sample that is too small is refused.

    Args:
        out: New folder for the calibrated model and its report, calibration.md.
        target: What the threshold is for: apcer:RATE (every PAI species), bpcer:RATE, eer, or cost:A:B[:P], the costs
            of an attack accepted and of a bona fide presentation rejected, and P(attack), 0.5 by default.
        level: Confidence of the proof.
        temperature: Whether scores are calibrated too (temperature scaling).
        stability: Presentations whose box and size are changed to see whether verdicts hold; 0 for none.
        scores: File to write the scores of the sample to, for `padkit evaluate`: .parquet.
        backend: What computes the scores.
        threads: CPU threads.
    """

    out: str = ""
    target: str = "apcer:0.05"
    level: Annotated[float, Range(0.5, 1, open="right")] = 0.95
    temperature: bool = True
    stability: Whole = 200
    scores: str | None = None
    backend: Literal["auto", "torch", "onnx", "openvino"] = "auto"
    threads: Processes | None = None

    def __post_init__(self) -> None:
        if not self.out:
            raise SettingsError("--out is missing; name a new folder for the calibrated model.")


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status.

    Raises:
        SettingsError: An option is unknown or wrong.
        PadkitError: The model or the data cannot be had, or the sample cannot give the threshold.
    """
    from padkit.settings import read_settings
    from padkit.settings.recipes import Slot

    model, *words = arguments or ("",)
    if model.startswith("-") and not {"-h", "--help"} & {*arguments}:
        raise SettingsError(f"{PROG}: the model comes first: {PROG} MODEL --data NAME ... --out DIR.")
    slots = {"data": Slot("dataset", "folder", required=True)}
    helped = list(arguments) if model.startswith("-") else words
    catalog = Catalog()
    if not model:
        raise SettingsError(f"{PROG}: names no model; write {PROG} MODEL --data NAME ... --out DIR.")
    settings = read_settings(Options, slots, helped, catalog, f"{PROG} MODEL")
    data = settings.needed("data")
    _calibrate(model, settings.recipe, data.name, catalog.build_chosen(data), [*arguments])
    return 0


def _calibrate(model: str, options: Options, name: str, reader: object, words: Sequence[str]) -> None:
    from padkit.data.reader import DatasetReader
    from padkit.deploy import calibrated as steps
    from padkit.deploy.predictor import load
    from padkit.deploy.steady import steady
    from padkit.evaluation.calibration import calibrate
    from padkit.evaluation.scores import write_scores
    from padkit.evaluation.targets import read_target
    from padkit.report.calibration import calibration_notes, calibration_tables
    from padkit.report.tables.layout import MADE_BY, markdown, terminal

    assert isinstance(reader, DatasetReader)
    target, out = read_target(options.target), Path(options.out).expanduser()
    tell_program(model)
    predictor = load(model, backend=options.backend, threads=options.threads)
    steps.check_out(predictor, out)
    sample = options.gathered(predictor, reader, name)
    found = calibrate(sample.columns(), sample.scores, target, level=options.level, temperature=options.temperature)
    bundle = steps.calibrated(predictor.bundle, found, sample)
    stable = None
    if options.stability:
        judging = dataclasses.replace(predictor, bundle=bundle)
        stable = steady(judging, sample.table, sample.rows, options.stability, sample.cropper)
    if stable is not None:
        bundle = steps.with_stability(bundle, stable)
    tables = calibration_tables(found, sample, bundle, stable)
    notes = [*calibration_notes(found, sample), f"{MADE_BY}{shlex.join(['padkit', 'calibrate', *words])}"]
    report = f"# Calibration: {target.policy}\n\n{markdown(tables, notes)}"
    steps.write_calibrated(predictor, bundle, out, report)
    if options.scores:
        write_scores(found.scores, Path(options.scores).expanduser())
    Console().print(terminal(tables, [*notes, f"Written: {out} (report: {out / 'calibration.md'})"]))
    if exported := sorted(path.name for path in out.iterdir() if path.suffix in (".onnx", ".xml", ".pt2")):
        print(
            f"note: {', '.join(exported)}: copied as they were; used alone they judge by the old thresholds, so export "
            "them again.",
            file=sys.stderr,
        )
