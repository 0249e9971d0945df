"""NUAA: backslashes, two forms, and splits that share their subjects."""

from __future__ import annotations

import pytest
from listed import Listed
from native_checks import counts, refused
from PIL import Image
from public_checks import read
from trees_public import NUAA, still, text, write_nuaa

from padkit.data.presentation import Presentation
from padkit.data.protocols.protocol import leave_one_out
from padkit_public.nuaa import NuaaReader


@pytest.fixture
def raw(tmp_path):
    return NuaaReader(root=str(write_nuaa(tmp_path) / "raw"))


def test_raw_records(tmp_path, raw):
    records = {record.id: record for record in read(raw)}
    assert len(records) == sum(map(len, NUAA.values()))
    live = records["ClientRaw/0002/0002_01_00_02_17"]
    assert live == Presentation(
        dataset="nuaa",
        domain="nuaa",
        id="ClientRaw/0002/0002_01_00_02_17",
        label=1,
        split="train",
        subject="nuaa/0002",
        session="02-light00",
        path=str(tmp_path / "raw/ClientRaw/0002/0002_01_00_02_17.jpg"),
    )
    printed = records["ImposterRaw/0015/0015_00_02_03_44"]
    assert (printed.label, printed.split, printed.session) == (0, "test", "03-light02")
    assert (printed.attack_type, printed.species) == ("print", "print")
    assert {"ClientRaw/0001/0001_00_00_01_0", "ImposterRaw/0001/0001_00_00_01_0"} <= records.keys(), "one name, twice"
    assert counts(list(records.values())) == {("train", 1): 2, ("train", 0): 2, ("test", 1): 1, ("test", 0): 2}
    trained = {record.session[:2] for record in records.values() if record.split == "train"}
    assert trained == {"01", "02"}
    with Image.open(live.path) as image:
        assert image.size == (640, 480)


def test_normalised_records(tmp_path):
    records = read(NuaaReader(root=str(write_nuaa(tmp_path) / "NormalizedFace")))
    assert len(records) == sum(map(len, NUAA.values()))
    assert {record.path.rpartition(".")[2] for record in records} == {"bmp"}, "the lists say .jpg"
    with Image.open(records[0].path) as image:
        assert (image.size, image.mode) == ((64, 64), "L")


def test_all_forms_but_the_raw_one_are_face_crops(tmp_path, raw):
    assert not raw.cropped
    other = next(path for path in raw.folder().parent.iterdir() if path.is_dir() and path.name != "raw")
    assert NuaaReader(root=str(other)).cropped


def test_published_counts():
    expected = NuaaReader.expected
    assert expected["train", 1] + expected["test", 1] == 5105
    assert expected["train", 0] + expected["test", 0] == 7509


def write_more_subjects(root):
    """Write bona fide and attack training images of five more people."""
    for subject in range(4, 9):
        for kind, name in (("Client", "client"), ("Imposter", "imposter")):
            stem = f"{subject:04d}/{subject:04d}_00_00_01_1"
            still(root / f"{kind}Raw" / f"{stem}.jpg")
            path = root / f"{name}_train_raw.txt"
            path.write_text(path.read_text() + f"{stem}.jpg\n")


def test_the_official_splits_leak_and_padkit_says_so(tmp_path, raw):
    write_more_subjects(tmp_path / "raw")
    records = read(raw)
    splits = {split: {record.subject for record in records if record.split == split} for split in ("train", "test")}
    assert "nuaa/0001" in splits["train"] & splits["test"]
    refused(lambda: leave_one_out(Listed(records)), "Subjects appear in more than one part", "nuaa/0001")
    division = raw.protocols()["official"]
    assert (len(division.train), division.dev, len(division.test)) == (14, (), 3)


def test_without_the_official_splits_subjects_are_kept_apart(tmp_path):
    root = write_nuaa(tmp_path) / "raw"
    write_more_subjects(root)
    records = read(NuaaReader(root=str(root), official_splits=False))
    assert {record.split for record in records} == {""}
    table = Listed(records)
    protocol = leave_one_out(table)
    subjects = [set(table.column("subject")[rows]) for rows in (protocol.train, protocol.dev, protocol.test)]
    assert all(subjects)
    assert sum(map(len, subjects)) == len(set().union(*subjects))


@pytest.mark.parametrize(
    ("name", "line", "parts"),
    [
        ("client_test_raw.txt", "0001\\0001_00_05_03.jpg", ("line 1", "unknown name", "<subject>_<glasses>_<light>")),
        ("client_test_raw.txt", "0001\\0001_00_05_03_8.jpg", ("line 1", "not on disk", "incomplete")),
    ],
)
def test_list_errors(tmp_path, raw, name, line, parts):
    path = text(tmp_path / "raw" / name, line)
    refused(lambda: list(raw.records()), path, *parts)


def test_images_and_folders_that_are_wrong(tmp_path, raw):
    def records():
        return list(raw.records())

    path = still(tmp_path / "raw/ClientRaw/0001/face.jpg")
    refused(records, path, "unknown name", "<subject>_<glasses>_<light>_<session>_<n>.jpg")
    path.unlink()
    text(tmp_path / "raw/client_train_face.txt", "0001\\0001_00_00_01_0.jpg")
    refused(records, "one list client_train*.txt", "client_train_face.txt, client_train_raw.txt")
    (tmp_path / "raw/client_train_face.txt").unlink()
    (tmp_path / "raw/imposter_test_raw.txt").unlink()
    refused(records, "one list imposter_test*.txt", "none")
    (tmp_path / "raw/ImposterRaw").rename(tmp_path / "raw/Fakes")
    text(tmp_path / "raw/imposter_test_raw.txt")
    refused(records, "no folder Imposter*")
