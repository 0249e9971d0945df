"""Pictures without faces in `padkit simulate`: recaptured like faces, marked, trained on and never tested on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from padkit.data.preparation.prepare import prepare
from padkit.data.protocols.protocol import protocol_for
from padkit.data.unread import Unread
from padkit.errors import run_as_command
from padkit_folder.manifest import ManifestReader
from padkit_synthetic.imaging import generator
from padkit_synthetic.photographs.content import content_recordings, find_pictures
from padkit_synthetic.photographs.recordings import find_domains
from padkit_synthetic.photographs.simulate import main

UNUSABLE = "content: 3 of 5 pictures without faces, to train on only"


def draw(path: Path, seed: int, size: tuple[int, int] = (92, 112)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = generator(seed).integers(0, 255, (14, 12), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


def draw_faces(root: Path) -> Path:
    for subject in range(6):
        draw(root / f"p{subject}" / "0.png", subject)
    return root


def draw_content(root: Path) -> Path:
    draw(root / "mug.png", 100)
    draw(root / "outside" / "hill.png", 101)
    draw(root / "outside" / "lake.jpg", 102)
    draw(root / "icon.png", 103, (40, 40))
    (root / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    (root / "list.txt").write_text("mug")
    return root


def command(*words: object) -> int:
    return run_as_command(lambda: main([str(word) for word in words]))


def simulate(faces: Path, out: Path, *more: object) -> int:
    return command("--faces", faces, "--out", out, "--image-size", 64, "--settings", "webcam", "phone", *more)


def rows_of(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "manifest.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("content")
    faces, content = draw_faces(root / "faces"), draw_content(root / "things")
    assert simulate(faces, root / "plain") == 0
    assert simulate(faces, root / "mixed", "--content", content) == 0
    return root


def test_pictures_are_found_in_all_folders_by_unique_names(tmp_path):
    for number, name in enumerate(("a_b.png", "a b.png", "deep/er/c.png")):
        draw(tmp_path / name, number)
    found = find_pictures(tmp_path, unread := Unread())
    assert len(found) == 3
    assert all(name.startswith("content-") and "_" not in name for name in found)
    assert "content-deep-er-c.png" in found
    assert not unread.entries()


def test_every_picture_is_live_and_attacked_in_one_setting_of_the_training_part(made):
    content = [row for row in rows_of(made / "mixed") if row["session"] == "content"]
    assert {Path(row["source"]).name for row in content} == {"mug.png", "hill.png", "lake.jpg"}
    assert {row["split"] for row in content} == {"train"}
    assert {row["subject"] for row in content} == {""}
    for source in {row["source"] for row in content}:
        mine = [row for row in content if row["source"] == source]
        assert sorted(row["attack_type"] for row in mine) == ["", "print", "replay"]
        assert len({row["domain"] for row in mine}) == 1
    for row in content:
        assert (row["label"] == "live") == (row["species"] == "")
        assert row["species"] == "" or row["species"].startswith("content-")
        picture = np.asarray(Image.open(made / "mixed" / row["path"]))
        assert picture.shape == (64, 64, 3)
        assert picture.std() > 5


def test_pictures_are_shared_out_over_the_settings():
    pictures = {f"content-{number}": Path(f"{number}.png") for number in range(10)}
    domains = find_domains(["webcam", "phone", "hall"], ("print", "replay"))
    found = content_recordings(pictures, domains, 0, ())
    assert sorted(one.subject for one in found) == sorted(pictures)
    counts = [sum(one.domain is domain for one in found) for domain in domains]
    assert sorted(counts) == [3, 3, 4]
    assert content_recordings(pictures, domains, 1, ()) != found


def test_faces_are_the_same_with_and_without_content(made):
    faces = rows_of(made / "plain")
    assert "session" not in faces[0]
    mixed = [{k: v for k, v in row.items() if k != "session"} for row in rows_of(made / "mixed") if not row["session"]]
    assert mixed == faces
    for row in faces:
        assert (made / "plain" / row["path"]).read_bytes() == (made / "mixed" / row["path"]).read_bytes()


def test_what_is_skipped_is_named_and_counted(made, tmp_path, capsys):
    assert simulate(made / "faces", tmp_path / "out", "--content", made / "things") == 0
    told = capsys.readouterr().err
    assert UNUSABLE in told
    assert "icon.png: its shorter side is 40 pixels; content needs 64 or more." in told
    assert "torn.png" in told
    assert "1 with suffix .txt" in told
    assert "The folder tree cannot tell them from faces" in (tmp_path / "out" / "SIMULATED.txt").read_text()


def test_padkit_trains_on_content_and_never_tests_on_it(made, tmp_path):
    reader = ManifestReader(file=str(made / "mixed" / "manifest.csv"), image_size=64)
    table = prepare(reader, dataset_name="mixed", cache_dir=tmp_path, progress=False, workers=1)
    content = np.flatnonzero(table.column("session") == "content")
    assert len(content) == 9
    for convention in ("all", "official"):
        found = protocol_for(table, reader, target="webcam", convention=convention)
        source = content[table.column("domain")[content] == "phone"]
        assert set(source) <= set(found.train)
        assert not set(content) & {*found.dev, *found.test}
        assert not set(content) - set(source) & set(found.train)
        assert any("frames of content, which shows no face, are left out of the test" in w for w in found.warnings)


def test_another_content_is_another_folder(made, tmp_path, capsys):
    receipt = json.loads((made / "mixed" / "simulation.json").read_text())
    assert len(receipt["content"]) == 64
    assert "content" not in json.loads((made / "plain" / "simulation.json").read_text())
    assert simulate(made / "faces", made / "mixed") == 2
    assert "was begun with other content" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prepare_folder", "text"),
    [
        (lambda root: None, "is no folder; give a folder of pictures without faces"),
        (lambda root: root.mkdir(), "holds no still picture"),
        (lambda root: draw(root / "icon.png", 1, (20, 20)), "none of the 1 photographs in"),
    ],
)
def test_a_folder_without_usable_pictures_is_refused(made, tmp_path, capsys, prepare_folder, text):
    prepare_folder(tmp_path / "things")
    assert simulate(made / "faces", tmp_path / "out", "--content", tmp_path / "things") == 2
    assert text in capsys.readouterr().err


def test_a_person_with_the_name_of_a_picture_is_refused(made, tmp_path, capsys):
    draw_faces(tmp_path / "faces")
    draw(tmp_path / "faces" / "content-mug.png" / "0.png", 9)
    assert simulate(tmp_path / "faces", tmp_path / "out", "--content", made / "things") == 2
    assert "a subject of --faces is called 'content-mug.png'" in capsys.readouterr().err
    assert simulate(made / "faces", made / "things" / "out", "--content", made / "things") == 2
    assert "lies within --content" in capsys.readouterr().err
    assert simulate(made / "faces", tmp_path / "out", "--content", made / "faces" / "p0") == 2
    assert "lies within --faces" in capsys.readouterr().err
