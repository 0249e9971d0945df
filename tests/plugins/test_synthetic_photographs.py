"""Dataset `photographs`: honest splits, pairs in which only the presentation differs, live faces as they are."""

from __future__ import annotations

import os
import pickle
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from padkit.data.batches import Frames
from padkit.data.pairs import PairedBatches, training_batches
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import leave_one_out
from padkit.errors import DataError, SettingsError
from padkit_synthetic import presentations
from padkit_synthetic.camera import capture
from padkit_synthetic.imaging import generator
from padkit_synthetic.photographs.captures import UNTOUCHED
from padkit_synthetic.photographs.reader import PhotographsReader
from padkit_synthetic.photographs.scene import FRAMING
from padkit_synthetic.world import DOMAINS

SETTINGS = "phone+webcam"


def portraits(root: Path, people: int = 5, images: int = 2) -> Path:
    """Smooth patches of colour, <person>/<image>."""
    for person in range(people):
        for number in range(images):
            path = root / f"p{person}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = generator(person, number).integers(40, 220, (6, 6, 3), np.uint8)
            Image.fromarray(pixels).resize((90, 90), Image.Resampling.BICUBIC).save(path)
    return root


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return portraits(tmp_path_factory.mktemp("faces"))


def reader(root: Path, **settings: object) -> PhotographsReader:
    return PhotographsReader(root=str(root), **{"finder": "none", "image_size": 64, "settings": SETTINGS, **settings})


def frame(source: PhotographsReader, record: object) -> np.ndarray:
    return next(iter(source.frames(record)))


def test_every_capture_has_its_attacks_beside_it(faces):
    groups = defaultdict(list)
    for one in reader(faces).records():
        groups[one.domain, one.subject, one.session, one.device].append((one.label, one.attack_type))
    cameras = {key: found for key, found in groups.items() if key[3] != UNTOUCHED}
    assert len(cameras) == 5 * 2 * 2
    assert all(found == [(1, ""), (0, "print"), (0, "replay")] for found in cameras.values())
    assert all(found == [(1, "")] for key, found in groups.items() if key[3] == UNTOUCHED)


def test_instruments_take_turns(faces):
    species = {one.species for one in reader(faces, world=3).records() if one.label == 0}
    wanted = {"photo-glossy", "phone-oled", "monitor-va", "laser-recycled", "laptop-tn"}
    assert wanted <= species <= {*wanted, "photo-lab-cut"}
    families = Counter(one.species for one in reader(faces, variants=3).records() if one.attack_type == "print")
    assert families.keys() == {"laser", "inkjet", "photo-lab"}
    assert min(families.values()) > 0.5 * max(families.values())


def test_families_that_are_left_out_are_only_tested_on(faces):
    found = defaultdict(set)
    source = reader(faces, without="inkjet+phone", variants=3)
    for one in source.records():
        found[one.split].add(one.species)
    whole = {one.species for one in reader(faces, variants=3).records()}
    assert found["train"] == whole - {"inkjet", "phone"}
    assert not found["dev"] & {"inkjet", "phone"}
    assert found["test"] >= {"inkjet", "phone"}
    assert "without inkjet and phone: only the test split has these families" in source.notes()[-1]
    with pytest.raises(SettingsError, match="no effect in world 3"):
        reader(faces, world=3, without="laser")
    with pytest.raises(SettingsError, match="leaves no replay"):
        reader(faces, without="phone+tablet+laptop+monitor")


@pytest.mark.parametrize("cameras", ["all", "one"])
def test_nobody_is_in_two_splits_and_with_one_camera_in_two_domains(tmp_path, cameras):
    records = list(reader(portraits(tmp_path, 7, 1), cameras=cameras).records())
    splits, domains = defaultdict(set), defaultdict(set)
    for one in records:
        splits[one.subject].add(one.split)
        domains[one.subject].add(one.domain)
    assert len(splits) == 7
    assert all(len(found) == 1 for found in splits.values())
    assert {one.split for one in records} == {"train", "dev", "test"}
    assert {len(found) for found in domains.values()} == ({2} if cameras == "all" else {1})


def test_only_training_photographs_are_untouched_and_each_once(faces):
    records = list(reader(faces).records())
    untouched = [one for one in records if one.device == UNTOUCHED]
    trained = {(one.subject, one.session) for one in records if one.split == "train"}
    assert {one.split for one in untouched} == {"train"}
    assert sorted((one.subject, one.session) for one in untouched) == sorted(trained)
    assert len({one.domain for one in untouched}) == 2
    assert not [one for one in reader(faces, untouched=0.0).records() if one.device == UNTOUCHED]


