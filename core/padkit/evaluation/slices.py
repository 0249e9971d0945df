"""Slices of a test set: rates by PAI species, by device and by domain, at one threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.evaluation.metrics import auc, error_rates
from padkit.evaluation.scores import Scores

BREAKDOWNS = ("species", "device", "domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Part of the test set: one species' attacks and all bona fide, or one device's or domain's presentations.

    Attributes:
        name: The species, device or domain.
        bona_fide: Bona fide presentations in it.
        attack: Attacks in it.
        values: `apcer` (worst species), `apcer_pooled`, `bpcer`, `hter` at the threshold of the first policy, and
            `auc`; None where a class is missing.
    """

    name: str
    bona_fide: int
    attack: int
    values: Mapping[str, float | None]


def all_slices(scores: Scores, threshold: float) -> dict[str, tuple[Slice, ...]]:
    """Return the parts by each of `BREAKDOWNS`; see `slices`."""
    return {by: slices(scores, by, threshold) for by in BREAKDOWNS}


def slices(scores: Scores, by: str, threshold: float) -> tuple[Slice, ...]:
    """Divide scores by `species`, `device` or `domain`; return nothing if there is only one value.

    A species' slice holds its attacks and every bona fide presentation.
    """
    column: NDArray[np.str_] = scores.pai_species if by == "species" else getattr(scores, by)
    names = np.unique(column[scores.label == ATTACK] if by == "species" else column)
    if len(names) < 2:
        return ()
    everyone = scores.label == BONA_FIDE if by == "species" else np.zeros(len(scores), dtype=np.bool_)
    return tuple(_slice(str(name), scores.select((column == name) | everyone), threshold) for name in names)


def _slice(name: str, scores: Scores, threshold: float) -> Slice:
    bona_fide = scores.label == BONA_FIDE
    values: dict[str, float | None] = dict.fromkeys(("apcer", "apcer_pooled", "bpcer", "hter", "auc"))
    if bona_fide.all():
        values["bpcer"] = float(np.mean(scores.score < threshold))
    elif not bona_fide.any():
        accepted = scores.score >= threshold
        kinds = scores.pai_species
        values["apcer_pooled"] = float(np.mean(accepted))
        values["apcer"] = max(float(np.mean(accepted[kinds == kind])) for kind in np.unique(kinds))
    else:
        rates = asdict(error_rates(scores.label, scores.score, threshold, scores.pai_species))
        values = {key: rates.get(key) for key in values} | {"auc": auc(scores.label, scores.score)}
    return Slice(
        name=name or "unknown", bona_fide=int(np.sum(bona_fide)), attack=int(np.sum(~bona_fide)), values=values
    )
