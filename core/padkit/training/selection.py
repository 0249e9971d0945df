"""Judges checkpoints during training: when, on the test set where the selection asks for it, and which one is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from padkit.errors import SettingsError
from padkit.evaluation.selection import AVERAGED, MEAN_LAST, RANKED_BY, TARGET_AUC, TEST_SET_SELECTIONS, rank, replaces
from padkit.networks.detector import Detector
from padkit.runs.checkpoints import Progress
from padkit.training.experiment import Experiment
from padkit.training.outcome import assess

JUDGEMENTS = 6  # of a run, by default, at least; each scores all of source-dev, 6 s in the run without arguments


def judging_interval(asked: int | None, *, total: int, epoch: int) -> int:
    """Return the optimiser steps from one judgement to the next within an epoch, 0 for none but that at its end.

    By default a run of few epochs is judged several times in each, evenly; one of many at their ends only.

    Args:
        asked: What the user asked for, or None for the default.
        total: Optimiser steps of the run.
        epoch: Optimiser steps of an epoch.

    Raises:
        SettingsError: A negative number was asked for.
    """
    if asked is None:
        epochs = -(-total // epoch)
        return -(-min(total, epoch) // -(-JUDGEMENTS // epochs))
    if asked < 0:
        raise SettingsError(f"--judge_every {asked}: is below 0; give a number of steps, 0 for ends of epochs only.")
    return asked


def judge_target(
    experiment: Experiment, detector: Detector, progress: Progress, *, selection: str, policies: Sequence[str]
) -> dict[str, float]:
    """Assess `detector` on the test set, if the selection looks at it; return what the log says of it, else nothing.

    For `mean-last-10` the figures are noted in `progress.recent`, so that a resumed run averages the same ones.
    """
    if selection not in TEST_SET_SELECTIONS:
        return {}
    found = assess(experiment, experiment.scores(detector, policies), policies, selection)
    if selection == MEAN_LAST:
        mine = {"step": progress.step, "values": found.values, "results": [asdict(entry) for entry in found.results]}
        progress.recent = [*(one for one in progress.recent if one["step"] != progress.step), mine][-AVERAGED:]
    return {TARGET_AUC: found.values["auc"]}


def best_yet(experiment: Experiment, progress: Progress, selection: str, figures: Mapping[str, float]) -> bool:
    """Rank the checkpoint of this step; note in `progress` and return whether it is now the one to ship.

    A rank noted by another figure (by an earlier padkit, or under another selection) cannot be compared with this
    one: it is dropped, which is said in one line.
    """
    progress.judged = progress.step
    ranked_by = RANKED_BY.get(selection, "")
    if not ranked_by:
        progress.best = []
    elif progress.best and progress.ranked_by != ranked_by:
        why = f"ranked by {progress.ranked_by or 'EER, by an earlier padkit'}, not by {ranked_by}"
        experiment.accelerator.print(
            f"warning: the best checkpoint so far, step {progress.best_step}, was {why}; the choice starts anew."
        )
        progress.best = []
    found = rank(selection, figures)
    if not replaces(found, progress.best):
        return False
    progress.best, progress.best_step, progress.ranked_by = found, progress.step, ranked_by
    return True
