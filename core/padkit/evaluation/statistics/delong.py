"""DeLong's test: whether two detectors differ in AUC on the same presentations.

E. DeLong, D. DeLong and D. Clarke-Pearson, Biometrics 44 (1988) 837-845; in O(N log N) by midranks according to X. Sun
and W. Xu, IEEE Signal Processing Letters 21 (2014) 1389-1393. The test assumes independent presentations: if subjects
have several presentations, its p-values are too small, and the bootstrap over subjects is more reliable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from padkit.data.presentation import BONA_FIDE
from padkit.evaluation.metrics import Floats, checked

CONFIDENCE = 0.95
_NOISE = 1e-12  # floating-point error of a difference that is zero


@dataclass(frozen=True, slots=True, kw_only=True)
class AucDifference:
    """Two areas under the ROC and their difference; all in [0, 1] or [-1, 1].

    Attributes:
        first: AUC of the first detector.
        second: AUC of the second.
        difference: First minus second.
        low: Lower end of the difference's normal 95 % interval; None if a class has a single presentation.
        high: Upper end, or None as `low`.
        p: Two-sided p of "no difference"; 1 if both rank everything alike, None if the variance is zero.
    """

    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float | None


def delong(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> AucDifference:
    """Compare two detectors' scores [N] of the same presentations.

    Raises:
        DataError: As in `padkit.evaluation.metrics.error_rates`.
    """
    label, one, _ = checked(labels, first, None)
    _, other, _ = checked(labels, second, None)
    bona_fide = label == BONA_FIDE
    areas, parts = zip(*(_components(bona_fide, scores) for scores in (one, other)), strict=True)
    difference = areas[0] - areas[1]
    # Var(A - B) is the sum over both classes of the variance of the paired components' difference.
    differences = [own - its for own, its in zip(*parts, strict=True)]
    if min(map(len, differences)) < 2:
        return AucDifference(first=areas[0], second=areas[1], difference=difference, low=None, high=None, p=None)
    error = math.sqrt(sum(float(np.var(part, ddof=1)) / len(part) for part in differences))
    alike = all(np.allclose(part, 0, atol=_NOISE) for part in differences)
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * error
    return AucDifference(
        first=areas[0],
        second=areas[1],
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        p=float(2 * stats.norm.sf(abs(difference) / error)) if error > _NOISE else 1.0 if alike else None,
    )


def _components(bona_fide: NDArray[np.bool_], scores: Floats) -> tuple[float, tuple[Floats, Floats]]:
    """Return the AUC, and for each presentation the share of the other class that is ranked correctly against it."""
    ranks = stats.rankdata(scores)
    own, its = scores[bona_fide], scores[~bona_fide]
    above = (ranks[bona_fide] - stats.rankdata(own)) / len(its)
    below = 1 - (ranks[~bona_fide] - stats.rankdata(its)) / len(own)
    return float(np.mean(above)), (above, below)
