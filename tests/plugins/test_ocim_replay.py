"""Replay-Attack: counts, names, archives' folders, and boxes in `face-locations`."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import trees_ocim
from native_checks import by_id, counts, read, refused, subjects

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit_ocim.replay import ReplayAttackReader

FEW = (1, 16, 31)
LIVE = "devel/real/client016_session01_webcam_authenticate_adverse_1"


@pytest.fixture
def small(tmp_path):
    return trees_ocim.write_replay(tmp_path / "replay", videos=False, subjects=FEW)


def reader(root) -> ReplayAttackReader:
    return ReplayAttackReader(root=str(root))


def test_the_whole_dataset_has_the_published_counts(tmp_path):
    records = read(reader(trees_ocim.write_replay(tmp_path, videos=False)))
    assert len(records) == 1200
    assert counts(records) == ReplayAttackReader.expected
    assert sum(record.label == BONA_FIDE for record in records) == 200
    assert sum(record.label == ATTACK for record in records) == 1000
    assert subjects(records) == {"train": 15, "dev": 15, "test": 20}
    assert len({record.species for record in records if record.label == ATTACK}) == 5
    division = reader(tmp_path).protocols()["official"]
    assert (len(division.train), len(division.dev), len(division.test)) == (360, 360, 480)
    assert set(division.dev) == {record.id for record in records if record.split == "dev"}


@pytest.mark.parametrize(
    ("key", "split", "client", "attack_type", "species", "light"),
    [
        ("devel/real/client016_session01_webcam_authenticate_adverse_2", "dev", "016", "", "", "adverse"),
        (
            "train/attack/fixed/attack_print_client001_session01_highdef_photo_controlled",
            *("train", "001", "print", "print_photo", "controlled"),
        ),
        (
            "test/attack/hand/attack_mobile_client031_session01_mobile_video_adverse",
            *("test", "031", "replay", "mobile_video", "adverse"),
        ),
        (
            "test/attack/fixed/attack_highdef_client031_session01_highdef_photo_adverse",
            *("test", "031", "replay", "highdef_photo", "adverse"),
        ),
    ],
)
def test_a_name_tells_everything(small, key, split, client, attack_type, species, light):
    record = by_id(read(reader(small)))[key]
    assert (record.dataset, record.domain, record.split) == ("replay-attack", "I", split)
    assert record.label == (ATTACK if species else BONA_FIDE)
    assert (record.attack_type, record.species, record.session, record.device) == (
        *(attack_type, species, light),
        "webcam",
    )
    assert record.subject == f"replay-attack/client{client}"
    assert record.path == str(small / f"{key}.mov")


@pytest.mark.parametrize("places", ["replayattack-{0}", "replayattack-{0}/{0}", "replayattack-{0}.tar.gz/{0}"])
def test_folders_of_archives_make_no_difference(small, places):
    before = [dataclasses.replace(record, path="") for record in read(reader(small))]
    for split in ("train", "devel", "test"):
        place = small / places.format(split)
        place.parent.mkdir(exist_ok=True)
        (small / split).rename(place)
    (small / "enroll").rename(small / "replayattack-enroll")
    after = read(reader(small))
    assert [dataclasses.replace(record, path="") for record in after] == before
    assert after[0].path.startswith(str(small / "replayattack-devel"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("train/real/client001_session01_webcam_enroll_adverse_1.mov", "unknown name"),
        ("train/attack/attack_print_client001_session01_highdef_photo_adverse.mov", "unknown name"),
        ("train/attack/hand/client001_session01_webcam_authenticate_adverse_1.mov", "unknown name"),
        ("train/real/attack_print_client001_session01_highdef_photo_adverse.mov", "unknown name"),
        ("train/attack/hand/attack_mask_client001_session01_highdef_photo_adverse.mov", "unknown name"),
        ("extra.mp4", "unknown name"),
        ("real/client001_session01_webcam_authenticate_adverse_1.mov", "in no split's folder"),
        (
            "replayattack-train/devel/real/client001_session01_webcam_authenticate_adverse_1.mov",
            "in the folders of devel and train",
        ),
    ],
)
def test_an_unknown_video_is_refused(small, name, reason):
    path = small / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    refused(lambda: read(reader(small)), f"{path}: {reason}; expected {{train,devel,test}}/real/client")


@pytest.mark.parametrize("second", [f"{LIVE}.mp4", f"replayattack-{LIVE}.mov"])
def test_two_videos_of_one_presentation_are_refused(small, second):
    path = small / second
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    refused(lambda: read(reader(small)), f"{LIVE} is there twice", small / f"{LIVE}.mov", path)


def test_a_wrong_root_is_told_where_the_layout_is(small):
    found = f"It is found in '{small}': set root to that."
    for root in (small.parent, small / "test", small / "test" / "real"):
        refused(lambda root=root: read(reader(root)), "lacks train and devel and test; expected train/, devel/", found)
    shutil.rmtree(small / "devel")
    refused(lambda: read(reader(small)), f"Root '{small}' lacks devel; expected train/, devel/ and test/")
    (small / "replayattack-devel.tar.gz").touch()
    refused(lambda: read(reader(small)), "lacks devel")
    (small / "devel").mkdir()
    refused(lambda: read(reader(small)), f"Root '{small}' holds no dev videos; expected train/")


@pytest.mark.parametrize(
    "place",
    [
        "replay/face-locations",
        "face-locations",
        "replayattack-face-locations-v2",
        "replay/replayattack-face-locations/{0}",
        "replay/face-locations/replayattack-{0}",
        "replay/face-locations/replayattack-{0}/{0}",
    ],
)
def test_boxes_lie_in_face_locations(tmp_path, place):
    root = trees_ocim.write_replay(tmp_path / "replay", subjects=FEW, prefix="replayattack-")
    for split in ("train", "devel", "test"):
        moved = tmp_path / place.format(split)
        moved = moved if "{0}" in place else moved / split
        shutil.move(root / "face-locations" / split, tmp_path / "aside" / split)
        moved.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "aside" / split).rename(moved)
    if place != "replay/face-locations" and not place.startswith("replay/face-locations/"):
        (root / "face-locations").rmdir()
    (root / "face-locations.tar.gz").touch()
    records = read(reader(root))
    assert len(records) == 3 * 24
    for record in records:
        hints = reader(root).hints(record, 96, 128)
        assert sorted(hints) == [0, 1, 3, 4, 5], "frame 2 has an empty box"
        assert {(hint.box, hint.eyes) for hint in hints.values()} == {(trees_ocim.BOX, None)}


def test_boxes_may_be_absent_or_faulty(small):
    record = by_id(read(reader(small)))[LIVE]
    assert reader(small).hints(record, 96, 128) == {}
    file = small / "face-locations" / f"{LIVE}.face"
    trees_ocim.write_text(file, ["0 20 30 56 70", "", "1 20 30 0 70"], end="\r\n")
    assert {frame: hint.box for frame, hint in reader(small).hints(record, 96, 128).items()} == {0: (20, 30, 56, 70)}
    trees_ocim.write_text(file, ["0 20 30 56 70", "1 20 30 56"])
    refused(lambda: reader(small).hints(record, 96, 128), f"{file}, line 2: '1 20 30 56' is not")
