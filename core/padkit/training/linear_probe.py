"""A linear probe on a network that is not trained: what a detector knows without having learnt to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from padkit.errors import SettingsError
from padkit.evaluation.metrics import auc
from padkit.evaluation.scores import presentation_scores
from padkit.networks.detector import Detector
from padkit.roles import Student, StudentFeatures
from padkit.training.experiment import Experiment
from padkit.training.scoring import FRAME_COLUMNS, FrameScores

# Inverse strengths of the L2 penalty to choose from, the strongest first; features have variance 1.
STRENGTHS = tuple(10.0**power for power in range(-4, 3))


class Pooled(Student):
    """A network as it is, seen through one of its maps alone: the embedding is the mean over its positions.

    Args:
        network: Left as it is.
        level: Which map, numbered from 1, the shallowest; 0 takes the network's own embedding.

    Raises:
        SettingsError: There is no such map.
    """

    def __init__(self, network: Student, level: int) -> None:
        super().__init__()
        if not 0 <= level <= len(network.channels):
            raise SettingsError(
                f"level {level}: this student has maps 1 to {len(network.channels)}; 0 is its embedding."
            )
        self.network, self.level = network.requires_grad_(False), level
        self.channels, self.strides = network.channels, network.strides
        self.embedding_dim = network.channels[level - 1] if level else network.embedding_dim

    def forward(self, images: Tensor) -> StudentFeatures:
        """Return the network's maps, and the mean of the chosen one, of `images` [B, 3, H, W], RGB in [0, 1]."""
        found: StudentFeatures = self.network(images)
        pooled = found.maps[self.level - 1].mean(dim=(2, 3)) if self.level else found.embedding
        return StudentFeatures(found.maps, pooled)


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted probe.

    Attributes:
        weight: [D], of the features as they are.
        bias: The constant.
        strength: The chosen inverse strength of the penalty.
        auc: AUC in [0, 1] on the held-out presentations that it was chosen on.
    """

    weight: NDArray[np.float64]
    bias: float
    strength: float
    auc: float

    def logits(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return log(P(bona fide) / P(attack)) [n] of features [n, D]."""
        found: NDArray[np.float64] = features.astype(np.float64) @ self.weight + self.bias
        return found


def fit_probe(experiment: Experiment, detector: Detector) -> Probe:
    """Fit the detector's linear head by logistic regression on its student's features, and return what was fitted.

    Training frames are weighted so that each (domain, class) counts the same, as in balanced batches. The strength of
    the penalty is chosen by the AUC of held-out source presentations, the strongest on ties; the target is not read.

    Args:
        experiment: Its data; every process calls this.
        detector: Its head is a linear layer to two logits; its weights are replaced.
    """
    table, protocol = experiment.table, experiment.protocol
    train, held_out = (experiment.frame_scores(detector, rows) for rows in (protocol.train, protocol.dev))
    labels = table.column("label").astype(np.int64)[train.rows]
    columns = {name: table.column(name)[held_out.rows] for name in FRAME_COLUMNS}
    best = None
    for strength in STRENGTHS:
        weight, bias = _regression(train, labels, strength)
        found = Probe(weight, bias, strength, 0.0)
        scores = presentation_scores(columns, 1 / (1 + np.exp(-found.logits(held_out.embeddings).clip(-30, 30))))
        found = Probe(weight, bias, strength, auc(scores.label, scores.score))
        best = found if best is None or found.auc > best.auc else best
    assert best is not None
    _set(detector.head, best)
    return best


def _regression(train: FrameScores, labels: NDArray[np.int64], strength: float) -> tuple[NDArray[np.float64], float]:
    """Return weight and bias for features as they are: those of the standardised ones, folded back."""
    groups = 2 * train.domains + labels
    share = 1 / np.bincount(groups)[groups]
    scaler, regression = StandardScaler(), LogisticRegression(C=strength, max_iter=2000)
    features = scaler.fit_transform(train.embeddings.astype(np.float64))
    regression.fit(features, labels, sample_weight=share * len(labels) / share.sum())
    weight = regression.coef_[0] / scaler.scale_
    return weight, float(regression.intercept_[0] - weight @ scaler.mean_)


@torch.no_grad()
def _set(head: nn.Module, probe: Probe) -> None:
    assert isinstance(head, nn.Linear)
    weight = torch.from_numpy(probe.weight).to(head.weight)
    head.weight.copy_(torch.stack([torch.zeros_like(weight), weight]))
    head.bias.copy_(torch.tensor([0.0, probe.bias]))
