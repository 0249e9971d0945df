"""CASIA-FASD: counts, codes, and folders of one number that are two people."""

from __future__ import annotations

import dataclasses
import shutil

import av
import pytest
import trees_ocim
from native_checks import by_id, counts, read, refused, subjects

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit_ocim.casia import CasiaFasdReader


@pytest.fixture
def small(tmp_path):
    return trees_ocim.write_casia(tmp_path / "casia", videos=False, subjects=(1, 2, 21))


def reader(root) -> CasiaFasdReader:
    return CasiaFasdReader(root=str(root))


def test_the_whole_dataset_has_the_published_counts(tmp_path):
    records = read(reader(trees_ocim.write_casia(tmp_path, videos=False)))
    assert len(records) == 600
    assert counts(records) == CasiaFasdReader.expected
    assert sum(record.label == BONA_FIDE for record in records) == 150
    assert sum(record.label == ATTACK for record in records) == 450
    assert subjects(records) == {"train": 20, "test": 30}
    division = reader(tmp_path).protocols()["official"]
    assert (len(division.train), division.dev, len(division.test)) == (240, (), 360)
    assert set(division.train) == {record.id for record in records if record.split == "train"}


def test_one_folder_number_is_two_people(small):
    people = {record.subject for record in read(reader(small)) if record.id.split("/")[1] == "01"}
    assert people == {"casia-fasd/train/01", "casia-fasd/test/01"}


@pytest.mark.parametrize(
    ("codes", "attack_type", "species"),
    [
        ("1 2 HR_1", "", ""),
        ("3 4 HR_2", "print", "warped_print"),
        ("5 6 HR_3", "print", "cut_print"),
        ("7 8 HR_4", "replay", "video_replay"),
    ],
)
def test_a_code_tells_the_attack_and_the_camera(small, codes, attack_type, species):
    records = by_id(read(reader(small)))
    for code, camera in zip(codes.split(), ("usb1", "usb2", "hr"), strict=True):
        record = records[f"test/21/{code}"]
        assert (record.dataset, record.domain, record.split) == ("casia-fasd", "C", "test")
        assert record.label == (ATTACK if species else BONA_FIDE)
        assert (record.attack_type, record.species, record.device) == (attack_type, species, camera)
        assert record.path == str(small / "test_release" / "21" / f"{code}.avi")
    assert reader(small).hints(records["test/21/1"], 96, 128) == {}


def test_folders_may_be_spelt_otherwise(small):
    before = [dataclasses.replace(record, path="") for record in read(reader(small))]
    (small / "train_release").rename(small / "Train")
    (small / "test_release").rename(small / "test")
    for folder in ("1", "2"):
        (small / "test" / folder).rename(small / "test" / f"0{folder}")
    (small / "test" / "01" / "HR_1.avi").rename(small / "test" / "01" / "hr_1.AVI")
    assert [dataclasses.replace(record, path="") for record in read(reader(small))] == before


@pytest.mark.parametrize(
    "name",
    [
        "train_release/1/9.avi",
        "train_release/1/HR_5.avi",
        "train_release/1/HR1.avi",
        "train_release/0/1.avi",
        "train_release/1.avi",
        "train_release/train_release/1/1.avi",
        "extra/1/1.avi",
        "1/1.avi",
    ],
)
def test_an_unknown_video_is_refused(small, name):
    path = small / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    refused(
        lambda: read(reader(small)), path, "unknown name; expected {train,test}_release/<subject>/{1..8,HR_1..HR_4}"
    )


def test_a_subject_that_the_split_has_not_is_refused(small):
    shutil.copytree(small / "test_release" / "21", small / "train_release" / "21")
    refused(lambda: read(reader(small)), small / "train_release" / "21", "train has subjects 1 to 20, not 21")


@pytest.mark.parametrize("second", ["train_release/1/1.mp4", "train_release/01/1.avi", "train/1/1.avi"])
def test_two_videos_of_one_presentation_are_refused(small, second):
    path = small / second
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    refused(lambda: read(reader(small)), "train/01/1 is there twice", small / "train_release" / "1" / "1.avi", path)


def test_a_wrong_root_is_told_where_the_layout_is(small, tmp_path):
    found = f"It is found in '{small}': set root to that."
    lacks = "lacks train_release and test_release; expected train_release/<1..20>/ and test_release/<1..30>/"
    for root in (small.parent, small / "train_release", small / "train_release" / "1"):
        refused(lambda root=root: read(reader(root)), f"Root '{root}' {lacks}", found)
    shutil.rmtree(small / "test_release")
    assert "It is found" not in refused(lambda: read(reader(small)), f"Root '{small}' lacks test_release; expected")
    (small / "test_release" / "21").mkdir(parents=True)
    refused(lambda: read(reader(small)), f"Root '{small}' holds no test videos; expected train_release/")
    refused(lambda: read(reader(tmp_path / "nothing")), "is not a folder; expected train_release/")


def test_real_videos_are_where_the_records_say(tmp_path):
    records = read(reader(trees_ocim.write_casia(tmp_path, subjects=(1,))))
    assert counts(records) == {(split, label): 3 if label else 9 for split in ("train", "test") for label in (0, 1)}
    with av.open(records[0].path) as video:
        assert [(frame.width, frame.height) for frame in video.decode(video=0)] == trees_ocim.FRAMES * [(96, 128)]
