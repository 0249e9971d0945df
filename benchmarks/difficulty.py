"""How hard the simulated world is: a linear model on simple image statistics, leave one domain out.

    python benchmarks/difficulty.py [--size small] [--image_size 128] [--seed 0]

A world that mean colour, sharpness or the JPEG grid solve would reward a detector for the wrong thing. Printed: AUC (%)
by presentation on each target, test split, of a logistic regression on all statistics and on each group of them,
trained on the train splits of the other domains.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import leave_one_out
from padkit_synthetic.reader import SyntheticReader
from padkit_synthetic.world import DOMAINS

GROUPS = {"colour": slice(0, 9), "sharpness": slice(9, 11), "JPEG grid": slice(11, 13), "all": slice(0, 13)}


def statistics(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return 13 statistics of a frame uint8 [3, H, W].

    Colour: mean and deviation of each channel, mean saturation, dark and bright percentile. Sharpness: logarithms of
    the variance of the Laplacian and of the energy of the gradient (Tenengrad), the two usual measures of focus. JPEG
    grid: steps across the borders of 8 x 8 blocks over all steps, sideways and down.
    """
    planes = image.astype(np.float64) / 255
    grey = planes.mean(axis=0)
    means, deviations = planes.mean(axis=(1, 2)), planes.std(axis=(1, 2))
    spread = (planes.max(axis=0) - planes.min(axis=0)).mean()
    dark, bright = np.percentile(grey, (5, 95))
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    laplacian = grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    sharpness = [laplacian.var(), np.square(across).mean() + np.square(down).mean()]
    blocks = [edges[..., 7::8].mean() / (edges.mean() + 1e-6) for edges in (across, down.T)]
    return np.array([*means, *deviations, spread, dark, bright, *np.log(np.array(sharpness) + 1e-6), *blocks])


def main() -> None:
    """Print one row a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", default="small")
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    reader = SyntheticReader(size=options.size, image_size=options.image_size, seed=options.seed)
    table = prepare(reader, dataset_name="synthetic")
    features = np.stack([statistics(table.image(row)) for row in range(len(table))])
    labels, presentations = table.column("label"), table.column("presentation")
    print("AUC (%) by presentation".ljust(26) + "".join(name.rjust(12) for name in GROUPS))
    for domain in DOMAINS:
        protocol = leave_one_out(table, domain.name)
        names, first, index = np.unique(presentations[protocol.test], return_index=True, return_inverse=True)
        row = []
        for columns in GROUPS.values():
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
            model.fit(features[protocol.train, columns], labels[protocol.train])
            scores = model.decision_function(features[protocol.test, columns])
            mean = np.bincount(index, scores) / np.bincount(index)
            row.append(100 * roc_auc_score(labels[protocol.test][first], mean))
        print(f"{protocol.name.split('->')[1]} ({len(names)})".ljust(26) + "".join(f"{value:12.1f}" for value in row))


if __name__ == "__main__":
    main()
