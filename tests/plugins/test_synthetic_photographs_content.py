"""Pictures without faces in dataset `photographs`: captured like the faces, in pairs, trained on, never tested on."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from padkit.data.batches import Frames
from padkit.data.pairs import ALONE, pair_numbers, training_batches
from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import leave_one_out
from padkit.errors import DataError
from padkit_synthetic.imaging import generator
from padkit_synthetic.photographs.captures import UNTOUCHED
from padkit_synthetic.photographs.reader import PhotographsReader
from padkit_synthetic.photographs.scene import FRAMING

SETTINGS = ("phone", "webcam")


def draw(path: Path, seed: int, size: tuple[int, int] = (90, 110)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = generator(seed).integers(40, 220, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for person in range(3):
        draw(tmp_path / "faces" / f"p{person}" / "0.png", person)
    return tmp_path / "faces"


@pytest.fixture
def things(tmp_path: Path) -> Path:
    draw(tmp_path / "things" / "mug.png", 100)
    draw(tmp_path / "things" / "outside" / "hill.png", 101)
    return tmp_path / "things"


def reader(faces: Path, things: Path | None = None, **settings: object) -> PhotographsReader:
    given = {"finder": "none", "image_size": 64, "settings": "+".join(SETTINGS), "content": things and str(things)}
    return PhotographsReader(root=str(faces), **given | settings)


def frame(source: PhotographsReader, record: object) -> np.ndarray:
    return next(iter(source.frames(record)))


def test_pictures_come_after_the_faces_which_stay_as_they_are(faces, things):
    plain, mixed = reader(faces), reader(faces, things)
    before, after = list(plain.records()), list(mixed.records())
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert all(one.session.startswith("content-") for one in after[len(before) :])
    assert not [one for one in before if one.session.startswith("content")]
    for place in (0, len(before) - 1):
        assert (frame(plain, before[place]) == frame(mixed, after[place])).all()
    assert "content" not in plain.fingerprint()
    assert mixed.fingerprint().startswith(f"{plain.fingerprint()}, content ")
    assert reader(faces, content="").fingerprint() == plain.fingerprint()
    draw(things / "vase.png", 102)
    assert reader(faces, things).fingerprint() != mixed.fingerprint()


def test_every_picture_is_before_every_camera_of_train_with_its_attacks(faces, things):
    groups, places = defaultdict(list), defaultdict(set)
    found = [one for one in reader(faces, things, variants=2).records() if one.session.startswith("content-")]
    for one in found:
        assert (one.split, one.subject) == ("train", "")
        assert one.species.startswith("content-") == (one.label == 0)
        groups[one.domain, one.session, one.device].append((one.label, one.attack_type))
        places[one.session].add(one.domain)
    captured = {key: kinds for key, kinds in groups.items() if key[2] != UNTOUCHED}
    assert len(captured) == 2 * 2 * 2
    assert all(kinds == [(1, ""), (0, "print"), (0, "replay")] for kinds in captured.values())
    assert all(where == set(SETTINGS) for where in places.values())
    assert [kinds for key, kinds in groups.items() if key[2] == UNTOUCHED] == [[(1, "")]] * 2
    one = Counter(one.session for one in reader(faces, things, untouched=0.0).records())
    assert {count for session, count in one.items() if session.startswith("content-")} == {6}


def test_with_one_camera_each_the_pictures_are_shared_out(tmp_path, things):
    for person in range(6):
        draw(tmp_path / "six" / f"p{person}" / "0.png", person)
    domains = defaultdict(set)
    for one in reader(tmp_path / "six", things, cameras="one").records():
        domains[one.session].add(one.domain)
    shared = [where for session, where in domains.items() if session.startswith("content-")]
    assert sorted(shared, key=min) == [{"phone"}, {"webcam"}]


def test_the_middle_of_a_picture_is_taken_and_no_face_is_looked_for(faces, things, monkeypatch):
    monkeypatch.setattr("padkit_synthetic.photographs.scene.cut_face", lambda *_, **__: pytest.fail("looked"))
    source = reader(faces, things, finder="lbp")
    (one,) = (one for one in source.records() if one.device == UNTOUCHED and one.session == "content-mug.png.0")
    edge = 90 * (1 - FRAMING) / 2
    box = (edge, 10 + edge, 90 - edge, 100 - edge)
    wanted = Image.open(things / "mug.png").resize((64, 64), Image.Resampling.BICUBIC, box=box)
    assert np.abs(np.asarray(wanted, int) - frame(source, one)).max() <= 2


def test_a_run_trains_on_them_in_pairs_and_never_tests_on_them(faces, things, tmp_path):
    draw(things / "icon.png", 103, (40, 40))
    (things / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    (things / "list.txt").write_text("mug")
    source = reader(faces, things)
    table = prepare(source, dataset_name="photographs", cache_dir=tmp_path, progress=False, workers=1)
    about = table.preparation
    assert {entry["presentation"].split("_")[1] for entry in about["skipped"]} == {
        "content-icon.png", "content-torn.png",
    }  # fmt: skip
    reasons = {entry["reason"] for entry in about["skipped"]}
    assert any("icon.png: its shorter side is 40 pixels; content needs 64 or more." in text for text in reasons)
    assert [entry["count"] for entry in about["unread"]] == [1]
    assert any(line.startswith("content: 4 pictures without faces beside the 1 photographs") for line in about["notes"])
    protocol = leave_one_out(table, "webcam")
    content = np.flatnonzero([session.startswith("content-") for session in table.column("session").tolist()])
    mine = content[table.column("domain")[content] == "phone"]
    assert len(mine) >= 6
    assert set(mine) == set(content) & set(protocol.train)
    assert not set(content) & {*protocol.dev, *protocol.test}
    assert protocol.summary(table)["parts"]["train"]["subjects"] == 1
    attacks = mine[table.column("label")[mine] == 0]
    assert (pair_numbers(table, attacks) != ALONE).all()
    frames = Frames(table, protocol.train, protocol.domain_index)
    batches = training_batches("pairs", frames, batch_size=4, parts=1, seed=0, numbered=False)
    every = int((frames.labels == 0).sum())
    assert batches.line.startswith(f"pairs: {every} of {every} attack frames")


def test_a_folder_that_is_none_or_holds_faces_is_refused_in_one_line(faces, things, tmp_path):
    def refused(content: Path) -> str:
        with pytest.raises(DataError) as caught:
            list(reader(faces, content).records())
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "gone: is no folder; give a folder of pictures without faces." in refused(tmp_path / "gone")
    for within in (faces, faces / "p0"):
        assert f"--data.content {within}: lies within --data.root" in refused(within)
    assert "0.png is a photograph of --data.root too; keep" in refused(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "holds no still picture" in refused(tmp_path / "empty")
    draw(faces / "content-mug.png" / "0.png", 9)
    assert "--data.content: a subject of --data.root is called 'content-mug.png'" in refused(things)
