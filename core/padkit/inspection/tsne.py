"""The student's embeddings in two dimensions, by scikit-learn's t-SNE (DTDA, Fig. 4)."""

from __future__ import annotations

import numpy as np
from sklearn.manifold import TSNE

from padkit.errors import DataError
from padkit.evaluation.probe import domain_probe
from padkit.report.figures.embeddings import Plane
from padkit.runs.opened import OpenRun, Rows

PERPLEXITY = 30.0
FEWEST = 10


def plane(opened: OpenRun, rows: Rows, seed: int) -> Plane:
    """Map the student's embeddings of clean frames to a plane; the same seed gives the same plane.

    Args:
        opened: The run.
        rows: Rows of its table [n].
        seed: Of the optimisation and the probe's folds.

    Raises:
        DataError: There are too few frames.
    """
    if len(rows) < FEWEST:
        raise DataError(f"t-SNE: {len(rows)} frames are too few, at least {FEWEST} are needed; raise --points.")
    embeddings, _ = opened.score(rows)
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(embeddings)
    table, source = opened.table, opened.domains(rows)
    known = source >= 0
    groups = table.column("presentation")[rows]
    return Plane(
        label=opened.run.label,
        places=places.astype(np.float32),
        labels=table.column("label")[rows].astype(np.int64),
        domains=table.column("domain")[rows].astype(np.str_),
        test=np.isin(rows, opened.test),
        probe=domain_probe(embeddings[known], source[known], groups[known], seed),
        sources=len(opened.run.results.protocol.sources),
    )
