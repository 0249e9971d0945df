"""Checkpoint selections: by which figure a run chooses the weights that it ships. Every result names its selection.

| selection | ships | looks at the test set |
|---|---|---|
| `source-dev` | the checkpoint with the lowest log loss on held-out *source* presentations; the honest default | no |
| `last` | the last checkpoint | no |
| `target-best` | the checkpoint with the highest AUC on the target test set; usual in the literature | yes |
| `mean-last-10` | the last checkpoint; beside its figures stand their means over the last 10 judged checkpoints | yes |

`mean-last-10` chooses nothing: its means are of no weights that exist, so they stand apart from the figures of the
weights that are shipped (`mean_last` in `metrics.json`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from padkit.evaluation.rates import PolicyResult

SOURCE_DEV, LAST, TARGET_BEST, MEAN_LAST = "source-dev", "last", "target-best", "mean-last-10"
AVERAGED = 10  # judged checkpoints in a mean of `mean-last-10`, at most
CHECKPOINT_SELECTIONS: Mapping[str, str] = {
    SOURCE_DEV: "the best checkpoint on held-out source presentations",
    LAST: "the last checkpoint",
    TARGET_BEST: "the best checkpoint on the test set, as often in the literature",
    MEAN_LAST: "means over the last 10 judged checkpoints on the test set, as at times in the literature",
}
TEST_SET_SELECTIONS = frozenset({TARGET_BEST, MEAN_LAST})
LOSS, TARGET_AUC = "source_dev/loss", "test_set/auc"  # as `log.jsonl` names them
RANKED_BY: Mapping[str, str] = {SOURCE_DEV: LOSS, TARGET_BEST: TARGET_AUC}  # the other selections rank nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanResult:
    """The means of the target's figures over several judged checkpoints; the key `mean_last` of `metrics.json`."""

    selection: str
    test_set_choice: bool
    steps: tuple[int, ...]
    values: dict[str, float]
    results: tuple[PolicyResult, ...]


def rank(selection: str, figures: Mapping[str, float]) -> list[float]:
    """Return what a judged checkpoint is ranked by, the larger the better; empty where the last one is shipped.

    `source-dev` ranks by the log loss (`padkit.evaluation.metrics.log_loss`) of the presentation scores of held-out
    source, not by EER or AUC. An EER moves in steps of a presentation. AUC is finer, but 1 for every checkpoint that
    orders the presentations of known domains without a mistake, which on real data soon all do; the choice is then
    arbitrary. The loss goes on telling them apart, by how far the classes lie from each other. Its price is that it
    also counts calibration, which a threshold that is chosen afterwards does not need.

    Args:
        selection: A key of `CHECKPOINT_SELECTIONS`.
        figures: Figures of the checkpoint by their names in `log.jsonl`.
    """
    name = RANKED_BY.get(selection)
    if name is None:
        return []
    return [-figures[name] if name == LOSS else figures[name]]


def replaces(found: Sequence[float], best: Sequence[float]) -> bool:
    """Return whether a checkpoint of rank `found` takes the place of the best so far, of rank `best` (empty: none).

    Of equals the later one does: it has learnt for longer.
    """
    return not best or list(found) >= list(best)


def checkpoint_mark(selection: str) -> str:
    """Return what must stand at figures whose checkpoint was chosen on the test set; "" for an honest selection."""
    return f"checkpoint {selection} (test set)" if selection in TEST_SET_SELECTIONS else ""


def mean_of(recent: Sequence[Mapping[str, Any]]) -> MeanResult:
    """Return the means over judged checkpoints: of every rate, and of the thresholds.

    Args:
        recent: At least one; each has `step`, `values` and `results`, as mappings, like the keys of `metrics.json`.
    """
    runs = [[PolicyResult(**entry) for entry in one["results"]] for one in recent]
    return MeanResult(
        selection=MEAN_LAST,
        test_set_choice=True,
        steps=tuple(int(one["step"]) for one in recent),
        values=_means([one["values"] for one in recent]),
        results=tuple(
            replace(
                same[0],
                threshold=float(np.mean([entry.threshold for entry in same])),
                values=_means([entry.values for entry in same]),
                apcer_by_species=_means([entry.apcer_by_species for entry in same]),
            )
            for same in zip(*runs, strict=True)
        ),
    )


def _means(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}
