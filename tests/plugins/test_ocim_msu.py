"""MSU-MFSD: counts, lists of two digits, `.face` files with holes, and videos that are upside down."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import trees_ocim
from native_checks import by_id, counts, read, refused, subjects

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit_ocim.msu import MsuMfsdReader

FEW = (3, 5, 1)
LIVE = "real_client003_android_SD_scene01"
WIDTH, HEIGHT = trees_ocim.WIDTH, trees_ocim.HEIGHT


@pytest.fixture
def small(tmp_path):
    return trees_ocim.write_msu(tmp_path / "msu", videos=False, subjects=FEW)


def reader(root, upside_down=None) -> MsuMfsdReader:
    return MsuMfsdReader(root=str(root), upside_down=upside_down and str(upside_down))


def test_the_whole_dataset_has_the_published_counts(tmp_path):
    records = read(reader(trees_ocim.write_msu(tmp_path, videos=False)))
    assert len(records) == 280
    assert counts(records) == MsuMfsdReader.expected
    assert sum(record.label == BONA_FIDE for record in records) == 70
    assert sum(record.label == ATTACK for record in records) == 210
    assert subjects(records) == {"train": 15, "test": 20}
    assert {record.rotation for record in records} == {0}
    division = reader(tmp_path).protocols()["official"]
    assert (len(division.train), division.dev, len(division.test)) == (120, (), 160)
    assert set(division.test) == {record.id for record in records if record.split == "test"}


@pytest.mark.parametrize(
    ("name", "split", "attack_type", "species", "device"),
    [
        (f"real/{LIVE}.mp4", "train", "", "", "android"),
        ("real/real_client001_laptop_SD_scene01.mov", "test", "", "", "laptop"),
        ("attack/attack_client001_laptop_SD_printed_photo_scene01.mov", "test", "print", "printed_photo", "laptop"),
        ("attack/attack_client005_android_SD_ipad_video_scene01.mp4", "train", "replay", "ipad_video", "android"),
        ("attack/attack_client005_android_SD_iphone_video_scene01.mp4", "train", "replay", "iphone_video", "android"),
    ],
)
def test_a_name_tells_everything(small, name, split, attack_type, species, device):
    path = small / "scene01" / name
    record = by_id(read(reader(small)))[path.stem]
    assert (record.dataset, record.domain, record.split) == ("msu-mfsd", "M", split)
    assert record.label == (ATTACK if species else BONA_FIDE)
    assert (record.attack_type, record.species, record.device) == (attack_type, species, device)
    assert (record.subject, record.session) == (f"msu-mfsd/client{name.partition('client')[2][:3]}", "scene01")
    assert record.path == str(path)


def test_the_scene_may_be_the_root(small):
    before = [dataclasses.replace(record, path="") for record in read(reader(small))]
    for name in ("real", "attack"):
        (small / "scene01" / name).rename(small / name)
    (small / "scene01").rmdir()
    assert [dataclasses.replace(record, path="") for record in read(reader(small))] == before


# ---- lists


@pytest.mark.parametrize("form", ["{:02d}", "{:03d}", "client{:03d}", "{}", " {:02d} "])
def test_lists_may_write_clients_otherwise(small, form):
    before = read(reader(small))
    trees_ocim.write_text(small / "train_sub_list.txt", [form.format(client) for client in (3, 5)] + [""], end="\r\n")
    assert read(reader(small)) == before


def test_faulty_lists_are_refused(small):
    train, test = small / "train_sub_list.txt", small / "test_sub_list.txt"
    trees_ocim.write_text(train, ["03"])
    path = small / "scene01" / "attack" / "attack_client005_android_SD_ipad_video_scene01.mp4"
    refused(lambda: read(reader(small)), f"{path}: client 5 is in neither train_sub_list.txt nor test_sub_list.txt")
    trees_ocim.write_text(train, ["03", "05"])
    trees_ocim.write_text(test, ["01", "05"])
    refused(lambda: read(reader(small)), f"{test}, line 2: client 5 is also in train_sub_list.txt")
    trees_ocim.write_text(test, ["1.0"])
    refused(lambda: read(reader(small)), f"{test}, line 1: '1.0' is no client's number")
    test.unlink()
    refused(lambda: read(reader(small)), f"Root '{small}' lacks test_sub_list.txt; expected scene01/real/, scene01/att")


# ---- files


@pytest.mark.parametrize(
    "name",
    [
        "scene01/attack/real_client003_android_SD_scene01.mp4",
        "scene01/real/attack_client003_android_SD_ipad_video_scene01.mp4",
        "scene01/real/real_client03_android_SD_scene01.mp4",
        "scene01/real/real_client003_webcam_SD_scene01.mp4",
        "scene01/attack/attack_client003_android_SD_mask_scene01.mp4",
        "scene02/real/real_client003_android_SD_scene02.mp4",
        "demo.avi",
    ],
)
def test_an_unknown_video_is_refused(small, name):
    path = small / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    refused(lambda: read(reader(small)), f"{path}: unknown name; expected scene01/real/real_client<nnn>_{{android")


def test_two_videos_of_one_presentation_are_refused(small):
    first = small / "scene01" / "real" / f"{LIVE}.mp4"
    first.with_suffix(".mov").touch()
    refused(lambda: read(reader(small)), f"{LIVE} is there twice", first, first.with_suffix(".mov"))


def test_a_wrong_root_is_told_where_the_layout_is(small):
    found = f"It is found in '{small}': set root to that."
    refused(lambda: read(reader(small.parent)), "lacks scene01/real and scene01/attack and train_sub_list.txt", found)
    refused(lambda: read(reader(small / "scene01")), "lacks train_sub_list.txt and test_sub_list.txt; expected", found)
    refused(lambda: read(reader(small / "scene01" / "real")), "lacks scene01/real", found)
    shutil.rmtree(small / "scene01" / "attack")
    refused(lambda: read(reader(small)), f"Root '{small}' lacks scene01/attack; expected")


# ---- faces


def test_faces_lie_beside_the_video(tmp_path):
    root = trees_ocim.write_msu(tmp_path, subjects=FEW)
    records = read(reader(root))
    assert len(records) == 24
    for record in records:
        hints = reader(root).hints(record, WIDTH, HEIGHT)
        assert sorted(hints) == [0, 1, 2, 4, 5], "frame 3 has no row"
        assert {(hint.box, hint.eyes) for hint in hints.values()} == {(trees_ocim.BOX, trees_ocim.EYES)}


def test_faces_may_be_absent_or_faulty(small):
    record = by_id(read(reader(small)))[LIVE]
    assert reader(small).hints(record, WIDTH, HEIGHT) == {}
    file = small / "scene01" / "real" / f"{LIVE}.face"
    rows = ["0,20,30,76,100,0,0,0,0", "1, 20, 30, 76, 100", "2,0,0,0,0,0,0,0,0", "3,76,30,20,100,62,55,34,54"]
    trees_ocim.write_text(file, rows, end="\r\n")
    hints = reader(small).hints(record, WIDTH, HEIGHT)
    assert {frame: (hint.box, hint.eyes) for frame, hint in hints.items()} == {
        0: (trees_ocim.BOX, None),
        1: (trees_ocim.BOX, None),
    }
    trees_ocim.write_text(file, [*rows, "4,20,30,76,100,62,55"])
    refused(lambda: reader(small).hints(record, WIDTH, HEIGHT), f"{file}, line 5", "4 or 8 coordinates")


# ---- rotation


def test_only_named_videos_are_turned(small, tmp_path):
    file = tmp_path / "turned.txt"
    trees_ocim.write_text(file, [f"real/{LIVE}", "", "scene01\\real\\real_client005_android_SD_scene01.mp4"], "\r\n")
    turned = {record.id for record in read(reader(small, file)) if record.rotation == 180}
    assert turned == {LIVE, "real_client005_android_SD_scene01"}
    assert {record.rotation for record in read(reader(small, file)) if record.id not in turned} == {0}
    trees_ocim.write_text(file, [LIVE, "real_client009_android_SD_scene01"])
    refused(lambda: read(reader(small, file)), f"{file}, line 2", "'real_client009_android_SD_scene01' is no video")
    refused(lambda: read(reader(small, tmp_path / "nothing.txt")), "nothing.txt: cannot be read")


def test_faces_of_stored_frames_turn_with_the_video(small, tmp_path):
    turned = tmp_path / "turned.txt"
    trees_ocim.write_text(turned, [LIVE])
    record = by_id(read(reader(small, turned)))[LIVE]
    file = small / "scene01" / "real" / f"{LIVE}.face"
    # Frame 0 as a detector sees the stored picture, frame 1 as one sees the turned picture.
    stored = (WIDTH - 76, HEIGHT - 100, WIDTH - 20, HEIGHT - 30, WIDTH - 34, HEIGHT - 54, WIDTH - 62, HEIGHT - 55)
    upright = (20, 30, 76, 100, 62, 55, 34, 54)
    trees_ocim.write_text(file, [f"0,{','.join(map(str, stored))}", f"1,{','.join(map(str, upright))}"])
    hints = reader(small, turned).hints(record, WIDTH, HEIGHT)
    assert [(hints[frame].box, hints[frame].eyes) for frame in (0, 1)] == 2 * [(trees_ocim.BOX, trees_ocim.EYES)]
    plain = reader(small).hints(dataclasses.replace(record, rotation=0), WIDTH, HEIGHT)
    assert plain[0].box == (20, 28, 56, 70), "a video that is not turned keeps its rows"
