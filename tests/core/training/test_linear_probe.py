"""The probe is a balanced logistic regression, chosen on held-out source alone, as a head that scores like it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from padkit.errors import SettingsError
from padkit.networks.detector import Detector
from padkit.roles import Student, StudentFeatures
from padkit.training.linear_probe import STRENGTHS, Pooled, fit_probe
from padkit.training.scoring import FrameScores

torch.set_num_threads(1)


class TwoMaps(Student):
    channels, strides, embedding_dim = (4, 8), (1, 2), 8

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 2, stride=2)

    def forward(self, images):
        one = self.first(images)
        two = self.second(one)
        return StudentFeatures((one, two), two.amax((2, 3)))


def test_it_sees_the_mean_of_one_map() -> None:
    network, images = TwoMaps(), torch.rand(2, 3, 4, 4)
    maps, embedding = network(images)
    for level, wanted in ((1, maps[0].mean((2, 3))), (2, maps[1].mean((2, 3))), (0, embedding)):
        pooled = Pooled(network, level)
        torch.testing.assert_close(pooled(images).embedding, wanted)
        assert pooled.embedding_dim == wanted.shape[1]
    with pytest.raises(SettingsError, match="level 3: this student has maps 1 to 2"):
        Pooled(network, 3)


class Experiment:
    """Features of 4 numbers: the first tells bona fide, weakly; domain 0 has three times as many frames."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.labels = np.concatenate([np.arange(360) % 2, np.arange(80) % 2])
        self.domains = np.concatenate([np.arange(360) % 8 // 2 // 3, np.zeros(80, dtype=int)])
        self.features = generator.normal(0, [3.0, 1, 1, 0.1], (440, 4)).astype(np.float32) + 5
        self.features[:, 0] += 3 * self.labels
        names = np.array([str(row) for row in range(440)])
        texts = dict.fromkeys(("dataset", "domain", "split", "subject", "attack_type", "species", "device"), names)
        self.table = SimpleNamespace(column={"label": self.labels, "presentation": names, **texts}.__getitem__)
        self.protocol = SimpleNamespace(train=np.arange(360), dev=np.arange(360, 440))

    def frame_scores(self, detector: Detector, rows: np.ndarray) -> FrameScores:
        return FrameScores(rows, np.zeros(len(rows), np.float32), self.features[rows], self.domains[rows])


def test_it_is_the_regression_whose_penalty_is_best_on_held_out_source() -> None:
    experiment, detector = Experiment(), Detector(Pooled(TwoMaps(), 1))
    probe = fit_probe(experiment, detector)
    x, y = experiment.features[:360].astype(np.float64), experiment.labels[:360]
    groups = 2 * experiment.domains[:360] + y
    weights = 1 / np.bincount(groups)[groups]
    standard = (x - x.mean(0)) / x.std(0)
    areas = {}
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=2000)
        model.fit(standard, y, sample_weight=weights * 360 / weights.sum())
        held_out = (experiment.features[360:].astype(np.float64) - x.mean(0)) / x.std(0)
        logits = model.decision_function(held_out)
        live, attack = logits[experiment.labels[360:] == 1], logits[experiment.labels[360:] == 0]
        areas[strength] = np.mean(live[:, None] > attack[None])
        if strength == probe.strength:
            np.testing.assert_allclose(probe.logits(experiment.features[360:]), logits, atol=1e-6)
    assert probe.auc == pytest.approx(max(areas.values()))
    assert probe.strength == next(strength for strength in STRENGTHS if areas[strength] == max(areas.values()))
    features = torch.from_numpy(experiment.features[:5])
    scored = detector.classify(StudentFeatures((), features)).softmax(dim=1)[:, 1]
    wanted = 1 / (1 + np.exp(-probe.logits(experiment.features[:5])))
    np.testing.assert_allclose(scored.detach().numpy(), wanted, atol=1e-5)
