"""Which checkpoint is shipped: by a figure that still tells checkpoints apart, the later of equals, labelled."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from padkit.evaluation.metrics import auc, log_loss
from padkit.evaluation.rates import PolicyResult
from padkit.evaluation.selection import (
    CHECKPOINT_SELECTIONS,
    TEST_SET_SELECTIONS,
    checkpoint_mark,
    mean_of,
    rank,
    replaces,
)

LABEL = [1, 0, 0, 0]


def test_log_loss_by_hand() -> None:
    attacks = -np.mean(np.log([0.9, 0.8, 0.5]))
    assert log_loss(LABEL, [0.7, 0.1, 0.2, 0.5]) == pytest.approx((-np.log(0.7) + attacks) / 2)
    assert log_loss(LABEL, [0.5] * 4) == pytest.approx(np.log(2))
    assert log_loss([1, 0], [0.0, 0.0]) == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-6)


def test_a_saturated_auc_still_ranks() -> None:
    """Both order all presentations without a mistake; the one whose classes lie farther apart is better."""
    found = []
    for scores in ([0.6, 0.4, 0.4, 0.3], [0.9, 0.1, 0.2, 0.1]):
        assert auc(LABEL, scores) == 1
        found.append(rank("source-dev", {"source_dev/auc": 1.0, "source_dev/loss": log_loss(LABEL, scores)}))
    near, far = found
    assert replaces(far, near)
    assert not replaces(near, far)


def test_of_equals_the_last_is_taken() -> None:
    losses = [0.4, 0.3, 0.35, 0.3, 0.31]
    best, kept = [], 0
    for step, loss in enumerate(losses, start=1):
        mine = rank("source-dev", {"source_dev/loss": loss, "test_set/auc": 1 / step})
        if replaces(mine, best):
            best, kept = mine, step
    assert kept == 4


@pytest.mark.parametrize("selection", CHECKPOINT_SELECTIONS)
def test_only_target_best_ranks_by_the_test_set_and_the_last_ones_by_nothing(selection: str) -> None:
    worse, better = {"source_dev/loss": 0.2, "test_set/auc": 0.9}, {"source_dev/loss": 0.3, "test_set/auc": 0.8}
    taken = replaces(rank(selection, better), rank(selection, worse))
    assert taken == (selection in ("last", "mean-last-10"))
    higher = {"source_dev/loss": 0.3, "test_set/auc": 0.95}
    assert replaces(rank(selection, higher), rank(selection, worse)) == (selection != "source-dev")


def test_choices_on_the_test_set_are_marked() -> None:
    assert {name for name in CHECKPOINT_SELECTIONS if checkpoint_mark(name)} == TEST_SET_SELECTIONS
    assert checkpoint_mark("target-best") == "checkpoint target-best (test set)"


def test_means_by_hand() -> None:
    def entry(policy: str, hter: float) -> dict[str, object]:
        return asdict(
            PolicyResult(
                policy=policy, threshold=hter, chosen_on="x", test_set_choice=False, values={"hter": hter},
                apcer_by_species={"print": 2 * hter},
            )
        )  # fmt: skip

    recent = [
        {"step": step, "values": {"auc": 1 - hter}, "results": [entry("source-dev", hter), entry("fixed:0.5", 0.5)]}
        for step, hter in ((7, 0.1), (9, 0.3))
    ]
    found = mean_of(recent)
    assert (found.selection, found.test_set_choice, found.steps) == ("mean-last-10", True, (7, 9))
    assert found.values == {"auc": pytest.approx(0.8)}
    assert [entry.policy for entry in found.results] == ["source-dev", "fixed:0.5"]
    assert found.results[0].values["hter"] == found.results[0].threshold == pytest.approx(0.2)
    assert found.results[0].apcer_by_species == {"print": pytest.approx(0.4)}
    assert found.results[1].values["hter"] == 0.5
