"""The plugin's own tests, as its authors would write them: padkit's suites, and what is particular to each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from padkit_example.bank import ConvolutionBank
from padkit_example.drawing import main as draw
from padkit_example.dusk import Dusk
from padkit_example.moments import MomentMatching
from padkit_example.stripes import Stripes
from PIL import Image

from padkit.errors import SettingsError
from padkit.roles import Batch, Features
from padkit.testing import AlignerSuite, AugmentationSuite, DatasetSuite, PeerSuite, StudentSuite, TeacherSuite


class TestBank(TeacherSuite):
    name = "example-teacher"
    settings: ClassVar = {"channels": 8}


class TestMoments(AlignerSuite):
    name = "moments"
    settings: ClassVar = {"weight": 0.5}


class TestCells(StudentSuite):
    name = "cells"
    settings: ClassVar = {"width": 4}


class TestStripes(DatasetSuite):
    name = "stripes"


class TestContest(PeerSuite):
    name = "contest"


class TestDusk(AugmentationSuite):
    name = "dusk"
    settings: ClassVar = {"darkest": 0.25}


def test_the_seed_of_the_bank_draws_its_filters() -> None:
    images = torch.rand(2, 3, 32, 32)
    features = ConvolutionBank(channels=8)(images)
    assert [tuple(m.shape) for m in features.maps] == [(2, 8, 8, 8), (2, 8, 4, 4)]
    assert not torch.equal(features.embedding, ConvolutionBank(channels=8, seed=1)(images).embedding)


def test_moments_vanish_for_equal_means_only() -> None:
    aligner = MomentMatching(2, 4, weight=0.5)
    domains = torch.tensor([0, 0, 1, 1])
    batch = Batch(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 0, 1]), domains)
    axes = torch.eye(4)
    alike = Features((), axes[[0, 1, 0, 1]])
    apart = Features((), axes[[0, 0, 1, 1]])
    assert aligner.losses(batch, alike, 0.0)["moments"].item() == 0
    torch.testing.assert_close(aligner.losses(batch, apart, 0.0)["moments"], torch.tensor(0.5))


def test_stripes_are_balanced() -> None:
    records = list(Stripes().records())
    assert len(records) == 120
    counts = Counter((r.domain, r.split, r.label) for r in records)
    assert len(counts) == 18
    assert {counts[key] for key in counts if key[1] == "train"} == {12}


def test_dusk_darkens() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    darker, label = Dusk(darkest=0.25)(image, 1, np.random.default_rng(0))
    assert (50 <= darker.max() < 200, label) == (True, 1)
    assert np.array_equal(Dusk(darkest=1.0)(image, 0, np.random.default_rng(0))[0], image)


def test_stripes_are_drawn_side_by_side(tmp_path: Path) -> None:
    assert draw(["--out", str(tmp_path / "stripes.png"), "--count", "3"]) == 0
    assert Image.open(tmp_path / "stripes.png").size == (96, 32)
    with pytest.raises(SettingsError, match="must be at least 1"):
        draw(["--out", str(tmp_path / "none.png"), "--count", "0"])
