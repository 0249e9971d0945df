"""Error rates of presentation attack detection (ISO/IEC 30107-3) and of the face anti-spoofing literature.

Conventions, the same everywhere in padkit:

- Label 1 = bona fide, 0 = attack; a score is P(bona fide); a presentation is *accepted* iff `score >= threshold`.
- Every rate is a share in [0, 1]; tables print percentages.
- **Ties.** Equal scores are accepted or rejected together, whatever their labels. On the ROC a tie between the classes
  is one sloping segment, so that AUC counts such a pair as half (Mann-Whitney) and the order of the rows has no effect.
- **Interpolation.** Only the EER is interpolated: it is the point where the ROC, with its vertices joined by straight
  lines, meets FPR = FNR. All other rates belong to a threshold that exists; no BPCER at a bound is interpolated.

| name | meaning |
|---|---|
| `apcer_by_species` | share of the attacks of one PAI species that is accepted |
| `apcer` | the largest of them (ISO/IEC 30107-3) |
| `apcer_pooled` | share of all attacks accepted, species ignored; much published code reports it as APCER |
| `bpcer` | share of bona fide presentations rejected |
| `acer`, `acer_pooled` | mean of `bpcer` and `apcer`, or `apcer_pooled` |
| `fpr` | the literature's name of `apcer_pooled` |
| `fnr` | the literature's name of `bpcer` |
| `hter` | mean of `fpr` and `fnr`, so the same as `acer_pooled` |
| `auc` | area under the ROC, bona fide positive |
| `eer` | equal error rate, interpolated, species pooled |
| `bpcer10`, `bpcer20`, `bpcer100` | lowest BPCER at a threshold with APCER <= 10, 5, 1 % for *every* species |
| `tpr_at_fpr1` | largest share of bona fide accepted at a threshold with FPR <= 1 %, species pooled |
| `log_loss` | binary cross-entropy in nats, both classes counting alike; no rate, not in results |

For a species with fewer than 100 attacks, a bound of 1 % means that no attack may pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import log_loss as cross_entropy
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.utils.class_weight import compute_sample_weight

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.errors import DataError
from padkit.evaluation.scores import UNNAMED_SPECIES, check_labels, check_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRates:
    """Rates in [0, 1] at one threshold; the module's table says what each means."""

    apcer: float
    apcer_pooled: float
    bpcer: float
    acer: float
    acer_pooled: float
    fpr: float
    fnr: float
    hter: float
    apcer_by_species: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """Values in [0, 1] that need no threshold; the module's table says what each means."""

    auc: float
    eer: float
    bpcer10: float
    bpcer20: float
    bpcer100: float
    tpr_at_fpr1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Roc:
    """The ROC's vertices in the order of falling thresholds, from (0, 0) to (1, 1).

    Attributes:
        fpr: Share of attacks accepted [V].
        tpr: Share of bona fide accepted [V].
        threshold: Largest threshold that gives the vertex [V]: a score that occurs, or inf for the first.
    """

    fpr: Floats
    tpr: Floats
    threshold: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualError:
    """Equal error rate and the threshold to use for it.

    Attributes:
        rate: EER in [0, 1], interpolated.
        threshold: Threshold of the vertex of the ROC nearest to FPR = FNR (of two equally near, the one with the lower
            mean error, then the one that accepts fewer attacks). All thresholds between two neighbouring scores give
            the same decisions; this is the middle between them, which suits other data better than either end.
    """

    rate: float
    threshold: float


def error_rates(labels: ArrayLike, scores: ArrayLike, threshold: float, species: ArrayLike | None = None) -> ErrorRates:
    """Return the error rates when a presentation is accepted iff `score >= threshold`.

    Args:
        labels: [N], 1 = bona fide, 0 = attack.
        scores: [N], P(bona fide) in [0, 1].
        threshold: A number; inf rejects everything.
        species: PAI species [N]; entries of bona fide rows are ignored. None puts all attacks into one species.

    Raises:
        DataError: One class is missing, a score is not in [0, 1], a label is not 0 or 1, or the threshold is NaN.
    """
    label, score, kinds = checked(labels, scores, species)
    if math.isnan(threshold):
        raise DataError("threshold: is NaN; give a number in [0, 1].")
    accepted = score >= threshold
    bpcer = float(np.mean(~accepted[label == BONA_FIDE]))
    pooled = float(np.mean(accepted[label == ATTACK]))
    by_species = {name: float(np.mean(accepted[rows])) for name, rows in attacks_by_species(label, kinds).items()}
    apcer = max(by_species.values())
    return ErrorRates(
        apcer=apcer,
        apcer_pooled=pooled,
        bpcer=bpcer,
        acer=(apcer + bpcer) / 2,
        acer_pooled=(pooled + bpcer) / 2,
        fpr=pooled,
        fnr=bpcer,
        hter=(pooled + bpcer) / 2,
        apcer_by_species=by_species,
    )


def separation(labels: ArrayLike, scores: ArrayLike, species: ArrayLike | None = None) -> Separation:
    """Return all figures that need no threshold; arguments and errors as in `error_rates`."""
    return Separation(
        auc=auc(labels, scores),
        eer=equal_error(labels, scores).rate,
        bpcer10=bpcer_at_apcer(labels, scores, 0.10, species),
        bpcer20=bpcer_at_apcer(labels, scores, 0.05, species),
        bpcer100=bpcer_at_apcer(labels, scores, 0.01, species),
        tpr_at_fpr1=tpr_at_fpr(labels, scores, 0.01),
    )


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC: P(a bona fide scores above an attack) + half of P(both scores are equal)."""
    label, score, _ = checked(labels, scores, None)
    return float(roc_auc_score(label, score))


def log_loss(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the binary cross-entropy of the scores, in nats: the mean over each class, then over both.

    0.69 is that of a detector that knows nothing (every score 0.5). Scores are kept away from 0 and 1 by the smallest
    step of a float32, in which a detector computes them, so that a single one costs 16 at most. Errors as in
    `error_rates`.
    """
    label, score, _ = checked(labels, scores, None)
    step = float(np.finfo(np.float32).eps)
    weights = compute_sample_weight("balanced", label)
    return float(cross_entropy(label, np.clip(score, step, 1 - step), sample_weight=weights))


