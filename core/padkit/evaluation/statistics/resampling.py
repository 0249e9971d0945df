"""Error rates of resampled presentations, for many resamples at once and without sorting again.

A resample is a weight per presentation: how often it was drawn. Scores are sorted once; the rates of a resample follow
from running sums of its weights. They are the rates of `padkit.evaluation.metrics` for a table that contains each
presentation as often as it was drawn; all counts are exact integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from padkit.data.presentation import BONA_FIDE
from padkit.evaluation.metrics import Floats, allowed, attacks_by_species, checked

Integers = NDArray[np.int64]
BOUNDS = {"bpcer10": 0.10, "bpcer20": 0.05, "bpcer100": 0.01}
FPR_BOUND = 0.01


@dataclass(frozen=True, slots=True)
class _Part:
    """Presentations that are counted together, by falling score: the bona fide ones, or one species' attacks.

    Attributes:
        unit: Which resampled unit each belongs to [P].
        accepted: How many of them the vertices of the ROC accept [V + 1], none at vertex 0.
        scores: Their scores [P].
    """

    unit: Integers
    accepted: Integers
    scores: Floats


class SortedScores:
    """Scores of one detector, sorted once.

    Args:
        labels: [N], 1 = bona fide, 0 = attack.
        scores: [N], P(bona fide).
        species: PAI species [N], or None for a single one.
        units: Number of the resampled unit (for example a subject) that each presentation belongs to [N]; by default
            each presentation is its own unit.

    Raises:
        DataError: As in `padkit.evaluation.metrics.error_rates`.
    """

    def __init__(
        self, labels: ArrayLike, scores: ArrayLike, species: ArrayLike | None = None, units: Integers | None = None
    ) -> None:
        label, score, kinds = checked(labels, scores, species)
        unit = np.arange(len(label)) if units is None else units
        levels = np.unique(score)  # every vertex accepts one level more

        def part(rows: NDArray[np.bool_]) -> _Part:
            found = np.flatnonzero(rows)
            found = found[np.argsort(-score[found], kind="stable")]
            below = np.searchsorted(score[found][::-1], levels[::-1], side="left")
            return _Part(unit[found], np.concatenate([[0], len(found) - below]), score[found])

        species_rows = attacks_by_species(label, kinds)
        self.species = tuple(species_rows)
        self._bona_fide = part(label == BONA_FIDE)
        self._attacks = [part(rows) for rows in species_rows.values()]
        self._levels = levels
        own = self._bona_fide.scores[::-1]
        # For each attack, how many bona fide presentations score higher, and how many at least as high.
        self._higher = [len(own) - np.searchsorted(own, attack.scores, side="right") for attack in self._attacks]
        self._as_high = [len(own) - np.searchsorted(own, attack.scores, side="left") for attack in self._attacks]
        self._tied = [bool(np.any(a != b)) for a, b in zip(self._higher, self._as_high, strict=True)]

    def weigh(self, weights: NDArray[np.int32]) -> WeightedScores:
        """Return the rates of R resamples; `weights` [R, U] say how often each unit was drawn."""
        return WeightedScores(self, weights)


class WeightedScores:
    """Rates of R resamples of sorted scores; every method returns one value per resample [R]."""

    def __init__(self, scores: SortedScores, weights: NDArray[np.int32]) -> None:
        self._scores = scores
        self._rows = np.arange(len(weights))
        self._drawn = [np.take(weights, part.unit, axis=1) for part in scores._attacks]
        self._attacks = [_running(drawn) for drawn in self._drawn]
        self._bona_fide = _running(np.take(weights, scores._bona_fide.unit, axis=1))
        self._bona_fides = self._bona_fide[:, -1]
        self._attack_counts = np.stack([running[:, -1] for running in self._attacks])
        self._attacks_in_all = self._attack_counts.sum(axis=0)

    def auc(self) -> Floats:
        """Return the area under the ROC."""
        twice = np.zeros(len(self._rows), dtype=np.int64)
        found = self._scores
        for drawn, higher, as_high, tied in zip(self._drawn, found._higher, found._as_high, found._tied, strict=True):
            pairs = np.take(self._bona_fide, higher, axis=1)
            if tied:
                pairs += np.take(self._bona_fide, as_high, axis=1)
            twice += np.einsum("rn,rn->r", drawn, pairs) * (1 if tied else 2)
        area: Floats = twice / (2.0 * self._bona_fides * self._attacks_in_all)
        return area

    def eer(self) -> Floats:
        """Return the equal error rate."""
        before, after = self._around_equal()
        gaps, errors = zip(*(self._gap_and_errors(vertex)[:2] for vertex in (before, after)), strict=True)
        share = gaps[0] / (gaps[0] - gaps[1])
        first, second = ((error - gap) / 2 for gap, error in zip(gaps, errors, strict=True))  # FPR, scaled
        rate: Floats = (first + share * (second - first)) / (self._bona_fides * self._attacks_in_all.astype(np.float64))
        return rate

    def equal_vertices(self) -> Integers:
        """Return the vertices of the ROC at which `padkit.evaluation.metrics.equal_error` chooses its thresholds."""
        before, after = self._around_equal()
        gap_before, errors_before, accepted = self._gap_and_errors(before)
        gap_after, errors_after, _ = self._gap_and_errors(after)
        # In a tie, the lower mean error, then the one that accepts fewer attacks.
        nearer = (np.abs(gap_before) < np.abs(gap_after)) | (
            (np.abs(gap_before) == np.abs(gap_after)) & (errors_before <= errors_after)
        )
        return np.where(nearer & (accepted > 0), before, after)

    def vertices_of(self, threshold: float) -> Integers:
        """Return the vertex that accepts exactly the scores from `threshold` on."""
        return np.full(len(self._rows), int(np.sum(self._scores._levels >= threshold)))

    def error_rates(self, vertices: Integers) -> dict[str, Floats]:
        """Return the rates of `padkit.evaluation.metrics.ErrorRates` at the vertices; `apcer:NAME` for each species.

        A species that is missing in a resample has no APCER there (NaN) and is ignored in `apcer`.
        """
        accepted = np.stack([self._at(k, vertices) for k in range(len(self._attacks))])
        with np.errstate(invalid="ignore"):
            by_species = accepted / self._attack_counts
        apcer = np.nanmax(by_species, axis=0)
        pooled = accepted.sum(axis=0) / self._attacks_in_all
        bpcer = 1 - self._bona_fide_at(vertices) / self._bona_fides
        return {
            "apcer": apcer, "apcer_pooled": pooled, "fpr": pooled, "bpcer": bpcer, "fnr": bpcer,
            "acer": (apcer + bpcer) / 2, "acer_pooled": (pooled + bpcer) / 2, "hter": (pooled + bpcer) / 2,
            **{f"apcer:{name}": rates for name, rates in zip(self._scores.species, by_species, strict=True)},
        }  # fmt: skip

    def separation(self) -> dict[str, Floats]:
        """Return the values of `padkit.evaluation.metrics.Separation`."""
        bpcer = {name: self.bpcer_at_apcer(bound) for name, bound in BOUNDS.items()}
        return {"auc": self.auc(), "eer": self.eer(), **bpcer, "tpr_at_fpr1": self.tpr_at_fpr(FPR_BOUND)}

    def bpcer_at_apcer(self, bound: float) -> Floats:
        """Return the lowest BPCER at which no species has an APCER above `bound`."""
        everyone = self._bona_fide.shape[1] - 1
        kept = np.full(len(self._rows), everyone)
        for running, counts, higher in zip(self._attacks, self._attack_counts, self._scores._higher, strict=True):
            most = allowed(bound, counts)
            refused = [int(np.searchsorted(running[row], most[row], side="right")) - 1 for row in self._rows]
            kept = np.minimum(kept, np.append(higher, everyone)[refused])
        share: Floats = 1 - self._bona_fide[self._rows, kept] / self._bona_fides
        return share

    def tpr_at_fpr(self, bound: float) -> Floats:
        """Return the largest share of bona fide accepted with a pooled FPR of at most `bound`."""
        most = allowed(bound, self._attacks_in_all)
        beyond = self._first_vertex(lambda vertices: self._attacks_at(vertices) > most)
        share: Floats = self._bona_fide_at(beyond - 1) / self._bona_fides
        return share

    def _around_equal(self) -> tuple[Integers, Integers]:
        """Return the last vertex with FNR > FPR and the first without."""
        after = self._first_vertex(lambda vertices: self._gap_and_errors(vertices)[0] <= 0)
        return after - 1, after

    def _gap_and_errors(self, vertices: Integers) -> tuple[Integers, Integers, Integers]:
        """Return FNR - FPR and FNR + FPR, both times the number of pairs, and how many are accepted in all."""
        attacks, bona_fides = self._attacks_at(vertices), self._bona_fide_at(vertices)
        fnr, fpr = (self._bona_fides - bona_fides) * self._attacks_in_all, attacks * self._bona_fides
        return fnr - fpr, fnr + fpr, attacks + bona_fides

    def _attacks_at(self, vertices: Integers) -> Integers:
        accepted: Integers = np.sum([self._at(k, vertices) for k in range(len(self._attacks))], axis=0)
        return accepted

    def _at(self, species: int, vertices: Integers) -> Integers:
        return self._attacks[species][self._rows, self._scores._attacks[species].accepted[vertices]]

    def _bona_fide_at(self, vertices: Integers) -> Integers:
        return self._bona_fide[self._rows, self._scores._bona_fide.accepted[vertices]]

    def _first_vertex(self, holds: Callable[[Integers], NDArray[np.bool_]]) -> Integers:
        """Return the first vertex where something holds that, once true, stays true; the last vertex at the latest."""
        low = np.zeros(len(self._rows), dtype=np.int64)
        high = np.full(len(self._rows), len(self._scores._levels))
        while np.any(high - low > 1):
            middle = (low + high) // 2
            true = holds(middle)
            low, high = np.where(true, low, middle), np.where(true, middle, high)
        return high


def _running(drawn: NDArray[np.int32]) -> Integers:
    """Return running sums along the rows, from 0 on: [R, P + 1]."""
    sums = np.zeros((len(drawn), drawn.shape[1] + 1), dtype=np.int64)
    np.cumsum(drawn, axis=1, out=sums[:, 1:])
    return sums
