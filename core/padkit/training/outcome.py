"""Writes the results of training: scores, metrics, the model bundle, and which data were trained and tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from padkit.catalog import Chosen
from padkit.data.protocols.protocol import Protocol
from padkit.deploy.bundle import Bundle
from padkit.deploy.described import bundle_thresholds, crop_policy
from padkit.deploy.predictor import Predictor
from padkit.deploy.scorers import detector_scorer
from padkit.deploy.steady import steady
from padkit.deploy.stored import save_bundle
from padkit.evaluation.results import ProtocolSummary, Results, evaluate, write_results
from padkit.evaluation.scores import write_scores
from padkit.evaluation.selection import TARGET_BEST, mean_of
from padkit.evaluation.thresholds import policies
from padkit.files import write_json
from padkit.networks.detector import Detector
from padkit.runs.checkpoints import load_selected
from padkit.runs.folder import read_step
from padkit.training.experiment import Experiment, FinalScores

PREPARATION = ("dataset", "fingerprint", "key", "image_size", "simulated", "real_faces", "records", "notes")


def quoted_policies(asked: str | None, protocol: Protocol | None = None) -> list[str]:
    """Return the threshold policies of the results; the quoted policy comes first.

    Args:
        asked: The policy that the user named, or None for the default.
        protocol: The division of the data; while it is not known, only the policy's name is checked.

    Raises:
        SettingsError: The policy is unknown, or needs a dev split that the target does not have.
    """
    if protocol is None:
        return policies(asked, target_dev=True, official=False)
    return policies(asked, target_dev=len(protocol.target_dev) > 0, official=protocol.official_dev)


def assess(experiment: Experiment, scores: FinalScores, policies: Sequence[str], selection: str) -> Results:
    """Return the results of a checkpoint's scores under each policy; errors as in `padkit.evaluation.results.evaluate`.

    Args:
        experiment: The run.
        scores: What the checkpoint's detector scored.
        policies: Threshold policies, the quoted one first.
        selection: How the checkpoint was selected.
    """
    protocol = experiment.protocol
    return evaluate(
        scores.target,
        source_dev=scores.source_dev,
        target_dev=scores.target_dev,
        protocol=ProtocolSummary(
            name=protocol.name,
            convention=protocol.convention,
            sources=protocol.sources,
            target=protocol.target,
            simulated=experiment.reader.simulated,
            real_faces=experiment.reader.real_faces,
        ),
        seed=experiment.seed,
        checkpoint_selection=selection,
        policies=policies,
        targets=protocol.targets,
    )


def conclude(
    experiment: Experiment,
    detector: Detector,
    student: Chosen | None,
    *,
    quoted: Sequence[str],
    selection: str,
    settings: Mapping[str, Any],
    recent: Sequence[Mapping[str, Any]] = (),
    stability: int = 0,
) -> Results | None:
    """Score the selected weights on the target, once, and write everything into the run folder.

    Every process calls this; the main one writes and returns the results, the others return None.

    Args:
        experiment: The run.
        detector: Its detector; the selected weights are loaded into it.
        student: The component that the detector's student was built from; None ships no model.
        quoted: Threshold policies; the first one is quoted and shipped.
        selection: How the checkpoint was selected.
        settings: The resolved settings.
        recent: Figures of the last judged checkpoints, to tell their means (`padkit.evaluation.selection.mean_of`).
        stability: Test presentations, at most, whose box and size are changed to see whether verdicts hold.
    """
    run = experiment.run
    experiment.accelerator.wait_for_everyone()
    load_selected(run, detector)
    scores = experiment.scores(detector, quoted)
    if not experiment.accelerator.is_main_process:
        return None
    results = assess(experiment, scores, quoted, selection)
    results = replace(results, mean_last=mean_of(recent)) if recent else results
    run.metrics.unlink(missing_ok=True)  # of a run that was continued: a kill must not leave its figures to new scores
    for found, file in zip(scores, (run.scores, run.source_dev_scores, run.target_dev_scores), strict=True):
        if found is not None:
            write_scores(found, file)
    data = _data(experiment)
    if student is not None:
        bundle = _bundle(experiment, student, results, data["division"], settings)
        if stability and (held := _stability(experiment, detector, bundle, stability)):
            data["stability"] = held
            bundle = replace(bundle, provenance={**bundle.provenance, "stability": held})
        save_bundle(run.model, detector, bundle)
    write_json(run.data, data)
    write_results(results, run.metrics)
    run.release()
    return results


def _bundle(
    experiment: Experiment, student: Chosen, results: Results, division: Mapping[str, Any], settings: Mapping[str, Any]
) -> Bundle:
    """Return what the run's bundle says of its weights."""
    return Bundle(
        student=student.name,
        settings=student.settings,
        image_size=experiment.reader.image_size,
        thresholds=bundle_thresholds(results),
        crop=crop_policy(experiment.reader, experiment.table),
        simulated=experiment.reader.simulated,
        real_faces=experiment.reader.real_faces,
        provenance={
            "protocol": division,
            "checkpoint_selection": results.checkpoint_selection,
            "checkpoint_test_set_choice": results.checkpoint_selection == TARGET_BEST,
            "settings": dict(settings),
        },
    )


def _stability(experiment: Experiment, detector: Detector, bundle: Bundle, limit: int) -> dict[str, Any] | None:
    """Return how the verdicts of a shipped detector hold on test faces: `padkit.deploy.steady.Stable.record`."""
    predictor = Predictor(bundle=bundle, score=detector_scorer(detector.eval()))
    found = steady(predictor, experiment.table, np.sort(experiment.protocol.test), limit)
    return None if found is None else found.record()


def _data(experiment: Experiment) -> dict[str, Any]:
    """Return the content of `data.json`.

    `division`: `padkit.data.protocols.protocol.Protocol.summary`; `preparation`: facts of the prepared table, including
    its key, the number of skipped files and what was not read; `tables`: its folders; `selected_step`: the step whose
    weights are shipped. `conclude` adds `stability`, if it is measured.
    """
    table = experiment.table
    facts = {name: table.preparation.get(name) for name in PREPARATION}
    return {
        "division": experiment.protocol.summary(table),
        "preparation": {**facts, "skipped": len(table.skipped), "unread": table.preparation.get("unread", [])},
        "tables": [str(folder.resolve()) for folder in table.folders],
        "selected_step": read_step(experiment.run.selected),
    }
