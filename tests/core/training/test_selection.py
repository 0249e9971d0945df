"""Judging checkpoints: how often, and which one the progress notes, whoever wrote it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from padkit.errors import SettingsError
from padkit.runs.checkpoints import Progress
from padkit.training.selection import best_yet, judging_interval


@pytest.mark.parametrize(
    ("asked", "total", "epoch", "interval"),
    [
        (None, 249, 83, 42),
        (None, 83, 83, 14),
        (None, 60, 83, 10),
        (None, 830, 83, 83),
        (0, 249, 83, 0),
        (7, 249, 83, 7),
    ],
)
def test_a_run_is_judged_six_times_or_more_unless_told_otherwise(
    asked: int | None, total: int, epoch: int, interval: int
) -> None:
    """Three epochs: in the middle and at the end of each; ten epochs: at their ends."""
    assert judging_interval(asked, total=total, epoch=epoch) == interval


def test_a_negative_interval_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--judge_every -1: is below 0; give"):
        judging_interval(-1, total=10, epoch=5)


def course(progress: Progress, selection: str, losses: list[float]) -> tuple[list[int], list[str]]:
    """Return the steps that were taken for the best, and what was printed."""
    said: list[str] = []
    experiment = SimpleNamespace(accelerator=SimpleNamespace(print=said.append))
    taken = []
    for loss in losses:
        progress.step += 1
        if best_yet(experiment, progress, selection, {"source_dev/loss": loss, "source_dev/auc": 1.0}):
            taken.append(progress.step)
            assert progress.best_step == progress.step
        assert progress.judged == progress.step
    return taken, said


def test_the_lowest_loss_is_kept_and_the_later_of_equals() -> None:
    progress = Progress()
    assert course(progress, "source-dev", [0.5, 0.3, 0.4, 0.3]) == ([1, 2, 4], [])
    assert (progress.best, progress.best_step, progress.ranked_by) == ([-0.3], 4, "source_dev/loss")


@pytest.mark.parametrize("selection", ["last", "mean-last-10"])
def test_the_last_is_always_kept_also_after_an_older_padkit(selection: str) -> None:
    assert course(Progress(), selection, [0.3, 0.5]) == ([1, 2], [])
    assert course(Progress(step=6, best_step=6, best=[-0.1, 0.9]), selection, [0.3, 0.5]) == ([7, 8], [])


def test_an_older_rank_is_not_compared_but_dropped_in_one_line() -> None:
    """An earlier padkit ranked by [-EER, AUC]: its -0.0 would beat every loss."""
    progress = Progress(step=6, best_step=5, best=[-0.0, 1.0])
    taken, said = course(progress, "source-dev", [0.3, 0.4])
    assert taken == [7]
    assert len(said) == 1
    assert "step 5, was ranked by EER, by an earlier padkit, not by source_dev/loss; the choice starts anew" in said[0]
