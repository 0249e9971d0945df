"""A dataset's crops as a bundle takes them, and what is doubtful of its figures on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.calibrated import gather, non_response_line, prepared
from padkit.deploy.predictor import Predictor
from padkit.errors import SettingsError
from padkit_folder.manifest import ManifestReader
from padkit_folder.tables import TablesReader
from padkit_folder.tree import FolderReader

SIZE = 16


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    for number, kind in enumerate(("live", "spoof/print")):
        (tmp_path / "own" / kind).mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "own" / kind / "a.png")
    return FolderReader(root=str(tmp_path / "own"))


@pytest.fixture
def model():
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
        simulated=False, crop=CropPolicy(known=True),
    )  # fmt: skip
    return Predictor(bundle=bundle, score=lambda crops: crops.mean(axis=(1, 2, 3)) / 255)


def test_crops_have_the_side_that_the_model_takes(reader, model):
    table, cropper = prepared(model.bundle, reader, "own", cropped=True)
    assert cropper is None
    for row in range(len(table)):
        file = np.asarray(Image.open(table.column("source")[row]))
        assert np.array_equal(table.image(row).transpose(1, 2, 0), file)


def test_a_table_of_another_side_is_told(reader, model):
    table, _ = prepared(replace(model.bundle, image_size=24), reader, "own", cropped=True)
    notes = gather(model, TablesReader(folders=[str(table.folder)]), "prepared").notes
    (note,) = notes
    assert note.endswith("differ from those that the model was trained on: a side in pixels of 24 instead of 16.")
    assert gather(model, reader, "own", cropped=True).notes == ()


def test_boxes_that_are_not_used_are_told(reader, model, tmp_path, monkeypatch):
    finds = "padkit.data.preparation.cropping.finder"
    monkeypatch.setattr(finds, lambda name, model: lambda picture, hint: [FaceHint(box=(2, 2, 12, 12))])
    rows = [f"own/{kind}/a.png,{label},{species},0 0 8 8" for kind, label, species in (
        ("live", "live", ""), ("spoof/print", "spoof", "print"))]  # fmt: skip
    (tmp_path / "list.csv").write_text("\n".join(["path,label,attack_type,box", *rows]))
    listed = ManifestReader(file=str(tmp_path / "list.csv"))
    (note,) = gather(model, listed, "list").notes
    assert note.startswith("The data give boxes of faces, and lbp found faces instead")
    assert gather(model, listed, "list", face="auto").notes == gather(model, reader, "own").notes == ()


def test_data_that_the_model_was_adapted_on_are_told(reader, model):
    table, _ = prepared(model.bundle, reader, "own", cropped=True)
    record = {"keys": [table.preparation["key"]]}
    adapted = replace(model, bundle=replace(model.bundle, provenance={"adaptations": [{"keys": ["other"]}, record]}))
    (note,) = gather(adapted, reader, "own", cropped=True).notes
    assert note.startswith("The model was adapted on these data")


def test_presentations_without_a_face_are_counted_of_what_is_asked_for(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    finds = "padkit.data.preparation.cropping.finder"
    face = FaceHint(box=(2, 2, 12, 12))
    monkeypatch.setattr(finds, lambda name, model: lambda picture, hint: [face] if picture.width == SIZE else [])
    for domain, width in (("a", SIZE), ("b", SIZE), ("b", 2 * SIZE)):
        for number, kind in enumerate(("live", "spoof/print")):
            (tmp_path / "own" / domain / "test" / kind).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number + width).integers(0, 256, (SIZE, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / domain / "test" / kind / f"{width}.png")
    own = FolderReader(root=str(tmp_path / "own"))
    assert gather(model, own, "own").silent == (2, 6)
    assert gather(model, own, "own", domains=["a"]).silent == (0, 2)
    assert gather(model, own, "own", domains=["b"]).silent == (2, 4)
    assert "50.00 %, 2 of 4" in non_response_line(gather(model, own, "own", domains=["b"]))
    table, _ = prepared(model.bundle, own, "own")
    part = gather(model, TablesReader(folders=[str(table.folder)]), "prepared", domains=["b"])
    assert part.silent is None
    assert "not known" in non_response_line(part)


def test_whole_pictures_are_asked_for_by_their_own_option(reader, model):
    with pytest.raises(SettingsError, match="write --cropped true"):
        gather(model, reader, "own", face="none")
