from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from padkit.data.labels import LabelCount, stated_values
from padkit.data.preparation.cropping import Cropper, Tally
from padkit.data.presentation import SPLITS
from padkit.errors import run_as_command
from padkit_folder.manifest import ManifestReader
from padkit_folder.tree import FolderReader
from padkit_synthetic.imaging import generator
from padkit_synthetic.photographs.gallery import find_photographs
from padkit_synthetic.photographs.recordings import find_domains
from padkit_synthetic.photographs.simulate import main
from padkit_synthetic.world import DOMAINS, domains_of

KINDS = ("print", "replay")
# The settings taken by default.
SETTINGS = tuple(domain for domain in DOMAINS if domain.name != "unknown")


def draw_folder(root: Path, subjects: int, images: int = 1) -> Path:
    for subject in range(subjects):
        for number in range(images):
            path = root / f"p{subject:02d}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = generator(subject, number).integers(0, 255, (14, 12), np.uint8)
            Image.fromarray(pixels).resize((92, 112), Image.Resampling.BICUBIC).save(path)
    return root


def command(*words: object) -> int:
    return run_as_command(lambda: main([str(word) for word in words]))


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulate")
    out = root / "out"
    assert command("--faces", draw_folder(root / "faces", 13, 2), "--out", out, "--image-size", 64) == 0
    return out


def test_the_tree_has_live_print_and_replay_in_every_split(tree):
    assert "SIMULATED" in (tree / "SIMULATED.txt").read_text()
    assert {path.name for path in tree.iterdir() if path.is_dir()} == {domain.name for domain in SETTINGS}
    for domain in SETTINGS:
        for split in SPLITS:
            for kind in ("live", "spoof/print", "spoof/replay"):
                files = list((tree / domain.name / split / kind).glob("*.png"))
                assert files, (domain.name, split, kind)
    assert len(list(tree.rglob("*.png"))) == 13 * 2 * 3
    picture = np.asarray(Image.open(next(tree.rglob("*.png"))))
    assert picture.shape == (64, 64, 3)


def test_subjects_are_disjoint_between_splits_and_settings(tree):
    places = {}
    for path in tree.rglob("*.png"):
        domain, split = path.relative_to(tree).parts[:2]
        places.setdefault(path.stem.split("_")[0], set()).add((domain, split))
    assert len(places) == 13
    assert all(len(found) == 1 for found in places.values())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    faces, trees = draw_folder(tmp_path / "faces", 3), []
    for number, seed in enumerate((4, 4, 5)):
        out = tmp_path / str(number)
        words = ("--faces", faces, "--out", out, "--image-size", 64, "--settings", "webcam", "--seed", seed)
        assert command(*words) == 0
        trees.append({str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.png")})
    assert len(trees[0]) == 9
    assert trees[0] == trees[1] != trees[2]


def manifest(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "manifest.csv").read_text().splitlines()))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def small(faces: Path, out: Path, *more: object) -> int:
    return command("--faces", faces, "--out", out, "--image-size", 64, "--settings", "webcam", *more)


def test_killed_and_started_again_it_ends_in_the_same_files(tmp_path):
    faces, killed, whole = draw_folder(tmp_path / "faces", 6, 8), tmp_path / "killed", tmp_path / "whole"
    words = ["--faces", str(faces), "--out", str(killed), "--image-size", "64", "--settings", "webcam"]
    line = [sys.executable, "-m", "padkit_synthetic.photographs.simulate", *words, "--workers", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, **quiet) as process:  # type: ignore[call-overload]
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and len(list(killed.rglob("*.png"))) < 10:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    time.sleep(0.5)  # its processes end with it
    before = {path: path.stat().st_mtime_ns for path in killed.rglob("*_f00.png")}
    assert 10 <= len(before) < 6 * 8 * 3
    assert not (killed / "manifest.csv").exists()
    (next(killed.rglob("live")) / ".p00_0_f00.png.half").write_bytes(b"half a picture")
    assert small(faces, killed) == 0
    assert small(faces, whole) == 0
    assert contents(killed) == contents(whole)
    assert len(list(whole.rglob("*.png"))) == 6 * 8 * 3
    assert {path: path.stat().st_mtime_ns for path in before} == before, "finished pictures are not made again"


