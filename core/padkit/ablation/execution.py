"""Executes an ablation's runs, and keeps the record of each as it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from rich.console import Console

from padkit.ablation import kept
from padkit.ablation.job import AblationJob
from padkit.ablation.records import FINISHED, Record, record_run, write_records
from padkit.ablation.workers import Outcome, Workers
from padkit.errors import PadkitError, one_line


def follow(job: AblationJob, console: Console, *, prune: bool = False) -> list[Record]:
    """Collect every run's record as it ends, keep `results.csv` up to date and print the time left.

    Args:
        job: The ablation.
        console: Where the lines go.
        prune: Remove the checkpoints of finished runs.
    """
    records: dict[str, Record] = {}
    took: list[float] = []
    with contextlib.closing(execute(job)) as outcomes:
        for outcome in outcomes:
            run = outcome.run
            record, note = conclude_run(job, outcome)
            records[run.name] = record
            write_records([records[run.name] for run in job.runs if run.name in records], job.out / "results.csv")
            if prune and record.status == FINISHED:
                run.prune()
            took += [] if outcome.seconds is None else [outcome.seconds]
            left = (len(job.runs) - len(records)) * sum(took) / max(len(took), 1) / job.launch.jobs
            time = "done before" if outcome.seconds is None else f"{outcome.seconds:.0f} s, {left / 60:.0f} min left"
            told = record.error or f"HTER {100 * (record.hter or 0):.2f} % AUC {100 * (record.auc or 0):.2f} %"
            text = f"{len(records)}/{len(job.runs)} {run.name}: {record.status}, {told} ({time}){note}"
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    return [records[run.name] for run in job.runs if run.name in records]


def execute(job: AblationJob) -> Generator[Outcome, None, None]:
    """Execute the unfinished runs; the finished ones are reported first."""
    pending = [run for run in job.runs if run.key not in job.known and not run.finished]
    yield from (Outcome(run, "", None) for run in job.runs if run not in pending)
    yield from Workers(job.launch.command(), job.launch.crew(), job.shared).outcomes(pending)


def conclude_run(job: AblationJob, outcome: Outcome) -> tuple[Record, str]:
    """Return the record of a run that has ended, and keep it if it is new; or say why it cannot be kept."""
    run = outcome.run
    if (there := job.known.get(run.key)) is not None:
        return there.record(), ""
    record = record_run(run, outcome.error, job.out)
    if record.status == FINISHED:
        try:
            job.known[run.key] = kept.keep(run, outcome.seconds)
            kept.append(job.keep_in, job.known[run.key])
        except PadkitError as error:
            return record, f"; not kept: {one_line(error)}"
    return record, ""
