"""What a finished run writes: scores, metrics, the model bundle and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from padkit.catalog import Chosen
from padkit.data.preparation.prepare import FrameTable
from padkit.data.protocols.protocol import Protocol
from padkit.data.reader import DatasetReader
from padkit.deploy.bundle import Bundle, save_bundle
from padkit.evaluation.results import ProtocolSummary, Results, evaluate, write_results
from padkit.evaluation.scores import Scores, write_scores
from padkit.files import read_step
from padkit.networks.detector import Detector
from padkit.report.page.mistakes import thumbnails as show
from padkit.report.page.page import write_page
from padkit.runs.folder import RunFolder


def conclude(
    run: RunFolder,
    *,
    target: Scores,
    source_dev: Scores,
    target_dev: Scores | None,
    table: FrameTable,
    protocol: Protocol,
    reader: DatasetReader,
    detector: Detector,
    student: Chosen,
    policies: Sequence[str],
    selection: str,
    seed: int,
    settings: Mapping[str, Any],
    thumbnails: bool = True,
) -> Results:
    """Judge the scores, write everything into the run folder, and return the results.

    Args:
        run: The run folder.
        target: Scores of the target's presentations.
        source_dev: Scores of held-out source presentations.
        target_dev: Scores of the targets' own dev splits, where a policy needs them.
        table: The frames.
        protocol: Their division.
        reader: Where they come from.
        detector: The selected detector.
        student: The component its student was built from.
        policies: Threshold policies, the one to quote and to ship first.
        selection: How the checkpoint was selected.
        seed: The run's seed.
        settings: The resolved settings.
        thumbnails: Show the faces of the worst mistakes on the page.
    """
    summary = ProtocolSummary(
        name=protocol.name,
        convention=protocol.convention,
        sources=protocol.sources,
        target=protocol.target,
        simulated=reader.simulated,
    )
    results = evaluate(
        target,
        source_dev=source_dev,
        protocol=summary,
        seed=seed,
        checkpoint_selection=selection,
        policies=policies,
        target_dev=target_dev,
        targets=protocol.targets,
    )
    write_scores(target, run.scores)
    write_scores(source_dev, run.source_dev_scores)
    if target_dev is not None:
        write_scores(target_dev, run.target_dev_scores)
    write_results(results, run.metrics)
    first, division = results.results[0], protocol.summary(table)
    bundle = Bundle(
        student=student.name,
        settings=student.settings,
        image_size=reader.image_size,
        threshold=first.threshold,
        threshold_policy=first.policy,
        simulated=reader.simulated,
        provenance={"protocol": division, "checkpoint_selection": selection, "settings": dict(settings)},
    )
    save_bundle(run.model, detector, bundle)
    write_page(
        run.path,
        results=results,
        target=target,
        source_dev=source_dev,
        log=run.read_log(),
        settings=settings,
        environment=json.loads(run.environment.read_text(encoding="utf-8")),
        division=division,
        preparation=table.preparation,
        pictures=show(table) if thumbnails else None,
        selected=read_step(run.selected),
    )
    return results
