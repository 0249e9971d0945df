"""SiW and SiW-Mv2."""

from __future__ import annotations

from dataclasses import replace

import av
import pytest
from native_checks import counts, refused
from public_checks import read
from trees_public import FRAMES, SIW_MV2, text, video, write_siw, write_siw_mv2

from padkit.data.presentation import FaceHint, Presentation
from padkit_public.siw import SiwReader
from padkit_public.siw_mv2 import TYPES, SiwMv2Reader


@pytest.fixture
def siw(tmp_path):
    return SiwReader(root=str(write_siw(tmp_path)))


def test_siw_records(tmp_path, siw):
    records = {record.id: record for record in read(siw)}
    live = Presentation(
        dataset="siw",
        domain="siw",
        id="Train/live/003/003-2-1-2-2",
        label=1,
        split="train",
        subject="siw/003",
        device="sensor2",
        session="2-light2",
        path=str(tmp_path / "Train/live/003/003-2-1-2-2.mov"),
    )
    assert records[live.id] == live
    replayed = "Train/spoof/003/003-1-3-4-2"
    assert records[replayed] == replace(
        live,
        id=replayed,
        label=0,
        attack_type="replay",
        species="replay4",
        device="sensor1",
        session="2",
        path=str(tmp_path / f"{replayed}.mov"),
    )
    printed = records["Test/spoof/001/001-1-2-1-1"]
    assert (printed.split, printed.subject) == ("test", "siw/001")
    assert (printed.attack_type, printed.species) == ("print", "print1")
    assert counts(list(records.values())) == {("train", 1): 2, ("train", 0): 3, ("test", 1): 1, ("test", 0): 2}
    with av.open(live.path) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


def test_siw_counts_of_the_release_are_consistent():
    # 165 subjects with up to 8 bona fide and 20 attack videos each.
    assert sum(SiwReader.expected.values()) == 4469
    assert SiwReader.expected["train", 1] <= 90 * 8
    assert SiwReader.expected["test", 0] <= 75 * 20


def test_siw_faces(siw):
    with_face, without = list(siw.records())[:2]
    # Line 2 is zeros; line 4 is a box without an area.
    boxes = {0: (10.0, 20.0, 50.0, 70.0), 2: (12.0, 21.0, 50.0, 70.0)}
    assert siw.hints(with_face, 1920, 1080) == {frame: FaceHint(box=box) for frame, box in boxes.items()}
    assert siw.hints(without, 1920, 1080) == {}


@pytest.mark.parametrize(("line", "part"), [("1 2 3", "3 numbers; expected x1 y1 x2 y2"), ("1 2 a 4", "'1 2 a 4'")])
def test_siw_face_errors(tmp_path, siw, line, part):
    path = text(tmp_path / "Train/live/003/003-1-1-1-1.face", "0 0 0 0", line)
    refused(lambda: siw.hints(next(iter(siw.records())), 10, 10), path, "line 2", part)


def test_siw_protocols(siw):
    protocols = siw.protocols()
    assert list(protocols) == ["1", "2.1", "2.2", "2.3", "2.4", "3.1", "3.2"]
    live = ("Train/live/003/003-1-1-1-1", "Train/live/003/003-2-1-2-2")
    tested = ("Test/live/001/001-1-1-1-1",)
    printed, replay1, replay4 = (f"Train/spoof/003/003-1-{name}" for name in ("2-2-1", "3-1-1", "3-4-2"))
    assert protocols["1"].train == (*live, printed, replay1, replay4)
    assert protocols["1"].test == (*tested, "Test/spoof/001/001-1-2-1-1", "Test/spoof/001/001-2-3-4-1")
    assert protocols["2.1"].train == (*live, replay4)
    assert protocols["2.1"].test == tested, "replay1 is not among the test videos"
    assert protocols["2.4"].train == (*live, replay1)
    assert protocols["2.4"].test == (*tested, "Test/spoof/001/001-2-3-4-1")
    assert protocols["3.1"].train == (*live, printed)
    assert protocols["3.1"].test == (*tested, "Test/spoof/001/001-2-3-4-1")
    assert protocols["3.2"].train == (*live, replay1, replay4)
    assert protocols["3.2"].test == (*tested, "Test/spoof/001/001-1-2-1-1")
    assert {division.dev for division in protocols.values()} == {()}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Train/live/003/003_1_1_1_1.mov", ("unknown name", "<subject>-<sensor>-<type 1, 2 or 3>")),
        ("Train/live/003/003-1-4-1-1.mov", ("unknown name",)),
        ("Train/live/003/003-1-2-1-1.mov", ("type 2 contradicts the folder 'live'",)),
        ("Test/spoof/001/001-1-1-1-1.mp4", ("type 1 contradicts the folder 'spoof'",)),
    ],
)
def test_siw_unknown_videos(tmp_path, siw, name, parts):
    refused(lambda: list(siw.records()), video(tmp_path / name), *parts)


def test_siw_twice(tmp_path, siw):
    copy = video(tmp_path / "Train/live/003/003-1-1-1-1.mp4")
    refused(lambda: list(siw.records()), "003-1-1-1-1 is there twice", copy, copy.with_suffix(".mov"))


