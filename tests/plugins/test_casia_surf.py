"""CASIA-SURF: recordings with subjects in Training, anonymous images with lists in Val and Testing."""

from __future__ import annotations

import pytest
from native_checks import counts, refused
from public_checks import read
from trees_public import still, text, write_casia_surf

from padkit.data.presentation import Presentation
from padkit_public.casia_surf import CasiaSurfReader


@pytest.fixture
def reader(tmp_path):
    return CasiaSurfReader(root=str(write_casia_surf(tmp_path)))


def test_records(tmp_path, reader):
    records = {record.id: record for record in read(reader)}
    assert records["Training/real_part/CLKJ_AS0005/real.rssdk"] == Presentation(
        dataset="casia-surf",
        domain="casia-surf",
        id="Training/real_part/CLKJ_AS0005/real.rssdk",
        label=1,
        split="train",
        subject="casia-surf/CLKJ_AS0005",
        path=str(tmp_path / "phase1/Training/real_part/CLKJ_AS0005/real.rssdk/color"),
    )
    cut = records["Training/fake_part/CLKJ_AS0005/04_en_b.rssdk"]
    assert (cut.label, cut.split, cut.subject) == (0, "train", "casia-surf/CLKJ_AS0005")
    assert (cut.attack_type, cut.species) == ("print", "04_en_b")
    assert records["Val/0000/000001-color"] == Presentation(
        dataset="casia-surf",
        domain="casia-surf",
        id="Val/0000/000001-color",
        label=1,
        split="dev",
        path=str(tmp_path / "phase1/Val/0000/000001-color.jpg"),
    ), "colour is found whatever the order of the columns"
    tested = records["Testing/0000/000001-color"]
    assert (tested.label, tested.split, tested.attack_type, tested.species) == (0, "test", "print", "print")
    assert counts(list(records.values())) == {
        ("train", 1): 2,
        ("train", 0): 3,
        ("dev", 1): 1,
        ("dev", 0): 2,
        ("test", 1): 1,
        ("test", 0): 1,
    }
    assert not any("depth" in record.path or "ir" in record.path.split("/")[-1] for record in records.values())
    assert reader.protocols()["official"].dev == tuple(f"Val/0000/00000{n}-color" for n in range(3))


def test_published_counts():
    # 29,266, 9,608 and 57,710 images; the training images are those of 300 subjects in four recordings each.
    expected = CasiaSurfReader.expected
    assert expected["dev", 1] + expected["dev", 0] == 9608
    assert expected["test", 1] + expected["test", 0] == 57_710
    assert expected["train", 1] + expected["train", 0] == 1200


def test_one_phase_alone_and_the_other_release(tmp_path):
    write_casia_surf(tmp_path)
    phase = read(CasiaSurfReader(root=str(tmp_path / "phase1")))
    assert {record.split for record in phase} == {"train", "dev"}
    for n in range(2):
        for part in ("real_part/CLKJ_AS0010/real", "fake_part/CLKJ_AS0010/01_e_s"):
            still(tmp_path / f"full/Val/{part}.rssdk/color/{n}.jpg")
    (tmp_path / "phase1/Training").rename(tmp_path / "full/Training")
    records = read(CasiaSurfReader(root=str(tmp_path / "full")))
    assert {(record.split, record.label) for record in records if record.subject == "casia-surf/CLKJ_AS0010"} == {
        ("dev", 1),
        ("dev", 0),
    }


def test_unlabelled_images_are_refused(tmp_path, reader):
    (tmp_path / "phase1/val_private_list.txt").unlink()
    refused(
        lambda: list(reader.records()), tmp_path / "phase1/Val", "without labels", "val_private_list.txt or val_label"
    )
    (tmp_path / "phase1/val_public_list.txt").rename(tmp_path / "phase1/val_label.txt")
    refused(lambda: list(reader.records()), "val_label.txt, line 1", "0 or 1")


@pytest.mark.parametrize("row", ["a-depth.jpg b-ir.jpg 1", "a-color.jpg b-color.jpg c-ir.jpg 1", "a-color.jpg 2"])
def test_list_rows_that_are_none(tmp_path, reader, row):
    path = text(tmp_path / "phase1/val_private_list.txt", "", "Val/0000/000000-color.jpg x y 0", row)
    refused(lambda: list(reader.records()), f"{path}, line 3", "expected a colour, an infrared and a depth image")


@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        ("real_part/CLKJ_AS0005/04_en_b.rssdk/color", ("unknown name", "expected real.rssdk")),
        ("fake_part/CLKJ_AS0005/real.rssdk/color", ("unknown name", "{e,en,enm}")),
        ("fake_part/CLKJ_AS0005/07_x_b.rssdk/color", ("unknown name", "{e,en,enm}")),
        ("fake_part/CLKJ_AS0005/01_e_s.rssdk/depth", ("holds no folder 'color'",)),
    ],
)
def test_unknown_recordings(tmp_path, reader, folder, parts):
    place = tmp_path / "phase1/Training" / folder
    still(place / "1.jpg")
    refused(lambda: list(reader.records()), place.parent, *parts)
