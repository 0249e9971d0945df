"""CASIA-SURF CeFA: the full release with masks, and the challenge with lists and anonymous videos."""

from __future__ import annotations

import pytest
from native_checks import counts, refused
from public_checks import read
from trees_public import still, text, write_cefa_challenge, write_cefa_release

from padkit.data.presentation import Division, Presentation
from padkit_public.cefa import CefaReader


def test_the_full_release(tmp_path):
    records = {record.id: record for record in read(CefaReader(root=str(write_cefa_release(tmp_path))))}
    assert len(records) == 6
    assert records["1_000_1_1_1"] == Presentation(
        dataset="cefa",
        domain="cefa",
        id="1_000_1_1_1",
        label=1,
        split="train",
        subject="cefa/1_000",
        device="rssdk",
        session="indoor",
        path=str(tmp_path / "AF/AF-000-198006250024/1_000_1_1_1/profile"),
    )
    cloth, screen, paper = (records[name] for name in ("1_000_3_2_2", "1_200_3_1_4", "2_300_4_3_3"))
    assert (cloth.split, cloth.attack_type, cloth.species) == ("train", "print", "cloth")
    assert (cloth.device, cloth.session) == ("bag", "outdoor")
    assert (screen.split, screen.attack_type, screen.species) == ("dev", "replay", "screen")
    assert (paper.split, paper.attack_type, paper.species) == ("test", "print", "paper")
    assert (paper.subject, paper.device, paper.session) == ("cefa/2_300", "mov", "random")


def test_a_mask_is_no_bona_fide_though_its_last_number_is_1(tmp_path):
    records = {record.id: record for record in read(CefaReader(root=str(write_cefa_release(tmp_path))))}
    assert records["1_073_1_0_2_1_1"] == Presentation(
        dataset="cefa",
        domain="cefa",
        id="1_073_1_0_2_1_1",
        label=0,
        split="test",
        subject="cefa/3d_mask_073",
        attack_type="mask",
        species="3d_mask",
        device="device2",
        session="indoor-light1",
        path=str(tmp_path / "3D-Mask/073/1_073_1_0_2_1_1/profile"),
    )
    assert records["2_001_1_1_2_1_3"].species == "silicone_mask"


def test_newer_copies_say_color(tmp_path):
    write_cefa_release(tmp_path)
    (tmp_path / "AF/AF-000-198006250024/1_000_1_1_1/profile").rename(
        tmp_path / "AF/AF-000-198006250024/1_000_1_1_1/color"
    )
    assert len(read(CefaReader(root=str(tmp_path)))) == 6


def test_published_counts():
    # Of 500 subjects in each of three ethnicities: one bona fide, two cloth and one screen video; and 1,123 masks.
    assert sum(CefaReader.expected.values()) == 3 * 500 * 4 + 1123


def test_the_challenge(tmp_path):
    reader = CefaReader(root=str(write_cefa_challenge(tmp_path)))
    records = {record.id: record for record in read(reader)}
    assert counts(list(records.values())) == {
        ("train", 1): 2,
        ("train", 0): 1,
        ("dev", 1): 1,
        ("dev", 0): 1,
        ("test", 1): 1,
        ("test", 0): 1,
    }
    assert records["dev/003001"] == Presentation(
        dataset="cefa",
        domain="cefa",
        id="dev/003001",
        label=0,
        split="dev",
        attack_type="unspecified",
        species="unspecified",
        path=str(tmp_path / "phase1/dev/003001/profile"),
    )
    assert records["test/000002"].label == 1
    assert reader.protocols() == {
        "4.1": Division(
            train=("1_000_1_1_1", "1_001_3_1_4"),
            dev=("dev/003000", "dev/003001"),
            test=("test/000001", "test/000002"),
        ),
        "4.2": Division(train=("2_005_1_1_1",), dev=("dev/003001",), test=("test/000002",)),
    }


def test_no_lists_no_protocols(tmp_path):
    assert CefaReader(root=str(write_cefa_release(tmp_path))).protocols() == {}


def test_lists_that_are_missing_or_wrong(tmp_path):
    reader = CefaReader(root=str(write_cefa_challenge(tmp_path)))
    path = text(tmp_path / "phase2/4@2_test_ref.txt", "test/000009 1")
    refused(reader.protocols, path, "'test/000009'", "not below")
    path.unlink()
    refused(reader.protocols, "Protocol 4.2 has no list 4@2_test*.txt")
    text(path, "test/9 1")
    refused(reader.protocols, f"{path}, line 1: test/9", "unknown name")
    path.unlink()
    (tmp_path / "phase2/4@1_test_ref.txt").rename(tmp_path / "phase2/4@1_test_res.txt")
    text(tmp_path / "phase2/4@1_test_res.txt", "test/000001", "test/000002")
    refused(lambda: list(reader.records()), tmp_path / "phase2/test/000001", "no label", "4@<fold>_test_ref.txt")


def test_a_video_without_colour_images(tmp_path):
    place = write_cefa_release(tmp_path) / "AF/AF-000-198006250024/1_000_1_1_1"
    (place / "profile").rename(tmp_path / "elsewhere")
    refused(lambda: list(CefaReader(root=str(tmp_path)).records()), place, "no folder 'profile'")


def test_lists_that_call_bona_fide_0(tmp_path):
    reader = CefaReader(root=str(write_cefa_challenge(tmp_path)))
    text(tmp_path / "phase1/4@1_train.txt", "train/1_000_1_1_1/profile/0001.jpg 0")
    refused(lambda: list(reader.records()), "labels 1_000_1_1_1 0", "expected 1 for bona fide")
    text(tmp_path / "phase1/4@1_train.txt", "train/1_000_1_1_1/profile/0001.jpg 1")
    text(tmp_path / "phase1/4@1_dev_ref.txt", "dev/003000 0.93")
    refused(lambda: list(reader.records()), "phase1/dev/003000 has no label")


@pytest.mark.parametrize("name", ["1_000_1_1", "1_000_1_1_5", "4_000_1_1_1", "1_00_1_1_1", "3_073_1_0_2_1_1", "003000"])
def test_unknown_folders(tmp_path, name):
    write_cefa_release(tmp_path)
    place = tmp_path / "AF" / name
    still(place / "profile/0001.jpg")
    refused(lambda: list(CefaReader(root=str(tmp_path)).records()), place, "unknown name", "<race>_<subject>_<device>")


def test_two_releases_in_one_root(tmp_path):
    write_cefa_release(tmp_path)
    write_cefa_challenge(tmp_path)
    refused(lambda: list(CefaReader(root=str(tmp_path)).records()), "1_000_1_1_1 is there twice")
