"""CelebA-Spoof: label lists of 44 numbers, suffixes that differ, boxes in another frame."""

from __future__ import annotations

import json

import pytest
from native_checks import counts, refused
from PIL import Image
from public_checks import read
from trees_public import CELEBA, celeba_row, text, write_celeba_spoof

from padkit.data.presentation import FaceHint, Presentation
from padkit_public.celeba_spoof import CelebaSpoofReader


@pytest.fixture
def reader(tmp_path):
    return CelebaSpoofReader(root=str(write_celeba_spoof(tmp_path)))


def test_records(tmp_path, reader):
    records = {record.id: record for record in read(reader)}
    assert list(records) == [
        "train/1/live/072342",
        "train/1/spoof/314287",
        "train/3995/live/158330",
        "train/3995/spoof/158340",
        "test/6964/spoof/494405",
        "test/9596/live/494406",
    ], "by folder; the stray train_2 is nowhere"
    assert records["train/3995/live/158330"] == Presentation(
        dataset="celeba-spoof",
        domain="celeba-spoof",
        id="train/3995/live/158330",
        label=1,
        split="train",
        subject="celeba-spoof/3995",
        path=str(tmp_path / "Data/train/3995/live/158330.jpg"),
    ), "listed as .png, stored as .jpg"
    assert records["train/3995/spoof/158340"] == Presentation(
        dataset="celeba-spoof",
        domain="celeba-spoof",
        id="train/3995/spoof/158340",
        label=0,
        split="train",
        subject="celeba-spoof/3995",
        attack_type="mask",
        species="3d_mask",
        session="dark-outdoor",
        path=str(tmp_path / "Data/train/3995/spoof/158340.png"),
    )
    pad = records["test/6964/spoof/494405"]
    assert (pad.split, pad.attack_type, pad.species, pad.session) == ("test", "replay", "pad", "back-indoor")
    assert counts(list(records.values())) == {("train", 1): 2, ("train", 0): 2, ("test", 1): 1, ("test", 0): 1}
    with Image.open(pad.path) as image:
        assert image.size == (448, 336)


@pytest.mark.parametrize(
    ("kind", "attack_type", "species"),
    [
        (1, "print", "photo"),
        (2, "print", "poster"),
        (3, "print", "a4"),
        (4, "mask", "face_mask"),
        (5, "mask", "upper_body_mask"),
        (6, "mask", "region_mask"),
        (7, "replay", "pc"),
        (8, "replay", "pad"),
        (9, "replay", "phone"),
        (10, "mask", "3d_mask"),
    ],
)
def test_spoof_types(tmp_path, kind, attack_type, species):
    rows = {"Data/test/7/spoof/000001.png": celeba_row(kind, 2, 1, 1)}
    reader = CelebaSpoofReader(root=str(write_celeba_spoof(tmp_path, {**CELEBA, "test": rows})))
    (record,) = [record for record in reader.records() if record.split == "test"]
    assert (record.attack_type, record.species, record.session) == (attack_type, species, "strong-indoor")


def test_official_division(reader):
    division = reader.protocols()["official"]
    assert len(division.train) == 4
    assert division.dev == ()
    assert division.test == ("test/6964/spoof/494405", "test/9596/live/494406")


def test_boxes_are_scaled_from_224_pixels(tmp_path, reader):
    records = {record.id: record for record in reader.records()}
    listed = records["test/6964/spoof/494405"]
    assert reader.hints(listed, 448, 336) == {0: FaceHint(box=(56.0, 84.0, 224.0, 210.0))}
    assert reader.hints(listed, 224, 224) == {0: FaceHint(box=(28.0, 56.0, 112.0, 140.0))}
    assert reader.hints(records["train/1/live/072342"], 448, 336) == {}, "the file is empty"
    assert reader.hints(records["train/1/spoof/314287"], 448, 336) == {}, "2 of 224 pixels wide"
    assert reader.hints(listed, 448, 4) == {}, "140 of 224 pixels are 2.5 of 4"
    box = tmp_path / "Data/test/6964/spoof/494405_BB.txt"
    text(box, "28 56 112 140")
    assert reader.hints(listed, 224, 224)[0].box == (28.0, 56.0, 112.0, 140.0)
    box.unlink()
    assert reader.hints(listed, 448, 336) == {}
    text(box, "28 56 112")
    refused(lambda: reader.hints(listed, 448, 336), box, "3 numbers", "x y w h score")
    text(box, "28 56 112 high 0.9")
    refused(lambda: reader.hints(listed, 448, 336), box, "'28 56 112 high 0.9'")


