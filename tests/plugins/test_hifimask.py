"""CASIA-SURF HiFiMask."""

from __future__ import annotations

import pytest
from native_checks import counts, refused
from public_checks import read
from trees_public import HIFIMASK, still, text, write_hifimask

from padkit.data.presentation import Division, Presentation
from padkit_public.hifimask import HifimaskReader


def test_records(tmp_path):
    records = {record.id: record for record in read(HifimaskReader(root=str(write_hifimask(tmp_path))))}
    assert list(records) == list(HIFIMASK)
    assert records["1_05_0_1_3_1"] == Presentation(
        dataset="hifimask",
        domain="hifimask",
        id="1_05_0_1_3_1",
        label=1,
        split="train",
        subject="hifimask/05",
        device="iphone11",
        session="white-bright",
        path=str(tmp_path / "Data/1_05_0_1_3_1"),
    )
    transparent, plaster, resin = (records[name] for name in HIFIMASK[1:])
    assert (transparent.label, transparent.subject) == (0, "hifimask/05"), "the person whose mask it is"
    assert (transparent.attack_type, transparent.species) == ("mask", "transparent")
    assert (transparent.session, transparent.device) == ("white-no", "iphonex")
    assert (plaster.split, plaster.species, plaster.session, plaster.device) == (
        "dev",
        "plaster",
        "sunshine-top",
        "hjim",
    )
    assert (resin.split, resin.species, resin.session, resin.device) == ("test", "resin", "motion-back", "spo2")


def test_published_counts():
    assert sum(HifimaskReader.expected.values()) == 54_600


def test_splits_of_the_challenges_folders(tmp_path):
    for split, name in zip(("train", "val", "test"), HIFIMASK, strict=False):
        still(tmp_path / "phase1" / split / name / "0001.png")
    records = read(HifimaskReader(root=str(tmp_path)))
    assert counts(records) == {("train", 1): 1, ("dev", 0): 1, ("test", 0): 1}
    assert HifimaskReader(root=str(tmp_path)).protocols() == {}


def test_no_lists_no_splits(tmp_path):
    records = read(HifimaskReader(root=str(write_hifimask(tmp_path, lists=False))))
    assert counts(records) == {("", 1): 1, ("", 0): 3}


def test_protocols(tmp_path):
    reader = HifimaskReader(root=str(write_hifimask(tmp_path)))
    protocols = reader.protocols()
    assert list(protocols) == ["1", "2.1"]
    assert protocols["1"] == Division(train=HIFIMASK[:2], dev=HIFIMASK[2:3], test=HIFIMASK[3:]), "as the videos' list"
    assert protocols["2.1"].train == tuple(reversed(HIFIMASK[:2])), "each once, of the frames' list"
    path = text(tmp_path / "protocol/CASIA_HiFiMask@p1_video_dev.txt", "CASIA_HiFiMask/Data/1_75_0_1_1_1 0")
    refused(reader.protocols, "Protocol 1, dev", "'1_75_0_1_1_1'")
    text(path, "CASIA_HiFiMask/Data/1_75_0 0")
    refused(reader.protocols, f"{path}, line 1", "unknown name")
    path.unlink()
    (tmp_path / "protocol/CASIA_HiFiMask@p1_image_dev.txt").unlink()
    refused(reader.protocols, "Protocol 1 has no list CASIA_HiFiMask@p1_video_dev.txt")


@pytest.mark.parametrize("name", ["1_05_4_1_3_1/0001.png", "1_05_0_7_3_1/0001.png", "val/000001.png", "000001.png"])
def test_images_in_unknown_folders(tmp_path, name):
    write_hifimask(tmp_path)
    path = still(tmp_path / "Data" / name)
    refused(lambda: list(HifimaskReader(root=str(tmp_path)).records()), path, "unknown name", "<complexion>_<subject>")


def test_two_copies_in_one_root(tmp_path):
    write_hifimask(tmp_path)
    still(tmp_path / "copy" / HIFIMASK[0] / "0001.png")
    refused(
        lambda: list(HifimaskReader(root=str(tmp_path)).records()), f"{HIFIMASK[0]} is there twice", tmp_path / "copy"
    )
