"""Calibration of a finished model: temperature, threshold, and rates with exact intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError, SettingsError
from padkit.evaluation.metrics import attacks_by_species
from padkit.evaluation.rates import count
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.evaluation.statistics.binomial import Rate, exact_rate
from padkit.evaluation.targets import Target, choose_for
from padkit.evaluation.temperature import Fitted, fit_temperature, tempered

POOLED = "all attacks"
BONA_FIDES = "bona fide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a calibration sample says of a model.

    Attributes:
        target: What the threshold is for.
        level: Confidence of its proof and of the bounds, in (0, 1).
        threshold: Bona fide iff score >= threshold, for scores after the temperature.
        fitted: The temperature, which multiplies the one that the model had before.
        scores: The sample after the temperature, one row per presentation.
        species: Rates of the attacks by PAI species.
        pooled: Rate of all attacks.
        bona_fide: Rate of the bona fide presentations.
    """

    target: Target
    level: float
    threshold: float
    fitted: Fitted
    scores: Scores
    species: tuple[Rate, ...]
    pooled: Rate
    bona_fide: Rate

    @property
    def worst(self) -> Rate:
        """The species with the largest rate; of equal ones that with the largest bound."""
        return max(self.species, key=lambda rate: (rate.rate, rate.bound))

    @property
    def hter(self) -> float:
        """Half total error rate, all attacks pooled."""
        return (self.pooled.rate + self.bona_fide.rate) / 2

    @property
    def subjects(self) -> int:
        """How many people are in the sample; 0 if that is not known of all its presentations."""
        people = {*zip(self.scores.dataset.tolist(), self.scores.subject.tolist(), strict=True)}
        return 0 if np.any(self.scores.subject == "") else len(people)


def calibrate(
    frames: Mapping[str, ArrayLike],
    frame_scores: ArrayLike,
    target: Target,
    *,
    level: float = 0.95,
    temperature: bool = True,
) -> Calibration:
    """Return the temperature and the threshold that a sample gives.

    Args:
        frames: Columns with one entry per frame; see `padkit.evaluation.scores.presentation_scores`.
        frame_scores: [F], P(bona fide) in [0, 1].
        target: What the threshold is for.
        level: Confidence of the proof, in (0, 1).
        temperature: Whether to fit one.

    Raises:
        SettingsError: The level is not between 0.5 and 1.
        DataError: A class is missing, the sample cannot prove the rate, or no useful threshold reaches it.
    """
    if not 0.5 <= level < 1:
        raise SettingsError(f"level {level:g} must lie between 0.5 and 1: 0.95, say.")
    usual = presentation_scores(frames, frame_scores)
    for value, name in ((BONA_FIDE, "bona fide"), (ATTACK, "attack")):
        if not np.any(usual.label == value):
            raise DataError(
                f"calibration: no {name} presentation among {len(usual)}; a threshold needs both classes, add some."
            )
    values = np.asarray(frame_scores, dtype=np.float64)
    fitted = fit_temperature(np.asarray(frames["label"]), values, _weights(frames))
    if not temperature:
        fitted = Fitted(temperature=1.0, before=fitted.before, after=fitted.before, why_not="none was asked for")
    scores = presentation_scores(frames, tempered(values, fitted.temperature))
    threshold = choose_for(target, scores, level)
    accepted = scores.score >= threshold
    alive = scores.label == BONA_FIDE

    def rate(name: str, wrong: NDArray[np.bool_], rows: NDArray[np.bool_]) -> Rate:
        return exact_rate(name, int(np.sum(wrong & rows)), int(rows.sum()), level)

    species = attacks_by_species(scores.label, scores.pai_species)
    return Calibration(
        target=target,
        level=level,
        threshold=threshold,
        fitted=fitted,
        scores=scores,
        species=tuple(rate(name, accepted, rows) for name, rows in species.items()),
        pooled=rate(POOLED, accepted, ~alive),
        bona_fide=rate(BONA_FIDES, ~accepted, alive),
    )


def facts(found: Calibration) -> dict[str, object]:
    """Return a calibration as plain JSON values, for the provenance of a bundle; rates are shares in [0, 1]."""
    counts = count(found.scores)
    rows = (*found.species, found.pooled, found.bona_fide)
    return {
        "policy": found.target.policy,
        "level": found.level,
        "threshold": found.threshold,
        "temperature": found.fitted.temperature,
        "log_loss": {"before": found.fitted.before, "after": found.fitted.after},
        "presentations": {"bona_fide": counts.bona_fide, "attack": counts.attack, "species": counts.species},
        "frames": counts.frames,
        "subjects": found.subjects or None,
        "errors": {
            row.name: {"errors": row.errors, "trials": row.trials, "interval": row.interval, "bound": row.bound}
            for row in rows
        },
    }


def _weights(frames: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Return the weight of each frame [F], so that each presentation counts as much as every other."""
    names = np.asarray(frames["presentation"], dtype=np.str_)
    datasets = np.asarray(frames.get("dataset", np.full(len(names), "")), dtype=np.str_)
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in (datasets, names)], axis=1)
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / counts[group.reshape(-1)]
    return weights