def test_siw_without_a_kind_or_its_videos(tmp_path, siw):
    (tmp_path / "Test/live").rename(tmp_path / "real")
    refused(lambda: list(siw.records()), tmp_path / "Test", "no folder 'live'")
    (tmp_path / "Test/live").mkdir()
    refused(lambda: list(siw.records()), tmp_path / "Test/live", "none of the dataset's files")


# ---- SiW-Mv2


def test_siw_mv2_records(tmp_path):
    records = {record.id: record for record in read(SiwMv2Reader(root=str(write_siw_mv2(tmp_path))))}
    assert len(records) == sum(map(len, SIW_MV2.values()))
    assert records["Live/Live_2"] == Presentation(
        dataset="siw-mv2",
        domain="siw-mv2",
        id="Live/Live_2",
        label=1,
        split="test",
        path=str(tmp_path / "Live/Live_2.mov"),
    )
    assert records["Spoof/Makeup_Impersonation/Makeup_Im_1"] == Presentation(
        dataset="siw-mv2",
        domain="siw-mv2",
        id="Spoof/Makeup_Impersonation/Makeup_Im_1",
        label=0,
        split="train",
        attack_type="makeup",
        species="Makeup_Impersonation",
        path=str(tmp_path / "Spoof/Makeup_Impersonation/Makeup_Im_1.mov"),
    )
    species = {record.species: record.attack_type for record in records.values() if not record.label}
    assert len(species) == 14
    assert species["Mask_MannequinHead"] == species["Mask_SiliconeMask"] == "mask", "folders Mannequin and Silicone"
    assert {name: kind for name, kind in species.items() if not name.startswith(("Mask_", "Makeup_"))} == {
        "Paper": "print",
        "Replay": "replay",
        **dict.fromkeys(("Partial_Eye", "Partial_FunnyeyeGlasses", "Partial_Mouth", "Partial_PaperGlasses"), "partial"),
    }
    assert records["Live/Live_541"].split == "", "no list names it"
    assert SiwMv2Reader.expected == {("", 1): 785, ("", 0): 915}


def test_siw_mv2_folders_by_the_owners_other_names(tmp_path):
    write_siw_mv2(tmp_path, lists="")
    (tmp_path / "Spoof/Mannequin").rename(tmp_path / "Spoof/Mask_MannequinHead")
    (tmp_path / "Spoof/Silicone").rename(tmp_path / "Spoof/mask_siliconemask")
    (tmp_path / "Live").rename(tmp_path / "live")
    records = read(SiwMv2Reader(root=str(tmp_path)))
    assert {record.species for record in records} == {"", *(kind.name for kind in TYPES)}
    assert counts(records) == {
        ("train", 1): 1,
        ("train", 0): 3,
        ("test", 1): 1,
        ("test", 0): 3,
        ("", 1): 1,
        ("", 0): 11,
    }


def test_siw_mv2_protocols(tmp_path):
    protocols = SiwMv2Reader(root=str(write_siw_mv2(tmp_path))).protocols()
    assert list(protocols) == ["1", *(f"2.{kind.name}" for kind in TYPES)]
    paper, half = "Spoof/Paper/Paper_", "Spoof/Mask_HalfMask/Mask_Half_"
    makeup = "Spoof/Makeup_Impersonation/Makeup_Im_1"
    assert set(protocols["1"].train) == {"Live/Live_1", f"{paper}4", f"{half}2", makeup}
    assert len(protocols["1"].train) == 4, "each once, though the list repeats them"
    assert set(protocols["1"].test) == {"Live/Live_2", f"{paper}1", f"{half}1", "Spoof/Replay/Replay_9"}
    assert set(protocols["2.Paper"].train) == {"Live/Live_1", f"{half}2", makeup}
    assert protocols["2.Paper"].test == ("Live/Live_2", f"{paper}1", f"{paper}4")
    assert protocols["2.Replay"].test == ("Live/Live_2", "Spoof/Replay/Replay_12", "Spoof/Replay/Replay_9")


def test_siw_mv2_without_lists(tmp_path):
    reader = SiwMv2Reader(root=str(write_siw_mv2(tmp_path, lists=None)))
    assert {record.split for record in read(reader)} == {""}
    assert reader.protocols() == {}


def test_siw_mv2_errors(tmp_path):
    reader = SiwMv2Reader(root=str(write_siw_mv2(tmp_path)))

    def records():
        return list(reader.records())

    lists = tmp_path / "pro_3_text"
    (lists / "testlist_all.txt").rename(lists / "old")
    refused(records, lists / "testlist_all.txt", "cannot be read")
    text(lists / "testlist_all.txt", "Paper_1", "Paper_4")
    refused(records, lists / "testlist_all.txt", "line 2", "Paper_4 is in a train list")
    text(lists / "testlist_all.txt", "Paper_1")
    odd = video(tmp_path / "Spoof/Paper/Paper-1.mov")
    refused(records, odd, "unknown name", "Paper_<n>.mov")
    odd.rename(tmp_path / "Spoof/Paper/Replay_99.mov")
    refused(records, "Replay_99.mov", "expected Paper_<n>.mov")
    (tmp_path / "Spoof/Paper").rename(tmp_path / "Spoof/Papers")
    refused(records, tmp_path / "Spoof/Papers", "unknown spoof type", "Did you mean 'Paper'?")
