"""What takes the worst out of rounding to int8: weights rounded together, and scores moved back. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from padkit.evaluation.temperature import log_odds

LARGEST = 127  # of int8, the same on both sides of 0
DAMPING = 1e-3  # share of the mean square of the inputs

Floats = NDArray[np.float64]


def rounded_together(weights: NDArray[np.floating], inputs: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Round the weights of a layer one after the other, each making up for the errors of those before (GPTQ).

    Neighbouring inputs of a first layer are nearly equal, so errors of their weights can cancel out. (Frantar et al.,
    "GPTQ", 2023; Frantar and Alistarh, "Optimal Brain Compression", 2022.)

    Args:
        weights: [O, K], for O outputs.
        inputs: [N, K], examples of what the weights are multiplied with.

    Returns:
        The rounded weights [O, K], and the step of each output [O].
    """
    left = weights.astype(np.float64).copy()
    largest = np.abs(left).max(axis=1)
    steps = np.where(largest > 0, largest, 1.0) / LARGEST
    products = inputs.astype(np.float64).T @ inputs / len(inputs)
    products += (DAMPING * np.trace(products) / len(products) + np.finfo(np.float32).tiny) * np.eye(len(products))
    factor = np.linalg.cholesky(np.linalg.inv(products)).T
    rounded = np.empty_like(left)
    for place in range(left.shape[1]):
        whole = np.clip(np.rint(left[:, place] / steps), -LARGEST, LARGEST)
        rounded[:, place] = whole * steps
        error = (left[:, place] - rounded[:, place]) / factor[place, place]
        left[:, place:] -= np.outer(error, factor[place, place:])
    return rounded, steps


def offset(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> float:
    """Return by how much the log-odds of scores are too low: the median difference from what they should be.

    It is the median, and not what fits the scores best: on training crops nearly all scores are sure, so the fit would
    hang on the few others, and be wrong elsewhere.

    Args:
        exact: [n], what the scores should be, in [0, 1].
        rounded: [n], what they are.
    """
    return float(np.median(log_odds(exact) - log_odds(rounded)))
