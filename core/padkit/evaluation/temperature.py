"""Temperature scaling (Guo et al., 2017): one number by which log-odds are divided, so that scores can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from padkit.data.presentation import BONA_FIDE

EDGE = 1e-7  # scores are kept this far from 0 and 1, where log-odds are infinite
RANGE = (0.25, 100.0)  # below it, scores of float32 become 1 too soon to be told apart

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A temperature and what it changes.

    Attributes:
        temperature: 1 if the sample determines none.
        before, after: Log loss of the frames, each presentation counting as much as every other, in nats.
        why_not: Why the sample determines none; "" if it does.
    """

    temperature: float
    before: float
    after: float
    why_not: str = ""


def log_odds(scores: ArrayLike) -> Floats:
    """Return the log-odds of scores in [0, 1], kept `EDGE` away from both ends, in float64."""
    kept = np.clip(np.asarray(scores, dtype=np.float64), EDGE, 1 - EDGE)
    found: Floats = np.log(kept / (1 - kept))
    return found


def tempered(scores: ArrayLike, temperature: float) -> Floats:
    """Return scores in [0, 1] with their log-odds divided by a temperature; the order of scores stays."""
    if temperature == 1:
        return np.asarray(scores, dtype=np.float64)
    found: Floats = 1 / (1 + np.exp(-log_odds(scores) / temperature))
    return found


def fit_temperature(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Fitted:
    """Return the temperature in `RANGE` with the lowest log loss.

    The loss is convex in 1 / temperature. It has no lowest point if every score lies on the right side of 0.5 (then a
    smaller temperature is always better) or if the scores, on the whole, lie on the wrong side.

    Args:
        labels: [N], 1 = bona fide, 0 = attack.
        scores: [N], P(bona fide) in [0, 1].
        weights: [N], how much each counts; all alike by default.
    """
    from scipy.optimize import minimize_scalar

    label, odds = np.asarray(labels), log_odds(scores)
    share = np.ones(len(odds)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    right = np.where(label == BONA_FIDE, 1.0, -1.0) * odds  # log-odds of the true class

    def loss(temperature: float) -> float:
        return float(share @ np.logaddexp(0.0, -right / temperature))

    before = loss(1.0)
    if np.all(right > 0):
        cause = "all scores lie on the right side of 0.5, so that any temperature below 1 looks better"
        return Fitted(temperature=1.0, before=before, after=before, why_not=cause)
    if share @ right <= 0:
        cause = "the scores lie, on the whole, on the wrong side of 0.5"
        return Fitted(temperature=1.0, before=before, after=before, why_not=cause)
    low, high = np.log(RANGE)
    found = minimize_scalar(lambda power: loss(float(np.exp(power))), bounds=(low, high), method="bounded")
    temperature = float(np.exp(found.x))
    after = loss(temperature)
    if after > before:  # already at the lowest point, to the last digit
        temperature, after = 1.0, before
    return Fitted(temperature=temperature, before=before, after=after)
