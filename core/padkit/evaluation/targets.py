"""Operating points chosen on a calibration sample: a target rate that the sample proves, the EER, or the lowest cost.

| policy | threshold |
|---|---|
| `apcer:RATE` | the lowest at which the exact bound of *every* PAI species' APCER is at most RATE |
| `bpcer:RATE` | the highest at which the exact bound of the BPCER is at most RATE |
| `eer` | equal errors, species pooled (`padkit.evaluation.metrics.equal_error`) |
| `cost:A:B[:P]` | lowest cost A P APCER + B (1 - P) BPCER, APCER of the worst species; P(attack) is 0.5 by default |

A target is proved, not only measured. The threshold is put at an order statistic of one class, so that the chance that
the true rate exceeds the target is at most 1 - level, although the threshold was chosen on the same presentations
(the distribution-free tolerance limit of Wilks, 1941). This holds for independent presentations like those of the
sample; several of one person are not independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError
from padkit.evaluation.metrics import attacks_by_species, checked, equal_error
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.binomial import most_errors, smallest_provable, trials_needed

FORMS = "apcer:0.05, bpcer:0.05, eer, cost:10:1 or cost:10:1:0.01"
EQUAL = "eer"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """What a threshold is chosen for.

    Attributes:
        kind: `apcer`, `bpcer`, `eer` or `cost`.
        rate: The rate not to exceed, a share in (0, 1), for `apcer` and `bpcer`.
        costs: Of an attack that is accepted and of a bona fide presentation that is rejected, for `cost`.
        prior: P(attack), in (0, 1), for `cost`.
        policy: As it was written; the threshold's policy in the bundle.
    """

    kind: str
    policy: str
    rate: float = 0.0
    costs: tuple[float, float] = (1.0, 1.0)
    prior: float = 0.5


def read_target(text: str) -> Target:
    """Return the target that a policy of the module's table names.

    Raises:
        SettingsError: It is none of them, or a number is outside its range.
    """
    kind, _, rest = text.partition(":")
    numbers = [_number(word) for word in rest.split(":")] if rest else []
    if kind == EQUAL and not rest:
        return Target(EQUAL, text)
    if kind in ("apcer", "bpcer") and len(numbers) == 1 and 0 < numbers[0] < 1:
        return Target(kind, text, rate=numbers[0])
    if kind == "cost" and len(numbers) in (2, 3) and all(0 < number < math.inf for number in numbers):
        prior = numbers[2] if len(numbers) == 3 else 0.5
        if prior < 1:
            return Target(kind, text, costs=(numbers[0], numbers[1]), prior=prior)
    raise SettingsError(f"target {text!r} is none; write {FORMS}: rates and P(attack) lie between 0 and 1.")


def choose_for(target: Target, scores: Scores, level: float = 0.95) -> float:
    """Return the threshold in [0, 1] that a sample gives for a target: accept iff score >= threshold.

    Args:
        target: What it is for.
        scores: The calibration sample, one row per presentation.
        level: Confidence of the proof, in (0, 1).

    Raises:
        DataError: A class is missing, the sample is too small to prove the rate, or no useful threshold reaches it.
    """
    label, score, kinds = checked(scores.label, scores.score, scores.pai_species)
    if target.kind == EQUAL:
        return equal_error(label, score).threshold
    if target.kind == "cost":
        return _cheapest(target, label, score, attacks_by_species(label, kinds))
    if target.kind == "bpcer":
        return _for_bpcer(target, label, score, level)
    return _for_apcer(target, label, score, attacks_by_species(label, kinds), level)


def _for_apcer(
    target: Target, label: NDArray[np.int64], score: Floats, species: dict[str, NDArray[np.bool_]], level: float
) -> float:
    name, fewest = min(((name, int(rows.sum())) for name, rows in species.items()), key=lambda pair: pair[1])
    _check_size(target, f"species {name!r}", "attacks of each species", fewest, level)
    above = -math.inf  # the threshold must lie above it
    for rows in species.values():
        falling = np.sort(score[rows])[::-1]
        above = max(above, float(falling[most_errors(len(falling), target.rate, level)]))
    value = _above(above, score)
    if value is None or not np.any(score[label == BONA_FIDE] >= value):
        raise DataError(
            f"target {target.policy}: no bona fide presentation would be accepted; the model does not tell these "
            "attacks from live faces so well, ask for a higher rate."
        )
    return value


def _for_bpcer(target: Target, label: NDArray[np.int64], score: Floats, level: float) -> float:
    alive = np.sort(score[label == BONA_FIDE])
    _check_size(target, "bona fide", "bona fide presentations", len(alive), level)
    value = _at_most(float(alive[most_errors(len(alive), target.rate, level)]), score)
    if np.all(score[label == ATTACK] >= value):
        raise DataError(
            f"target {target.policy}: every attack would be accepted; the model does not tell these live faces from "
            "attacks so well, ask for a higher rate."
        )
    return value


def _cheapest(target: Target, label: NDArray[np.int64], score: Floats, species: dict[str, NDArray[np.bool_]]) -> float:
    values = np.unique(score)
    above = [] if values[-1] >= 1 else [(values[-1] + 1) / 2]
    cuts = np.array([*values[:1], *((values[:-1] + values[1:]) / 2), *above])
    apcer = np.max([_share_reaching(score[rows], cuts) for rows in species.values()], axis=0)
    bpcer = 1 - _share_reaching(score[label == BONA_FIDE], cuts)
    cost = target.costs[0] * target.prior * apcer + target.costs[1] * (1 - target.prior) * bpcer
    cheapest = np.flatnonzero(cost <= cost.min() + 1e-12)
    return float(cuts[cheapest[-1]])  # of equally cheap ones the strictest


def _check_size(target: Target, who: str, whom: str, count: int, level: float) -> None:
    """Refuse a sample that could not prove the rate even without an error."""
    if most_errors(count, target.rate, level) < 0:
        least = smallest_provable(count, level)
        raise DataError(
            f"target {target.policy}: {who} has {count} presentations, which prove at best {100 * least:.2g} % (at "
            f"{100 * level:g} % confidence, without one error); add some until there are "
            f"{trials_needed(target.rate, level)} {whom}, or ask for {target.kind}:{math.ceil(1000 * least) / 1000:g}."
        )


def _share_reaching(score: Floats, cuts: Floats) -> Floats:
    return 1 - np.searchsorted(np.sort(score), cuts, side="left") / len(score)


def _above(value: float, score: Floats) -> float | None:
    """Return the middle between a score and the next higher one, or 1; None if there is nothing above it."""
    higher = score[score > value]
    middle = (value + (float(higher.min()) if len(higher) else 1.0)) / 2
    return middle if middle > value else (float(higher.min()) if len(higher) else None)


def _at_most(value: float, score: Floats) -> float:
    """Return the middle between a score and the next lower one, or 0."""
    lower = score[score < value]
    middle = (value + (float(lower.max()) if len(lower) else 0.0)) / 2
    return middle if not len(lower) or middle > lower.max() else value


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan
