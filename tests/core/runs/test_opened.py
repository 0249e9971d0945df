"""An opened run scores as its detector does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from padkit.networks.detector import Detector
from padkit.runs.opened import OpenRun
from padkit.testing.toys import SIZE, ToyStudent

torch.set_num_threads(1)


@pytest.mark.parametrize("views", ["one", "five"])
def test_frames_are_scored_by_the_views_of_the_detector_and_embedded_whole(views):
    torch.manual_seed(0)
    frames = np.random.default_rng(0).integers(0, 256, (70, 3, SIZE, SIZE), dtype=np.uint8)
    detector = Detector(ToyStudent(), views).eval()
    table = SimpleNamespace(image=frames.__getitem__)
    rows = np.arange(1, 70)
    opened = OpenRun(run=None, detector=detector, table=table, test=rows, dev=rows)  # type: ignore[arg-type]
    embeddings, scores = opened.score(rows)
    images = torch.from_numpy(frames[1:]).float() / 255
    with torch.no_grad():
        np.testing.assert_allclose(scores, detector(images).numpy(), atol=1e-5)
        np.testing.assert_allclose(embeddings, detector.student(images).embedding.numpy(), atol=1e-5)