def roc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Roc:
    """Return every vertex of the ROC; errors as in `error_rates`.

    Args:
        labels: [N], 1 = bona fide, 0 = attack.
        scores: [N], P(bona fide) in [0, 1].
        weights: [N], positive: how much each presentation counts in its class; all alike by default.
    """
    label, score, _ = checked(labels, scores, None)
    share = None if weights is None else np.asarray(weights, dtype=np.float64)
    fpr, tpr, threshold = roc_curve(label, score, pos_label=BONA_FIDE, sample_weight=share, drop_intermediate=False)
    return Roc(fpr=fpr, tpr=tpr, threshold=threshold)


def equal_error(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> EqualError:
    """Return the equal error rate and its threshold; arguments as in `roc`, errors as in `error_rates`."""
    curve = roc(labels, scores, weights)
    fnr = 1 - curve.tpr
    gap = fnr - curve.fpr  # falls strictly from 1 to -1, so there is exactly one crossing
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    rate = float(curve.fpr[after - 1] + share * (curve.fpr[after] - curve.fpr[after - 1]))
    # Rates are multiples of 1/n; rounding makes a tie of two vertices independent of floating-point noise.
    order = np.lexsort((curve.fpr, np.round(fnr + curve.fpr, 12), np.round(np.abs(gap), 12)))
    vertex = next(int(row) for row in order if row > 0)  # vertex 0 rejects everything, at no finite threshold
    return EqualError(rate=rate, threshold=_between(curve.threshold, vertex))


def bpcer_at_apcer(labels: ArrayLike, scores: ArrayLike, bound: float, species: ArrayLike | None = None) -> float:
    """Return the lowest BPCER at a threshold where no species has an APCER above `bound`; errors as in `error_rates`.

    Rejecting everything always satisfies the bound, so a value of 1 means that no useful threshold does.
    """
    label, score, kinds = checked(labels, scores, species)
    return float(np.mean(score[label == BONA_FIDE] <= _highest_rejected(label, score, bound, kinds)))


def tpr_at_fpr(labels: ArrayLike, scores: ArrayLike, bound: float) -> float:
    """Return the largest share of bona fide accepted at a threshold with FPR <= `bound`; errors as in `error_rates`."""
    label, score, _ = checked(labels, scores, None)
    return float(np.mean(score[label == BONA_FIDE] > _highest_rejected(label, score, bound, None)))


def _highest_rejected(label: NDArray[np.int64], score: Floats, bound: float, kinds: NDArray[np.str_] | None) -> float:
    """Return the score that a threshold must lie above, so that no species has an APCER above `bound`; -inf if none."""
    highest = -math.inf
    for rows in attacks_by_species(label, kinds).values():
        falling = np.sort(score[rows])[::-1]
        most = int(allowed(bound, len(falling)))
        if most < len(falling):
            highest = max(highest, float(falling[most]))
    return highest


def _between(thresholds: Floats, vertex: int) -> float:
    """Return the middle of the thresholds that give `vertex` of a ROC, those in (next score, this score]."""
    here = float(thresholds[vertex])
    if vertex + 1 == len(thresholds):
        return here  # everything is accepted here and below
    middle = (here + float(thresholds[vertex + 1])) / 2
    return middle if middle > thresholds[vertex + 1] else here  # neighbouring floats have no middle


def allowed(bound: float, attacks: ArrayLike) -> NDArray[np.int64]:
    """Return how many attacks of a given number may pass at an APCER of at most `bound`, a share in [0, 1]."""
    # 0.29 * 100 is 28.999999999999996
    return np.floor(bound * np.asarray(attacks) + 1e-9).astype(np.int64)


def checked(
    labels: ArrayLike, scores: ArrayLike, species: ArrayLike | None
) -> tuple[NDArray[np.int64], Floats, NDArray[np.str_] | None]:
    """Return labels, scores and species [N] as checked arrays; errors as in `error_rates`."""
    label = np.asarray(labels)
    score = np.asarray(scores, dtype=np.float64)
    kinds = None if species is None else np.asarray(species, dtype=np.str_)
    if label.ndim != 1 or score.shape != label.shape or (kinds is not None and kinds.shape != label.shape):
        shapes = (label.shape, score.shape) if kinds is None else (label.shape, score.shape, kinds.shape)
        raise DataError(f"metrics: labels, scores (and species) have shapes {shapes}; give one value per presentation.")
    check_labels(label)
    check_scores(score)
    for value, name in ((BONA_FIDE, "bona fide"), (ATTACK, "attack")):
        if not np.any(label == value):
            raise DataError(
                f"metrics: no {name} presentation among {len(label)}; error rates need both classes, add some."
            )
    return label.astype(np.int64), score, kinds


def attacks_by_species(label: NDArray[np.int64], kinds: NDArray[np.str_] | None) -> dict[str, NDArray[np.bool_]]:
    """Return the rows of each species' attacks, by name; a blank name becomes "attack"."""
    attack = label == ATTACK
    if kinds is None:
        return {UNNAMED_SPECIES: attack}
    named = np.where(kinds == "", UNNAMED_SPECIES, kinds)
    return {str(name): attack & (named == name) for name in np.unique(named[attack])}
