"""What a run tells its bundle of how its faces were cut, also where its crops were prepared before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from padkit.data.preparation.cropping import Cropper
from padkit.data.preparation.options import CropOptions
from padkit.data.preparation.prepare import prepare
from padkit.data.presentation import Presentation
from padkit.data.reader import DatasetReader
from padkit.deploy.bundle import CropPolicy
from padkit.deploy.described import crop_policy

CUT = {"face": "lbp", "margin": 0.15, "align": False}
WHOLE = {**CUT, "face": "none"}
BY_LBP = CropPolicy(face="lbp", margin=0.15, known=True)
TIGHT = replace(BY_LBP, face="lbp-tight")


class Framed(DatasetReader):
    """Two crops of 32 pixels whose framing is known."""

    cropped = True
    image_size = 32
    framing = (0.28, 0.1)

    def records(self) -> Iterator[Presentation]:
        for label in (0, 1):
            yield Presentation(dataset="framed", domain="a", id=str(label), label=label)

    def frames(self, presentation: Presentation) -> Iterator[np.ndarray]:
        yield np.full((32, 32, 3), 40 * presentation.label, np.uint8)


def test_a_prepared_table_keeps_how_its_reader_frames_faces(tmp_path):
    """`padkit prepare synthetic` and training on the table ship what training on the dataset ships."""
    cropper = Cropper(Framed(), CropOptions(frames="all", size=32))
    facts = {"choices": cropper.options.facts()}
    table = prepare(cropper, dataset_name="framed", folder=tmp_path / "table", facts=facts, workers=1, progress=False)
    assert crop_policy(Framed(), table) == CropPolicy(margin=0.28, drop=0.1, known=True)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([{"choices": CUT}], BY_LBP),
        ([{"choices": CUT}, {"choices": CUT}], BY_LBP),
        ([{"choices": CUT}, {"choices": {**CUT, "margin": 0.2}}], CropPolicy()),
        ([{"choices": WHOLE, "framing": [0.15, 0.0], "framed_by": "lbp-tight"}, {"choices": CUT}], TIGHT),
        ([{"choices": {**CUT, "face": "lbp-tight"}}], TIGHT),
        ([{"choices": CUT}, {"choices": {**CUT, "face": "scrfd"}}], CropPolicy()),
        ([{"choices": WHOLE}], CropPolicy()),
        ([{"choices": WHOLE}, {"choices": CUT}], CropPolicy()),
        ([{"choices": CUT}, {}], CropPolicy()),
        ([{"choices": WHOLE, "framing": [0.15, 0.0]}, {"choices": CUT}], BY_LBP),
        ([{"choices": WHOLE, "framing": [0.15, 0.0]}], replace(BY_LBP, face="none")),
        ([{"choices": WHOLE, "framing": [0.0, 0.0]}, {"choices": CUT}], CropPolicy()),
        ([{"choices": WHOLE, "framing": [0.15, 0.0]}, {"choices": {**CUT, "align": True}}], CropPolicy()),
    ],
)
def test_tables_that_were_cut_alike_have_one_policy(parts, expected):
    table = SimpleNamespace(preparation={"tables": parts} if len(parts) > 1 else parts[0])
    assert crop_policy(Framed(), table) == expected
