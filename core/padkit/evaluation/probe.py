"""The probe: tests whether a newly trained linear model can name the domain from the student's features."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def domain_probe(
    embeddings: NDArray[np.float32], domains: NDArray[np.int64], groups: NDArray[np.str_], seed: int
) -> float | None:
    """Return the accuracy in [0, 1] of a logistic regression from features to domain, on held-out groups.

    Two folds, each stratified by domain, no group in both. Chance is 1 / number of domains when these are balanced.

    Args:
        embeddings: [N, D].
        domains: [N].
        groups: [N], presentations or subjects; frames of one group must not be in both folds.
        seed: Seed of the folds.

    Returns:
        The accuracy, or None if there are fewer than two domains or a domain has fewer than two groups.
    """
    names = np.unique(domains)
    if len(names) < 2 or min(len(np.unique(groups[domains == name])) for name in names) < 2:
        return None
    folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an upper bound on iterations is part of the definition
        return float(np.mean(cross_val_score(model, embeddings, domains, groups=groups, cv=folds)))
