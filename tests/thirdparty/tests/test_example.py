"""The plugin's own tests, as its authors would write them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import torch
from padkit_example.bank import ConvolutionBank
from padkit_example.dusk import Dusk
from padkit_example.moments import MomentMatching
from padkit_example.stripes import Stripes

from padkit.roles import Batch, Features

torch.set_num_threads(1)


def test_the_bank_is_the_same_for_the_same_seed_and_stays_frozen() -> None:
    images = torch.rand(2, 3, 32, 32)
    bank = ConvolutionBank(channels=8)
    features = bank(images)
    assert [tuple(m.shape) for m in features.maps] == [(2, 8, 8, 8), (2, 8, 4, 4)]
    assert features.embedding.shape == (2, 8)
    assert torch.equal(features.embedding, ConvolutionBank(channels=8)(images).embedding)
    assert not torch.equal(features.embedding, ConvolutionBank(channels=8, seed=1)(images).embedding)
    assert not bank.train().training


def test_moments_vanish_for_equal_means_only() -> None:
    aligner = MomentMatching(2, 4, weight=0.5)
    domains = torch.tensor([0, 0, 1, 1])
    batch = Batch(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 0, 1]), domains)
    axes = torch.eye(4)
    alike = Features((), axes[[0, 1, 0, 1]])
    apart = Features((), axes[[0, 0, 1, 1]])
    assert aligner.losses(batch, alike, 0.0)["moments"].item() == 0
    torch.testing.assert_close(aligner.losses(batch, apart, 0.0)["moments"], torch.tensor(0.5))
    assert aligner.weights() == {"moments": 0.5}
    assert aligner.perturb(batch) is batch.images


def test_stripes_are_balanced_and_deterministic() -> None:
    reader = Stripes()
    records = list(reader.records())
    assert len({r.id for r in records}) == len(records) == 120
    counts = Counter((r.domain, r.split, r.label) for r in records)
    assert len(counts) == 18
    assert {counts[key] for key in counts if key[1] == "train"} == {12}
    (frame,) = reader.frames(records[0])
    assert (frame.shape, frame.dtype) == ((32, 32, 3), np.uint8)
    assert np.array_equal(frame, next(Stripes().frames(records[0])))


def test_dusk_darkens_and_keeps_the_label() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    darker, label = Dusk(darkest=0.25)(image, 1, np.random.default_rng(0))
    assert (darker.dtype, darker.shape, label) == (np.uint8, image.shape, 1)
    assert 50 <= darker.max() < 200
    assert np.array_equal(Dusk(darkest=1.0)(image, 0, np.random.default_rng(0))[0], image)


def test_dataset_and_augmentation_import_no_torch() -> None:
    code = "import sys, padkit_example, padkit_example.stripes, padkit_example.dusk; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