def test_an_image_that_is_gone_keeps_its_listed_path(tmp_path, reader):
    (tmp_path / "Data/test/9596/live/494406.png").unlink()
    (tmp_path / "Data/train/3995").rename(tmp_path / "elsewhere")
    paths = [record.path for record in reader.records()]
    assert str(tmp_path / "Data/test/9596/live/494406.png") in paths
    assert str(tmp_path / "Data/train/3995/live/158330.png") in paths


def test_a_partial_root(tmp_path, reader):
    labels = tmp_path / "metas/intra_test/test_label.json"
    labels.rename(tmp_path / "test_label.json")
    refused(lambda: list(reader.records()), labels, "is missing")
    (tmp_path / "Data/train").rename(tmp_path / "Data/train_3")
    refused(lambda: list(reader.records()), tmp_path / "Data/train", "is missing")


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ({"Data/test/7/spoof/1.png": celeba_row(11, 1, 1, 1)}, ("[11, 1, 1, 1]", "beyond the known codes")),
        ({"Data/test/7/spoof/1.png": celeba_row(1, 5, 1, 1)}, ("[1, 5, 1, 1]",)),
        ({"Data/test/7/spoof/1.png": celeba_row(1, 1, 3, 1)}, ("[1, 1, 3, 1]",)),
        ({"Data/test/7/spoof/1.png": celeba_row(1, 1, 1, 0)}, ("spoof type 1 and label 0", "contradict its folder")),
        ({"Data/test/7/live/1.png": celeba_row(1, 1, 1, 0)}, ("spoof type 1 and label 0", "contradict its folder")),
        ({"Data/test/7/spoof/1.png": celeba_row(0, 1, 1, 1)}, ("spoof type 0 and label 1",)),
        ({"Data/test/7/spoof/1.png": celeba_row(1, 1, 1, 1)[1:]}, ("image 1", "44 whole numbers")),
        ({"Data/test/7/spoof/1.png": celeba_row(1, 1, -1, 1)}, ("image 1", "44 whole numbers")),
        ({"Data/train/7/spoof/1.png": celeba_row(1, 1, 1, 1)}, ("unknown name", "Data/test/<subject>")),
        ({"Data/test/7/real/1.png": celeba_row(0, 0, 0, 0)}, ("unknown name", "{live,spoof}")),
    ],
)
def test_rows_that_cannot_be_true(tmp_path, rows, parts):
    reader = CelebaSpoofReader(root=str(write_celeba_spoof(tmp_path)))
    text(tmp_path / "metas/intra_test/test_label.json", json.dumps(rows))
    refused(lambda: list(reader.records()), "test_label.json", *parts)


def test_lists_that_are_no_lists(tmp_path, reader):
    labels = tmp_path / "metas/intra_test/test_label.json"
    whole = labels.read_text()
    for broken, part in (
        ("", "is empty"),
        ("{}", "after 0 images"),
        ("[1, 2]", "after 0 images"),
        (whole.rstrip()[:-1], "after 2 images"),
        (whole.rstrip()[:-9], "after 1 images"),
        (whole.replace("}", ', "x": 3}'), "after 2 images"),
    ):
        labels.write_text(broken)
        refused(lambda: list(reader.records()), labels, part)
    # However JSON is laid out, it is the same list.
    labels.write_text(json.dumps(json.loads(whole), indent=2))
    assert len(list(reader.records())) == 6