def test_pictures_do_not_depend_on_the_other_pictures(tmp_path):
    faces = draw_folder(tmp_path / "faces", 3, 2)
    assert small(faces, tmp_path / "both") == 0
    assert small(faces, tmp_path / "print", "--attacks", "print") == 0
    both, print_only = (contents(tmp_path / name) for name in ("both", "print"))
    pictures = [name for name in print_only if name.endswith(".png")]
    assert len(pictures) == 3 * 2 * 2
    assert all(print_only[name] == both[name] for name in pictures)
    assert not list((tmp_path / "print").rglob("replay"))


def test_the_manifest_tells_what_the_tree_holds(tree):
    rows = manifest(tree)
    assert {row["path"] for row in rows} == {path.relative_to(tree).as_posix() for path in tree.rglob("*.png")}
    reader = ManifestReader(file=str(tree / "manifest.csv"))
    assert reader.simulated
    from_list, from_tree = list(reader.records()), list(FolderReader(root=str(tree)).records())
    assert len(from_list) == len(from_tree) == 78
    facts = {(r.path, r.label, r.domain, r.split, r.attack_type) for r in from_tree}
    assert {(r.path, r.label, r.domain, r.split, r.attack_type) for r in from_list} == facts
    known = {d.name: {i.species: i.attack_type for i in d.instruments} | {"": ""} for d in domains_of(4)}
    cameras = {d.name: {camera.name for camera in d.cameras} for d in DOMAINS}
    for record in from_list:
        assert known[record.domain][record.species] == record.attack_type
        assert record.device in cameras[record.domain]
    assert all(Path(row["source"]).is_file() for row in rows)


def test_frames_of_a_presentation_differ_and_are_grouped(tmp_path):
    faces = draw_folder(tmp_path / "faces", 3)
    assert small(faces, tmp_path / "out", "--frames", 3) == 0
    tree = FolderReader(
        root=str(tmp_path / "out"), subject_pattern="^([^_]+)_", presentation_pattern="^(.+)_f", image_size=64
    )
    listed = ManifestReader(file=str(tmp_path / "out" / "manifest.csv"), image_size=64)
    for reader in (tree, listed):
        groups: dict[str, list[object]] = {}
        for record in reader.records():
            groups.setdefault(record.id, []).append(record)
        assert len(groups) == 9
        for records in groups.values():
            assert sorted(record.frames for record in records) == [(0,), (1,), (2,)]
            assert {record.subject for record in records} < {"p00", "p01", "p02"}
            shown = [Cropper(reader).crops(record, Tally())[0][1].astype(float) for record in records]
            assert min(np.abs(shown[0] - shown[1]).mean(), np.abs(shown[1] - shown[2]).mean()) > 1


def test_cameras_and_species_take_turns_even_with_one_photograph_each(tmp_path):
    faces = draw_folder(tmp_path / "faces", 40)
    words = ("--faces", faces, "--out", tmp_path / "out", "--image-size", 64, "--settings", "phone")
    assert command(*words, "--workers", 1) == 0
    rows = manifest(tmp_path / "out")
    assert {row["device"] for row in rows} == {"phone-front-a", "phone-front-b"}
    (phone,) = [domain for domain in domains_of(4) if domain.name == "phone"]
    assert {row["species"] for row in rows} - {""} == {i.species for i in phone.instruments if i.attack_type in KINDS}


