"""`padkit evaluate MODEL --data NAME`: assesses a model on data at its own thresholds. Imports no torch."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from padkit.catalog import Catalog
from padkit.commands.judging import tell_program
from padkit.commands.samples import SampleOptions
from padkit.errors import SettingsError
from padkit.networks.views import views_told
from padkit.settings.ranges import Processes, Seed, Whole

if TYPE_CHECKING:
    from padkit.data.reader import DatasetReader
    from padkit.deploy.calibrated import Sample
    from padkit.deploy.predictor import Predictor
    from padkit.evaluation.assessment import Assessment
    from padkit.evaluation.scores import Scores

PROG = "padkit evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(SampleOptions):
    """Assess a trained model on data, at its own thresholds.

    padkit evaluate MODEL --data folder --data.root DIR. MODEL is a run's folder, its model/ folder, an installed
    model's name, or owner/name on the Hugging Face Hub. Faces in photographs are found and cut as the model was trained
    on; prepared tables and face crops are taken as they are.

    Args:
        policy: The model's threshold policy that is quoted first, or fixed:VALUE; by default its first.
        stability: Presentations whose box and size are changed to see whether verdicts hold; 0 for none.
        shortcuts: Score everything again with colours normalised, and cut in another way, to see what the AUC leans on.
        bootstrap: Resamples of the 95 % intervals; 0 for none.
        bootstrap_seed: Seed of the resamples.
        scores: File to write the scores to, for `padkit evaluate`: .parquet.
        json: File to write the figures to as JSON.
        markdown: File to write the tables to as Markdown.
        backend: What computes the scores.
        threads: CPU threads.
    """

    policy: str = ""
    stability: Whole = 200
    shortcuts: bool = True
    bootstrap: Whole = 1000
    bootstrap_seed: Seed = 0
    scores: str | None = None
    json: str | None = None
    markdown: str | None = None
    backend: Literal["auto", "torch", "onnx", "openvino"] = "auto"
    threads: Processes | None = None


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status.

    Raises:
        SettingsError: An option is unknown or wrong.
        PadkitError: The model or the data cannot be had, or a class is missing.
    """
    from padkit.settings import read_settings
    from padkit.settings.recipes import Slot

    model, *words = arguments
    if model.startswith("-"):
        raise SettingsError(f"{PROG}: with --data, the model comes first: {PROG} MODEL --data NAME ...")
    catalog = Catalog()
    settings = read_settings(
        Options, {"data": Slot("dataset", "folder", required=True)}, words, catalog, f"{PROG} MODEL"
    )
    data = settings.needed("data")
    _evaluate(model, settings.recipe, data.name, catalog.build_chosen(data), [*arguments])
    return 0


def _evaluate(model: str, options: Options, name: str, reader: DatasetReader, words: Sequence[str]) -> None:
    from padkit.deploy.predictor import load
    from padkit.deploy.shortcuts import shortcuts
    from padkit.deploy.steady import steady
    from padkit.evaluation.export import to_json
    from padkit.evaluation.methods import Method
    from padkit.evaluation.scores import write_scores
    from padkit.files import write_atomically
    from padkit.report.tables.evaluation import method_notes, method_tables
    from padkit.report.tables.layout import MADE_BY, markdown, terminal
    from padkit.report.tables.shortcuts import shortcuts_tables
    from padkit.report.tables.stability import stability_tables

    tell_program(model)
    predictor = load(model, backend=options.backend, threads=options.threads, policy=options.policy)
    sample = options.gathered(predictor, reader, name)
    told = {"resamples": options.bootstrap, "seed": options.bootstrap_seed}
    scores, found = _assessed(model, predictor, sample, **told, shown=True)
    method = Method((found,))
    stable = (
        steady(predictor, sample.table, sample.rows, options.stability, sample.cropper) if options.stability else None
    )
    held = None if stable is None else stable.record()
    leaning = None
    if options.shortcuts:
        found_out = shortcuts(predictor, sample.table, sample.rows, sample.scores, reader, sample.cropper)
        leaning = found_out.record()
    tables = [
        *method_tables(method),
        *(shortcuts_tables(leaning) if leaning else []),
        *(stability_tables(held) if held else []),
    ]
    notes = [*method_notes(method, **told), f"{MADE_BY}{shlex.join([*PROG.split(), *words])}"]
    if options.scores:
        write_scores(scores, Path(options.scores).expanduser())
    if options.json:
        content: dict[str, Any] = json.loads(to_json([method], None, **told))
        content |= {"stability": held, "shortcuts": leaning}
        text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
        write_atomically(Path(options.json).expanduser(), f"{text}\n".encode())
    if options.markdown:
        write_atomically(Path(options.markdown).expanduser(), markdown(tables, notes).encode())
    Console().print(terminal(tables, notes[:-1]))


def _assessed(model: str, predictor: Predictor, sample: Sample, **told: Any) -> tuple[Scores, Assessment]:
    """Return the presentations' scores, assessed at the model's threshold and at the data's own equal error rate."""
    from padkit.deploy.calibrated import non_response_line
    from padkit.evaluation.assessment import assess
    from padkit.evaluation.candidates import Candidate, with_notes
    from padkit.evaluation.scores import presentation_scores
    from padkit.evaluation.thresholds import FIXED, TARGET_EER

    threshold, seen = predictor.bundle.choose(predictor.policy), views_told(predictor.bundle.views)
    notes = (
        f"Assessed on {sample.told}.",
        non_response_line(sample),
        *([f"Judged by {seen}."] if seen else []),
        *sample.notes,
    )
    scores = presentation_scores(sample.columns(), sample.scores)
    given = f"{FIXED}{threshold.value!r}"
    candidate = with_notes(Candidate(name=model, target=scores, policies=(given, TARGET_EER), notes=notes))
    found = assess(candidate, **told)
    if threshold.policy.startswith(FIXED):
        return scores, found
    name, first = f"{threshold.policy} of the model", found.results[0]
    first = dataclasses.replace(first, policy=name, chosen_on=threshold.chosen_on or "what the model does not say")
    intervals = {(name if policy == given else policy, key): ends for (policy, key), ends in found.intervals.items()}
    return scores, dataclasses.replace(found, results=(first, *found.results[1:]), intervals=intervals)