def test_an_untouched_photograph_is_the_photograph(faces):
    source = reader(faces)
    one = next(one for one in source.records() if one.device == UNTOUCHED)
    photograph = Image.open(faces / one.subject / f"{one.session[0]}.png")
    edge = 90 * (1 - FRAMING) / 2
    wanted = photograph.resize((64, 64), Image.Resampling.BICUBIC, box=(edge, edge, 90 - edge, 90 - edge))
    assert np.abs(np.asarray(wanted, int) - frame(source, one)).max() <= 2


def test_within_a_pair_only_the_presentation_differs(faces, monkeypatch):
    seen = []

    def watched(scene, side, camera, size, rng):
        seen.append((camera.name, side, rng.bit_generator.state["state"]["state"]))
        return capture(scene, side, camera, size, rng)

    monkeypatch.setattr(presentations, "capture", watched)
    source = reader(faces, image_size=64)
    group = [one for one in source.records() if one.domain == "webcam" and one.split == "test"][:3]
    live, first, second = (frame(source, one) for one in group)
    alone = frame(reader(faces, image_size=64), group[2])
    assert (alone == second).all(), "whichever was made before"
    del seen[4:]
    shot, source_shot, printed, played = seen
    assert printed == played == shot, "the same camera, sensor and session"
    assert source_shot[0].startswith("source-"), "and one first capture that both show"
    assert (live != first).any()
    assert (first != second).any()


def test_variants_are_more_captures_of_training_photographs_alone(faces):
    once, thrice = (Counter(one.split for one in reader(faces, variants=n).records()) for n in (1, 3))
    assert (once["dev"], once["test"]) == (thrice["dev"], thrice["test"])
    untouched = sum(one.device == UNTOUCHED for one in reader(faces).records())
    assert thrice["train"] - untouched == 3 * (once["train"] - untouched)
    source = reader(faces, variants=2)
    drawn = [
        one for one in source.records() if (one.split, one.domain, one.device) == ("train", "webcam", "webcam-usb")
    ]
    first, again = (next(one for one in drawn if one.session == f"0.{variant}" and one.label) for variant in (0, 1))
    assert (frame(source, first) != frame(source, again)).any()


def test_another_seed_and_another_photograph_make_another_table(faces, tmp_path):
    source = reader(faces)
    assert source.fingerprint() == reader(faces).fingerprint() != reader(faces, seed=1).fingerprint()
    assert "before simulated world 4, " in source.fingerprint()
    assert source.fingerprint().replace("world 4", "world 3") == reader(faces, world=3).fingerprint()
    root = portraits(tmp_path)
    before = reader(root).fingerprint()
    os.utime(root / "p0" / "0.png", (1, 1))
    assert reader(root).fingerprint() != before
    one = next(iter(source.records()))
    assert (frame(source, one) == frame(pickle.loads(pickle.dumps(source)), one)).all()
    with pytest.raises(DataError, match="is not among those of"):
        frame(reader(faces, settings="webcam"), next(one for one in source.records() if one.domain == "phone"))


def test_the_encoder_of_world_4_is_told_and_no_part_of_the_fingerprint(faces):
    told = reader(faces).made_with()
    assert told["H.264"].startswith("libx264")
    assert told["H.264"] not in reader(faces).fingerprint()
    assert not reader(faces, video=False).made_with()
    assert not reader(faces, world=3).made_with()


def test_too_few_people_are_told_with_the_remedy(tmp_path):
    root = portraits(tmp_path, 5, 1)
    with pytest.raises(DataError, match=r"5 subjects .* of 2 capture settings: have 6, .* set cameras to all"):
        list(reader(root, cameras="one").records())
    with pytest.raises(DataError, match="at least 3 people"):
        list(reader(portraits(tmp_path / "two", 2, 1)).records())
    with pytest.raises(DataError, match=r"gone does not exist; give --data.root"):
        list(reader(root / "gone").records())
    with pytest.raises(SettingsError, match=r"--data.subject_pattern has no effect"):
        list(reader(root, subject_pattern="^(.)").records())
    with pytest.raises(SettingsError, match="capture setting 'kitchen' is unknown"):
        reader(root, settings="kitchen")


