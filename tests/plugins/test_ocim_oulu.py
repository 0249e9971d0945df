"""OULU-NPU: counts, every fold of every protocol, and what a copy of it may look like."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import trees_ocim
from native_checks import by_id, counts, read, refused, subjects

from padkit.data.media.formats import VIDEO_SUFFIXES
from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit_ocim import padkit_datasets
from padkit_ocim.oulu import OuluNpuReader
from padkit_ocim.oulu_protocols import PROTOCOLS, read_name

# Live and attack videos of train, dev and test (Boulkenafet et al., FG 2017).
TABLE = {
    "1": ((240, 960), (180, 720), (120, 480)),
    "2": ((360, 720), (270, 540), (360, 720)),
    "3": ((300, 1200), (225, 900), (60, 240)),
    "4": ((200, 400), (150, 300), (20, 40)),
}
FEW = (1, 21, 36)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trees_ocim.write_oulu(tmp_path_factory.mktemp("oulu"), videos=False)


@pytest.fixture
def small(tmp_path):
    return trees_ocim.write_oulu(tmp_path / "oulu", videos=False, subjects=FEW)


def reader(root, **settings) -> OuluNpuReader:
    return OuluNpuReader(root=str(root), **settings)


def only(root, pattern):
    found = sorted(root.rglob(pattern))
    assert len(found) == 1
    return found[0]


# ---- the plugin


def test_the_hook_names_four_datasets_that_can_be_built(tmp_path):
    specs = padkit_datasets()
    assert [spec.name for spec in specs] == ["oulu-npu", "casia-fasd", "replay-attack", "msu-mfsd"]
    for spec in specs:
        module, _, name = spec.factory.partition(":")
        built = getattr(__import__(module, fromlist=[name]), name)(root=str(tmp_path), image_size=64)
        assert (built.root, built.image_size) == (str(tmp_path), 64)
        assert built.layout
        assert built.expected


def test_neither_torch_nor_a_decoder_is_imported():
    modules = "padkit_ocim.oulu, padkit_ocim.casia, padkit_ocim.replay, padkit_ocim.msu"
    code = f"import sys, {modules}; sys.exit(bool({{'torch', 'av', 'cv2'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = "import sys, padkit_ocim; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- records


def test_the_whole_dataset_has_the_published_counts(whole):
    records = read(reader(whole))
    assert len(records) == 4950
    assert counts(records) == OuluNpuReader.expected
    assert sum(record.label == BONA_FIDE for record in records) == 990
    assert sum(record.label == ATTACK for record in records) == 3960
    assert subjects(records) == {"train": 20, "dev": 15, "test": 20}
    assert len({record.species for record in records if record.label == ATTACK}) == 4
    assert len({record.device for record in records}) == 6
    assert len({record.session for record in records}) == 3


@pytest.mark.parametrize(
    ("key", "label", "split", "attack_type", "species"),
    [
        ("3_2_01_1", BONA_FIDE, "train", "", ""),
        ("3_2_21_2", ATTACK, "dev", "print", "printer1"),
        ("3_2_36_3", ATTACK, "test", "print", "printer2"),
        ("3_2_01_4", ATTACK, "train", "replay", "display1"),
        ("3_2_21_5", ATTACK, "dev", "replay", "display2"),
    ],
)
def test_a_name_tells_everything(small, key, label, split, attack_type, species):
    record = by_id(read(reader(small)))[key]
    assert (record.dataset, record.domain, record.label, record.split) == ("oulu-npu", "O", label, split)
    assert (record.attack_type, record.species) == (attack_type, species)
    assert (record.device, record.session, record.subject) == ("phone3", "session2", f"oulu-npu/user{key[4:6]}")
    assert record.path == str(only(small, f"{key}.avi"))


def test_other_folders_make_no_difference(small, tmp_path):
    before = [dataclasses.replace(record, path="") for record in read(reader(small))]
    other = tmp_path / "copy" / "videos"
    for path in small.rglob("[1-6]_*.avi"):
        place = other / ("live" if path.stem.endswith("_1") else "spoof") / f"P{path.stem[0]}"
        place.mkdir(parents=True, exist_ok=True)
        path.rename(place / f"{path.stem}.MP4")
    assert ".mp4" in VIDEO_SUFFIXES
    assert [dataclasses.replace(record, path="") for record in read(reader(tmp_path / "copy"))] == before


def test_names_of_the_first_release_are_read(small):
    before = [dataclasses.replace(record, path="") for record in read(reader(small))]
    for path in (small / "Test_files").glob("*.avi"):
        phone, session, user, content = path.stem.split("_")
        path.rename(path.with_stem(f"{int(phone + content + session + user):05X}"))
    assert (small / "Test_files" / "05358.avi").exists(), "2_3_36_1 as the competition called it"
    assert [dataclasses.replace(record, path="") for record in read(reader(small))] == before


@pytest.mark.parametrize(
    "name", ["7_1_01_1", "1_4_01_1", "1_1_00_1", "1_1_56_1", "1_1_01_6", "1_1_1_1", "1_1_01_1_copy", "11111", "FFFFF"]
)
def test_an_unknown_video_is_refused(small, name):
    (small / "Train_files" / f"{name}.avi").touch()
    refused(lambda: read(reader(small)), small / "Train_files" / f"{name}.avi: unknown", "; expected", "P_S_UU_F.avi")


def test_a_video_in_the_folder_of_another_split_is_refused(small):
    path = small / "Dev_files" / "1_1_01_1.avi"
    (small / "Train_files" / "1_1_01_1.avi").rename(path)
    refused(lambda: read(reader(small)), path, "user 01 belongs to train, not to dev")


def test_two_videos_of_one_name_are_refused(small):
    first, second = (folder / "Train_files" / "1_1_01_1.avi" for folder in (small, small / "backup"))
    for part in ("Train", "Dev", "Test"):
        (small / "backup" / f"{part}_files").mkdir(parents=True)
    second.touch()
    text = refused(lambda: read(reader(small)), f"1_1_01_1 is there twice: {first} and {second}; remove one of them.")
    assert "It is found" not in text, "the root is right, though a copy lies below it"


def test_a_wrong_root_is_told_where_the_layout_is(small, tmp_path):
    found = f"It is found in '{small}': set root to that."
    refused(lambda: read(reader(small / "Train_files")), "holds no dev and no test videos", "Train_files/, ", found)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.avi").touch()
    refused(lambda: read(reader(tmp_path)), tmp_path / "other" / "1.avi", "unknown name", found)
    for path in (small / "Dev_files").iterdir():
        path.unlink()
    assert "It is found" not in refused(lambda: read(reader(small)), "holds no dev videos; expected Train_files/, ")
    refused(lambda: read(reader(tmp_path / "nothing")), "is not a folder", "Train_files/")
    refused(lambda: read(reader("")), "is not a folder")


# ---- hints


def test_eyes_lie_beside_the_video(tmp_path):
    root = trees_ocim.write_oulu(tmp_path, subjects=FEW)
    record = by_id(read(reader(root)))["1_1_01_1"]
    hints = reader(root).hints(record, 96, 128)
    assert sorted(hints) == list(range(trees_ocim.FRAMES))
    assert {(hint.box, hint.eyes) for hint in hints.values()} == {(None, trees_ocim.EYES)}

    file = only(root, "1_1_01_1.txt")
    file.write_text("0, 62, 55, 34, 54\n\n2 34 54 62 55\n3,0,0,0,0\n4,nan,1,2,3\n")
    hints = reader(root).hints(record, 96, 128)
    assert sorted(hints) == [0, 2]
    assert hints[0].eyes == trees_ocim.EYES, "the eye further left in the image is not first"
    file.write_text("")
    assert reader(root).hints(record, 96, 128) == {}
    file.unlink()
    assert reader(root).hints(record, 96, 128) == {}


@pytest.mark.parametrize("row", ["1,2,3,4", "1,2,3,4,5,6", "one,2,3,4,5", "0.5,2,3,4,5", "-1,2,3,4,5", "nan,2,3,4,5"])
def test_a_malformed_row_is_refused(small, row):
    record = by_id(read(reader(small)))["1_1_01_1"]
    file = small / "Train_files" / "1_1_01_1.txt"
    trees_ocim.write_text(file, ["0,34,54,62,55", row])
    refused(lambda: reader(small).hints(record, 96, 128), f"{file}, line 2", repr(row))


# ---- protocols


def sizes(ids) -> tuple[int, int]:
    live = sum(key.endswith("_1") for key in ids)
    return live, len(ids) - live


@pytest.mark.parametrize("lists", ["files", "names"])
def test_every_fold_has_the_published_counts(whole, lists):
    divisions = reader(whole, lists=lists).protocols()
    names = ["1", "2", *(f"3.{fold}" for fold in range(1, 7)), *(f"4.{fold}" for fold in range(1, 7))]
    assert list(divisions) == names
    for name in names:
        division = divisions[name]
        assert tuple(map(sizes, (division.train, division.dev, division.test))) == TABLE[name[0]], name
        everything = division.train + division.dev + division.test
        assert len(set(everything)) == len(everything)


def test_lists_and_names_agree(whole):
    lists, names = (reader(whole, lists=source).protocols() for source in ("files", "names"))
    for protocol in PROTOCOLS:
        listed, named = lists[protocol], names[protocol]
        for part in ("train", "dev", "test"):
            assert set(getattr(listed, part)) == set(getattr(named, part)), (protocol, part)


@pytest.mark.parametrize(
    ("protocol", "first"),
    [
        (
            "3.2",
            "05290 05678 05A60 05E48 06230 052F4 056DC 05AC4 05EAC 06294 05358 05740 05B28 05F10 062F8",
        ),
        ("4.2", "05358 05B28 062F8"),
        ("4.5", "0C888 0D058 0D828"),
        ("4.6", "0EF98 0F768 0FF38"),
    ],
)
def test_the_test_folds_are_those_of_the_competition(whole, protocol, first):
    # Each starts a run of 20 users in the lists of bob.db.oulunpu.
    hidden = {f"{int(code, 16) + user:05X}" for code in first.split() for user in range(20)}
    assert {read_name(code).id for code in hidden} == set(reader(whole, lists="names").protocols()[protocol].test)


def test_what_a_protocol_holds_back(whole):
    divisions = dict(reader(whole, lists="names").protocols())
    records = by_id(list(reader(whole).records()))

    def values(ids, field) -> set[str]:
        return {getattr(records[key], field) for key in ids}

    assert values(divisions["1"].train, "session") == {"session1", "session2"}
    assert values(divisions["1"].test, "session") == {"session3"}
    assert values(divisions["2"].dev, "species") == {"", "printer1", "display1"}
    assert values(divisions["2"].test, "species") == {"", "printer2", "display2"}
    assert values(divisions["3.4"].dev, "device") == {f"phone{number}" for number in (1, 2, 3, 5, 6)}
    assert values(divisions["3.4"].test, "device") == {"phone4"}
    for protocol in PROTOCOLS:
        for part in ("train", "dev", "test"):
            assert values(getattr(divisions[protocol], part), "split") == {part}


def test_missing_lists_matter_when_asked_for(small):
    (small / "Protocols" / "Protocol_3" / "Dev_2.txt").unlink()
    divisions = reader(small).protocols()
    assert sizes(divisions["3.1"].train) == (15, 60)
    refused(lambda: divisions["3.2"], "Protocol 3.2 lacks Dev_2.txt in", small / "Protocols" / "Protocol_3")
    for part in ("Train", "Test"):
        (small / "Protocols" / "Protocol_3" / f"{part}_2.txt").unlink()
    assert divisions["3.2"] == reader(small, lists="names").protocols()["3.2"]
    refused(lambda: reader(small, lists="files").protocols()["3.2"], "lacks Train_2.txt and Dev_2.txt and Test_2.txt")
    with pytest.raises(KeyError):
        divisions["5"]


def test_without_any_lists_names_divide_unless_lists_are_wanted(tmp_path):
    root = trees_ocim.write_oulu(tmp_path, videos=False, subjects=FEW, lists=False)
    assert reader(root).protocols()["1"] == reader(root, lists="names").protocols()["1"]
    wanted = reader(root, lists="files").protocols()
    refused(lambda: wanted["1"], "Protocol 1 lacks Train.txt", "folder Protocol_1 below the root", "set lists to names")


def test_lists_may_come_from_windows_and_lie_deeper(small):
    before = reader(small).protocols()["1"]
    folder = small / "Protocols" / "Protocol_1"
    lines = [line.replace(",", ",Train_files\\") + ".avi" for line in (folder / "Train.txt").read_text().splitlines()]
    trees_ocim.write_text(folder / "Train.txt", ["\ufeff" + lines[0], *lines[1:], ""], end="\r\n")
    deeper = small / "Protocols" / "Protocols"
    deeper.mkdir()
    folder.rename(deeper / "protocol_1")
    (small / "__MACOSX" / "Protocol_1").mkdir()
    assert reader(small, lists="files").protocols()["1"] == before
    (small / "Protocol_1").mkdir()
    refused(reader(small).protocols, "there twice", deeper / "protocol_1", small / "Protocol_1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("+1,1_1_02_1", "1_1_02_1 has no video"),
        ("-1,1_1_01_1", "contradicts the name"),
        ("+1,1_1_01_2", "contradicts the name"),
        ("+2,1_1_01_1", "not of the form +1,1_1_01_1"),
        ("1_1_01_1", "not of the form +1,1_1_01_1"),
        ("+1,nobody", "not of the form +1,1_1_01_1"),
    ],
)
def test_a_faulty_list_is_refused(small, line, reason):
    file = small / "Protocols" / "Protocol_1" / "Train.txt"
    trees_ocim.write_text(file, ["+1,1_1_01_1", line])
    refused(lambda: reader(small).protocols()["1"], f"{file}, line 2", reason)
    trees_ocim.write_text(file, [])
    refused(lambda: reader(small).protocols()["1"], file, "empty")
