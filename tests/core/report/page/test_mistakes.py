"""The worst mistakes: worst first, counted, with the face of the presentation they are of."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from toy_scores import picture, scores

from padkit.data.table.columns import Coded, encode
from padkit.report.page.mistakes import SIDE, mistakes, small_jpeg, thumbnails


@pytest.mark.parametrize(("threshold", "label", "step"), [(0.0, 0, -1), (1.0, 1, 1)])
def test_the_worst_come_first_with_their_own_faces(threshold: float, label: int, step: int) -> None:
    target = scores(1)
    kinds = mistakes(target, threshold, picture)
    wrong, right = kinds if label == 0 else kinds[::-1]
    own = np.flatnonzero(target.label == label)
    order = own[np.argsort(target.score[own], kind="stable")][::step][:12]
    assert [one.presentation for one in wrong.worst] == target.presentation[order].tolist()
    assert [one.score for one in wrong.worst] == target.score[order].tolist()
    assert [one.kind for one in wrong.worst] == [str(name) or "bona fide" for name in target.species[order]]
    assert [one.facts["subject"] for one in wrong.worst] == target.subject[order].tolist()
    assert (wrong.count, wrong.among) == (len(own), len(own))
    assert (right.count, right.worst) == (0, ())
    for one, row in zip(wrong.worst, order, strict=True):
        assert bool(one.picture) == bool(row)
        if one.picture:
            red = np.asarray(Image.open(io.BytesIO(base64.b64decode(one.picture))))[0, 0, 0]
            assert abs(int(red) - 2 * row) < 4


def test_a_score_at_the_threshold_is_accepted() -> None:
    target = scores(1)
    highest = float(target.score[target.label == 0].max())
    assert mistakes(target, highest)[0].count == 1
    assert mistakes(target, float(np.nextafter(highest, 2)))[0].count == 0


def test_a_thumbnail_is_the_presentations_middle_frame_of_the_right_dataset() -> None:
    class Table:
        def coded(self, name: str) -> Coded:
            names = {"dataset": ["x", "x", "x", "y", "y"], "presentation": ["p", "p", "p", "p", "q"]}[name]
            return encode(pa.chunked_array([names]))

        def image(self, row: int) -> np.ndarray:
            return np.full((3, 200, 100), 50 * row, dtype=np.uint8)

    faces: Any = thumbnails(Table())
    assert faces("z", "p") is None
    for dataset, row in (("x", 1), ("y", 3)):
        image = Image.open(io.BytesIO(faces(dataset, "p")))
        assert image.size == (SIDE // 2, SIDE)
        assert abs(int(np.asarray(image)[5, 5, 0]) - 50 * row) < 3


def test_a_small_image_is_not_enlarged() -> None:
    assert Image.open(io.BytesIO(small_jpeg(np.zeros((20, 30, 3), dtype=np.uint8)))).size == (30, 20)