def test_photographs_that_cannot_be_used_are_skipped_and_counted_and_the_table_says_what_is_real(tmp_path):
    root = portraits(tmp_path / "faces", 4, 1)
    (root / "p1" / "0.png").write_bytes(b"no image")
    (root / "p1" / "note.txt").write_text("x")
    table = prepare(reader(root), dataset_name="photographs", cache_dir=tmp_path, progress=False, workers=1)
    about = table.preparation
    assert (about["simulated"], about["real_faces"]) == (True, True)
    assert {entry["presentation"].split("_")[1] for entry in about["skipped"]} == {"p1"}
    assert [entry["reason"] for entry in about["unread"]] == ["no photographs"]
    assert about["notes"][0].startswith("real live photographs, simulated attacks: 4 photographs of 4 subjects")


def test_other_people_before_another_camera_and_pairs_in_training(faces, tmp_path):
    source = reader(faces, image_size=64)
    assert source.default_target == "webcam"
    assert reader(faces, settings="phone").default_target == ""
    table = prepare(source, dataset_name="photographs", cache_dir=tmp_path, progress=False, workers=1)
    protocol = leave_one_out(table, "webcam")
    people = [set(table.column("subject")[rows]) for rows in (protocol.train, protocol.dev, protocol.test)]
    assert not people[0] & people[2]
    assert not people[0] & people[1]
    with pytest.raises(DataError, match="more than one part"):
        leave_one_out(table, "webcam", convention="all")
    frames = Frames(table, protocol.train, protocol.domain_index)
    batches = training_batches("pairs", frames, batch_size=4, parts=1, seed=0, numbered=False)
    assert isinstance(batches, PairedBatches)
    attacks = int((frames.labels == 0).sum())
    assert batches.line.startswith(f"pairs: {attacks} of {attacks} attack frames")


def test_whole_cameras_are_left_out_where_each_person_is_before_one(faces, tmp_path):
    source = reader(portraits(tmp_path / "faces", 9, 1), cameras="one", image_size=64)
    table = prepare(source, dataset_name="photographs", cache_dir=tmp_path, progress=False, workers=1)
    protocol = leave_one_out(table, "webcam", convention="all")
    assert set(table.column("subject")[protocol.train]).isdisjoint(table.column("subject")[protocol.test])


def test_a_margin_around_no_face_is_refused(faces):
    with pytest.raises(SettingsError, match=r"--data.face_margin 0 has no effect with --data.finder none.*; leave"):
        reader(faces, face_margin=0.0)
    assert reader(faces, face_margin=0.15).fingerprint() == reader(faces).fingerprint(), "as settings.yaml repeats it"
    assert "lbp, margin 0," in reader(faces, finder="lbp", face_margin=0.0).fingerprint()


def test_simulated_portraits_are_not_called_real(faces):
    real, drawn = reader(faces), reader(faces, simulated_faces=True)
    assert (real.real_faces, drawn.real_faces) == (True, False)
    assert real.notes()[0].startswith("real live photographs, simulated attacks: 10 photographs")
    assert drawn.notes()[0].startswith("simulated data: 10 photographs")
    assert drawn.fingerprint() == f"simulated {real.fingerprint()}", "a table says one or the other"
    assert list(drawn.records()) == list(real.records())


def test_the_default_settings_are_those_that_have_prints_and_replays(faces):
    found = {one.domain for one in reader(faces, settings="all").records()}
    assert found == {domain.name for domain in DOMAINS} - {"unknown"}


def test_room_shows_more_around_the_same_faces(tmp_path, monkeypatch):
    monkeypatch.setattr("padkit_synthetic.photographs.faces.boxes_with_room", lambda _: [(30, 34, 32, 32)])
    root = portraits(tmp_path / "faces", people=3, images=1)
    usual, roomy = (reader(root, finder="lbp", room=room) for room in (0.0, 0.25))
    assert roomy.fingerprint() == usual.fingerprint().replace("margin 0.15", "margin 0.15, room 0.25")
    before, after = (list(one.records()) for one in (usual, roomy))
    assert before == after
    place = next(at for at, one in enumerate(before) if one.device == UNTOUCHED)
    small, wide = frame(usual, before[place]), frame(roomy, after[place])
    assert (small.shape, wide.shape) == ((64, 64, 3), (96, 96, 3))
    assert np.abs(wide[16:-16, 16:-16].astype(int) - small).mean() < 3
    assert frame(roomy, after[place + 1]).shape == (96, 96, 3)


def test_crops_of_photographs_move_in_their_room(tmp_path):
    root = portraits(tmp_path / "faces", people=3, images=1)
    table = prepare(
        reader(root, room=0.125), dataset_name="photographs", cache_dir=tmp_path / "cache", workers=1, progress=False
    )
    assert (table.room, table.image(0).shape, table.surroundings(0).shape) == (0.125, (3, 64, 64), (80, 80, 3))
