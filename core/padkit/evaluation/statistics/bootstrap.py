"""Bootstrap intervals: subjects (presentations if subjects are unknown) are drawn repeatedly with replacement.

A subject's presentations resemble each other, so whole subjects are drawn: drawing single presentations would give
intervals that are too narrow. Draws are stratified by class: subjects with bona fide presentations only, with attacks
only and with both are drawn separately, so that no resample lacks a class. The model is fixed: intervals show how the
figures vary with the tested people and attacks, not with training. Figures of the worst species are maxima, which
resampling raises on average: their intervals are biased upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.metrics import Floats
from padkit.evaluation.scores import Scores
from padkit.evaluation.statistics.resampling import SortedScores, WeightedScores
from padkit.processes import counting_bar

CONFIDENCE = 0.95
FEWEST = 100  # resamples: with fewer, 2.5 % of them is less than one
FEW = 20  # units with a class; below this number a percentile interval is too narrow to be trusted
CHUNK = 1 << 20  # weights at a time: some tens of megabytes
WORTH_A_BAR = 50_000_000  # weights in total; some seconds
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interval:
    """Percentile interval of 95 %, ends in the figure's own unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Units:
    """What is drawn.

    Attributes:
        kind: `subjects`, `presentations`, or `subjects or presentations` if some subjects are unknown.
        of_row: Number of the unit that each presentation belongs to [N].
        strata: Number of units per stratum; units are numbered stratum by stratum.
        holding: How many units hold bona fide presentations, and how many attacks.
    """

    kind: str
    of_row: NDArray[np.int64]
    strata: tuple[int, ...]
    holding: tuple[int, int]

    @property
    def count(self) -> int:
        """Number of all units."""
        return sum(self.strata)

    def warnings(self) -> list[str]:
        """Return one line per class that too few units hold."""
        return [
            f"Only {number} {self.kind} with {name}: such intervals are too narrow."
            if self.kind != "presentations"
            else f"Only {number} {name}: such intervals are too narrow."
            for number, name in zip(self.holding, ("bona fide presentations", "attacks"), strict=True)
            if number < FEW
        ]

    def draw(self, generator: np.random.Generator, resamples: int) -> NDArray[np.int32]:
        """Return how often each unit is drawn in each resample [R, U]."""
        weights = np.empty((resamples, self.count), dtype=np.int32)
        start = 0
        for size in self.strata:
            drawn = generator.integers(0, size, (resamples, size))
            drawn += np.arange(resamples)[:, None] * size
            counts = np.bincount(drawn.ravel(), minlength=resamples * size)
            weights[:, start : start + size] = counts.reshape(resamples, size)
            start += size
        return weights


def units_of(scores: Scores) -> Units:
    """Return the subjects of `scores`; a presentation whose subject is unknown is its own unit."""
    known = scores.subject != ""
    names, index = np.unique(scores.subject[known], return_inverse=True)
    unit = np.empty(len(scores), dtype=np.int64)
    unit[known] = index
    unit[~known] = len(names) + np.arange(int(np.sum(~known)))
    held = [np.bincount(unit[scores.label == value], minlength=unit.max() + 1) > 0 for value in (BONA_FIDE, ATTACK)]
    stratum = held[0] + 2 * held[1]
    highest = np.zeros(len(stratum))
    np.maximum.at(highest, unit, scores.score)
    order = np.lexsort((-highest, stratum))  # what is counted together is stored together
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    kinds = {len(scores): "subjects", 0: "presentations"}
    return Units(
        kinds.get(int(np.sum(known)), "subjects or presentations"),
        number[unit],
        tuple(np.unique(stratum, return_counts=True)[1].tolist()),
        (int(np.sum(held[0])), int(np.sum(held[1]))),
    )


def bootstrap(
    systems: Sequence[SortedScores],
    units: Units,
    figures: Callable[[Sequence[WeightedScores]], dict[Key, Floats]],
    *,
    resamples: int,
    seed: int = 0,
    shown: bool = False,
) -> dict[Key, Floats]:
    """Return the result of `figures` for all resamples: key -> one value per resample [R].

    Args:
        systems: Scores of one or several detectors on the same presentations; each resample is the same for all
            detectors.
        units: What is drawn; `systems` were sorted with the same `units.of_row`.
        figures: Computes figures from the weighted scores of each system, for some of the resamples.
        resamples: Number of resamples.
        seed: Same seed, same draws.
        shown: Show a bar if it takes long.
    """
    found: list[dict[Key, Floats]] = []
    long = resamples * len(units.of_row) * len(systems) > WORTH_A_BAR
    with counting_bar("bootstrap", resamples, shown=shown and long) as advance:
        for weights in _draws(units, resamples, seed):
            found.append(figures([system.weigh(weights) for system in systems]))
            advance(len(weights))
    return {key: np.concatenate([part[key] for part in found]) for key in found[0]}


def interval(values: Floats) -> Interval:
    """Return the 95 % percentile interval of `values` [R]; resamples without a value (NaN) are left out."""
    low, high = np.percentile(values[~np.isnan(values)], [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Interval(float(low), float(high))


def two_sided(differences: Floats) -> float:
    """Return the bootstrap's p of "no difference", never below 1 / (R + 1): twice the smaller tail beyond zero."""
    tails = [int(np.sum(differences <= 0)), int(np.sum(differences >= 0))]
    return min(1.0, 2 * (1 + min(tails)) / (1 + len(differences)))


def _draws(units: Units, resamples: int, seed: int) -> Iterator[NDArray[np.int32]]:
    generator = np.random.default_rng(seed)
    at_once = max(1, CHUNK // len(units.of_row))
    for start in range(0, resamples, at_once):
        yield units.draw(generator, min(at_once, resamples - start))