def flat_folder(root: Path, count: int) -> Path:
    root.mkdir()
    for number in range(count):
        pixels = generator(number).integers(0, 255, (80, 64, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{'abc'[number % 3]}-{number}.jpg")
    return root


def test_a_flat_folder(tmp_path):
    faces = flat_folder(tmp_path / "faces", 6)
    assert list(find_photographs(faces)) == ["a-0", "a-3", "b-1", "b-4", "c-2", "c-5"]
    assert {name: len(paths) for name, paths in find_photographs(faces, "^(.)-").items()} == {"a": 2, "b": 2, "c": 2}
    assert small(faces, tmp_path / "out", "--subject-pattern", "^(.)-") == 0
    rows = manifest(tmp_path / "out")
    assert len({(row["subject"], row["split"]) for row in rows}) == 3


def test_a_list_of_either_polarity(tmp_path):
    names = ["a.png", "b.png", "c.png", "d.png"]
    for head, labels, stated in (
        ("file,is_spoof", "0011", None),
        ("path,label", "0011", ["0"]),
        ("img,gt", "1100", None),
    ):
        (tmp_path / "list.csv").write_text("\n".join([head, *map(",".join, zip(names, labels, strict=True))]))
        count = LabelCount(stated_values(stated, "--bona-fide"))
        found = find_photographs(tmp_path / "list.csv", count=count)
        assert sorted(path.name for paths in found.values() for path in paths) == names[:2]
        assert count.lines("x")[0].startswith(f"labels: {labels[0]!r} = bona fide (2)")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_list_gives_its_bona_fide_rows(tmp_path, suffix):
    flat_folder(tmp_path / "pictures", 8)
    paths = sorted(f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir())
    labels = ["live", "Real", "bonafide", "1", "spoof", "attack", "0", "bona_fide"]
    columns = {"Path": paths, "label": labels, "subject": ["anna_b", "anna_b", "c/d", "c d", "x", "x", "x", ""]}
    if suffix == "csv":
        with (tmp_path / "faces.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([columns, *zip(*columns.values(), strict=True)])
    else:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(columns), tmp_path / "faces.parquet")
    found = find_photographs(tmp_path / f"faces.{suffix}")
    assert len(found) == 4
    assert {name.partition("-")[0] for name in found} == {"anna", "c", Path(paths[7]).stem.partition("-")[0]}
    assert "anna-b" in found
    assert len([name for name in found if name.startswith("c-d-")]) == 2, "names that fall together are told apart"
    assert not [name for name in found if "_" in name or "/" in name]
    assert {path.relative_to(tmp_path).as_posix() for all_ in found.values() for path in all_} == {*paths[:4], paths[7]}
    assert small(tmp_path / f"faces.{suffix}", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 5 * 3


def odd_photographs(folder: Path) -> None:
    grey = generator(7).integers(0, 255, (70, 90), np.uint8)
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    rgb = np.stack([grey, grey // 2, 255 - grey], axis=-1)
    Image.fromarray(np.dstack([rgb, grey])).save(folder / "alpha.png")
    Image.fromarray(rgb).convert("CMYK").save(folder / "print.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(folder / "turned.jpg", exif=exif)
    Image.fromarray(rgb).convert("P").save(folder / "palette.gif")


def test_photographs_of_every_kind_are_taken(tmp_path, capsys):
    faces = draw_folder(tmp_path / "faces", 3)
    odd_photographs(faces / "p00")
    assert small(faces, tmp_path / "out") == 0
    assert "skipped" not in capsys.readouterr().err
    assert len(list((tmp_path / "out").rglob("*.png"))) == 8 * 3


def test_an_unreadable_photograph_is_skipped_and_named_or_an_error(tmp_path, capsys):
    faces = draw_folder(tmp_path / "faces", 3)
    (faces / "p00" / "broken.jpg").write_bytes(b"no image")
    assert small(faces, tmp_path / "out") == 0
    assert "broken.jpg" in capsys.readouterr().err
    assert len(list((tmp_path / "out").rglob("*.png"))) == 9
    assert "broken" not in (tmp_path / "out" / "manifest.csv").read_text()
    assert small(faces, tmp_path / "strict", "--strict") == 2
    assert "broken.jpg" in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_begun_otherwise_is_refused(tmp_path, capsys):
    faces, out = draw_folder(tmp_path / "faces", 3), tmp_path / "out"
    assert small(faces, out) == 0
    before = contents(out)
    assert small(faces, out) == 0
    for more, word in (
        (("--seed", 1), "seed"), (("--frames", 2), "frames"), (("--attacks", "print"), "attacks"),
        (("--world", 3), "world_version"), (("--without", "laser"), "without"),
    ):  # fmt: skip
        assert small(faces, out, *more) == 2
        assert f"begun with other {word}" in capsys.readouterr().err.splitlines()[-1]
    os.utime(faces / "p00" / "0.png", (1, 1))
    assert small(faces, out) == 2
    assert "begun with other photographs" in capsys.readouterr().err
    assert contents(out) == before
    (out / "simulation.json").write_text("{")
    assert small(faces, out) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_folder_begun_with_another_encoder_is_refused_and_one_that_does_not_tell_is_taken(tmp_path, capsys):
    faces, out = draw_folder(tmp_path / "faces", 3), tmp_path / "out"
    assert small(faces, out) == 0
    receipt = json.loads((out / "simulation.json").read_text())
    (out / "simulation.json").write_text(json.dumps({**receipt, "H.264": "libx264 core 1, libavcodec 1.0.0"}))
    assert small(faces, out) == 2
    assert "begun with other H.264" in capsys.readouterr().err.splitlines()[-1]
    del receipt["H.264"]
    (out / "simulation.json").write_text(json.dumps(receipt))
    assert small(faces, out) == 0
    assert json.loads((out / "simulation.json").read_text()) == receipt


def test_by_default_the_settings_are_those_with_all_attacks():
    names = {domain.name for domain in find_domains(None, KINDS)}
    assert names == {domain.name for domain in find_domains(None, KINDS, 3)}
    assert names == {"office", "phone", "webcam", "hall"}
    assert names == {d.name for d in DOMAINS if {i.attack_type for i in d.instruments} >= set(KINDS)}


def test_the_receipt_says_simulated(tree):
    receipt = json.loads((tree / "simulation.json").read_text())
    assert receipt["simulated"] is True
    assert receipt["attacks"] == ["print", "replay"]
    assert receipt["world_version"] == 4
    assert "world version 4" in (tree / "SIMULATED.txt").read_text()


def test_world_3_has_the_listed_instruments_and_families_can_be_left_out(tmp_path):
    faces = draw_folder(tmp_path / "faces", 12)
    assert small(faces, tmp_path / "three", "--world", 3) == 0
    assert {row["species"] for row in manifest(tmp_path / "three")} == {"", "laser-recycled", "laptop-tn"}
    assert small(faces, tmp_path / "four", "--without", "laser+photo-lab+phone+tablet+laptop") == 0
    rows = [row for row in manifest(tmp_path / "four") if row["species"]]
    assert {row["species"] for row in rows if row["split"] != "test"} == {"inkjet", "monitor"}
    assert len({row["species"] for row in rows if row["split"] == "test"}) > 2
    assert json.loads((tmp_path / "four" / "simulation.json").read_text())["without"][0] == "laser"


def missing(tmp_path: Path) -> tuple[object, ...]:
    return ("--faces", tmp_path / "nowhere", "--out", tmp_path / "out")


def empty(tmp_path: Path) -> tuple[object, ...]:
    (tmp_path / "faces").mkdir()
    return ("--faces", tmp_path / "faces", "--out", tmp_path / "out")


def occupied(tmp_path: Path) -> tuple[object, ...]:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("mine")
    return ("--faces", draw_folder(tmp_path / "faces", 12), "--out", tmp_path / "out")


def file_in_the_way(tmp_path: Path) -> tuple[object, ...]:
    (tmp_path / "out").write_text("mine")
    return ("--faces", draw_folder(tmp_path / "faces", 12), "--out", tmp_path / "out")


def too_few(tmp_path: Path) -> tuple[object, ...]:
    return ("--faces", draw_folder(tmp_path / "faces", 11), "--out", tmp_path / "out")


def unknown(tmp_path: Path) -> tuple[object, ...]:
    return ("--faces", draw_folder(tmp_path / "faces", 3), "--out", tmp_path / "out", "--settings", "ofice")


def twice(tmp_path: Path) -> tuple[object, ...]:
    return ("--faces", draw_folder(tmp_path / "faces", 9), "--out", tmp_path / "out", "--settings", "hall", "hall")


def odd_size(tmp_path: Path) -> tuple[object, ...]:
    return ("--faces", draw_folder(tmp_path / "faces", 12), "--out", tmp_path / "out", "--image-size", "100")


def all_broken(tmp_path: Path) -> tuple[object, ...]:
    faces = draw_folder(tmp_path / "faces", 3)
    for path in faces.rglob("*.png"):
        path.write_bytes(b"no image")
    return ("--faces", faces, "--out", tmp_path / "out", "--settings", "hall")


def listed(tmp_path: Path, text: str) -> tuple[object, ...]:
    (tmp_path / "faces.csv").write_text(text)
    return ("--faces", tmp_path / "faces.csv", "--out", tmp_path / "out")


def no_path_column(tmp_path: Path) -> tuple[object, ...]:
    return listed(tmp_path, "thing,subject\na.png,a\n")


def odd_label(tmp_path: Path) -> tuple[object, ...]:
    return listed(tmp_path, "path,label\na.png,living\n")


def ragged(tmp_path: Path) -> tuple[object, ...]:
    return listed(tmp_path, "path,label\na.png,live,x\n")


def only_attacks(tmp_path: Path) -> tuple[object, ...]:
    return listed(tmp_path, "path,label\na.png,spoof\n")


def no_parquet(tmp_path: Path) -> tuple[object, ...]:
    (tmp_path / "faces.parquet").write_text("path")
    return ("--faces", tmp_path / "faces.parquet", "--out", tmp_path / "out")


def no_list(tmp_path: Path) -> tuple[object, ...]:
    (tmp_path / "faces.doc").write_text("path")
    return ("--faces", tmp_path / "faces.doc", "--out", tmp_path / "out")


def mixed_up(tmp_path: Path) -> tuple[object, ...]:
    draw_folder(tmp_path / "faces", 12)
    flat_folder(tmp_path / "more", 1)
    (tmp_path / "more" / "a-0.jpg").rename(tmp_path / "faces" / "a-0.jpg")
    return ("--faces", tmp_path / "faces", "--out", tmp_path / "out")


def twelve(*more: object):
    return lambda tmp_path: ("--faces", draw_folder(tmp_path / "faces", 12), "--out", tmp_path / "out", *more)


def flat(*more: object):
    return lambda tmp_path: ("--faces", flat_folder(tmp_path / "faces", 12), "--out", tmp_path / "out", *more)


def within(tmp_path: Path) -> tuple[object, ...]:
    return ("--faces", draw_folder(tmp_path / "faces", 12), "--out", tmp_path / "faces" / "out")


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        (missing, "does not exist"),
        (empty, "holds no bona fide photographs"),
        (occupied, "is not empty"),
        (file_in_the_way, "cannot be made"),
        (too_few, "at most 3 --settings"),
        (unknown, "Did you mean 'office'?"),
        (twice, "each once (hall hall)"),
        (odd_size, "multiple of 16"),
        (all_broken, "none of the 3 photographs"),
        (no_path_column, "has no column 'path', or synonym; columns: thing, subject"),
        (odd_label, "line 2: unknown label 'living'."),
        (ragged, "line 2: 3 values for 2 columns"),
        (only_attacks, "holds no bona fide photographs"),
        (no_parquet, "is not a readable Parquet file"),
        (no_list, "neither a folder nor a list"),
        (mixed_up, "holds both images (a-0.jpg) and folders of images (p00)"),
        (within, "lies within --faces"),
        (twelve("--subject-pattern", "^(.)"), "--subject-pattern has no effect"),
        (flat("--subject-pattern", "^."), "has 0 groups"),
        (flat("--subject-pattern", "("), "is not a regular expression"),
        (flat("--subject-pattern", "^(z)"), "finds no subject in 'a-0.jpg'"),
        (twelve("--attacks", "prints"), "attack type 'prints' is unknown. Did you mean 'print'?"),
        (twelve("--frames", "0"), "expected int >= 1"),
        (twelve("--workers", "0"), "expected int in [1, 1024]"),
        (twelve("--seed", "-1"), "expected int in [0, 4294967295]"),
        (twelve("--seed", "x"), "expected int in [0, 4294967295], got 'x'; see padkit simulate --help."),
        (twelve("--sed", "1"), "unrecognized arguments: --sed 1"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tmp_path, capsys, arrange, says):
    assert command(*arrange(tmp_path)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert says in last
    assert not list(tmp_path.rglob("out/*/*.png"))
