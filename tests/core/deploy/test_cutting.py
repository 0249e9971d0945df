"""A dataset's photographs are cut as the predictor cuts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from padkit.data.preparation.cropping import Tally
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.cutting import (
    PolicyCropper,
    VariedCropper,
    are_photographs,
    judged_as_cut,
    policy_options,
    unlike,
)
from padkit.deploy.predictor import Predictor
from padkit.deploy.stability import OF_BOX
from padkit.errors import DataError
from padkit_folder.tree import FolderReader
from padkit_synthetic.reader import SyntheticReader

FACE = FaceHint(box=(50, 40, 80, 70))
CROPS = {
    "a margin": CropPolicy(face="lbp", margin=0.2, known=True),
    "a drop": CropPolicy(margin=0.28, drop=0.1, known=True),
    "not known": CropPolicy(),
}


def bundle(crop: CropPolicy) -> Bundle:
    thresholds = (BundleThreshold(policy="source-dev", value=0.5),)
    return Bundle(student="timm", settings={}, image_size=32, thresholds=thresholds, simulated=True, crop=crop)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder of one photograph, in which every finder finds `FACE`."""
    for module in ("padkit.data.preparation.cropping", "padkit.deploy.predictor"):
        monkeypatch.setattr(f"{module}.finder", lambda name, model: lambda picture, hint: [FACE])
    (tmp_path / "live").mkdir()
    frame = np.random.default_rng(0).integers(0, 255, (160, 200, 3), dtype=np.uint8)
    Image.fromarray(frame).save(tmp_path / "live" / "a.png")
    return FolderReader(root=str(tmp_path))


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
def test_crops_are_those_that_the_predictor_cuts(reader, crop):
    cropper = PolicyCropper(reader, policy_options(bundle(crop), frames="all"), crop.drop)
    (record,) = cropper.records()
    ((_, found),) = cropper.crops(record, Tally())
    predictor = Predictor(bundle=bundle(crop), score=lambda crops: crops.mean(axis=(1, 2, 3)) / 255)
    (expected,) = predictor.find(Image.open(record.path))
    assert np.array_equal(found, expected.crop)

    cutter = VariedCropper(reader, cropper.options, crop.drop)
    ((_, several),) = cutter.crops(record, Tally())
    assert cutter.sides == [70]
    assert np.array_equal(several[0], found)
    (steady,) = replace(predictor, stability=True).judge(Image.open(record.path))
    scores = predictor.scores(list(several[1:])).tolist()
    assert steady.stability.scores == pytest.approx(dict(zip((one.name for one in OF_BOX), scores, strict=True)))


def test_a_drop_gives_the_table_another_key(reader):
    options = policy_options(bundle(CropPolicy()), frames="all")
    keys = {PolicyCropper(reader, options, drop).fingerprint() for drop in (0.0, 0.1, 0.2)}
    assert len(keys) == 3


def test_where_the_face_is_found():
    def face(crop: CropPolicy, **settings) -> str:
        return policy_options(bundle(crop), frames="all", **settings).face

    assert face(CropPolicy(face="auto")) == "auto"
    assert face(CropPolicy(face="hints")) == "auto"
    assert face(CropPolicy()) == "lbp"
    assert face(CropPolicy(face="hints"), face="lbp") == "lbp"


def test_crops_are_not_cut_again(reader):
    assert are_photographs(reader)
    assert not are_photographs(SyntheticReader())


def test_a_whole_frame_has_no_wider_picture(reader, monkeypatch):
    finds = "padkit.data.preparation.cropping.finder"
    monkeypatch.setattr(finds, lambda name, model: lambda picture, hint: [FaceHint()])
    cutter = VariedCropper(reader, policy_options(bundle(CropPolicy()), frames="all"))
    with pytest.raises(DataError, match="no other crop can be cut"):
        cutter.crops(cutter.records()[0], Tally())


def test_tables_that_were_cut_otherwise_are_told():
    trained = bundle(CropPolicy(face="lbp", margin=0.2, known=True))

    def told(model: Bundle = trained, size: int = 32, **facts) -> str:
        return unlike({"image_size": size, **facts}, model)

    cut = {"face": "lbp", "margin": 0.15, "align": False}
    assert told(choices=cut) == "margin 0.15 instead of 0.2"
    assert told(choices={**cut, "margin": 0.2}) == told() == ""
    assert told(bundle(CropPolicy()), choices=cut) == ""
    assert told(size=16) == "a side in pixels of 16 instead of 32"
    # Of media that are crops already, the options say nothing: what counts is how the reader frames faces.
    assert told(choices={**cut, "face": "none"}) == ""
    assert told(choices={**cut, "face": "none"}, framing=[0.2, 0.1]) == "drop 0.1 instead of 0.0"
    assert told(framing=[0.3, 0.0]) == "margin 0.3 instead of 0.2"
    drawn = bundle(CropPolicy(margin=0.2, drop=0.1, known=True))
    assert told(drawn, choices={**cut, "margin": 0.2}) == "drop 0.0 instead of 0.1"


def test_a_threshold_goes_with_the_finder_that_cut_what_it_rests_on():
    own, tight = bundle(CROPS["a margin"]), "lbp-tight"
    assert judged_as_cut(own, tight).crop == replace(own.crop, face=tight)
    for unchanged in ("", "none", "auto", "hints", "lbp"):
        assert judged_as_cut(own, unchanged) is own
    assert judged_as_cut(bundle(CROPS["a drop"]), "lbp").crop.face == "none"  # which is judged by lbp anyhow


def test_a_table_that_another_finder_cut_is_told():
    table = {"choices": {"face": "lbp-tight", "margin": 0.2, "align": False}, "image_size": 32}
    assert unlike(table, bundle(CROPS["a margin"])) == "face finder lbp-tight instead of lbp"
    assert unlike({**table, "choices": {**table["choices"], "face": "hints"}}, bundle(CROPS["a margin"])) == ""
