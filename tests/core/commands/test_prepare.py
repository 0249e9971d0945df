"""`padkit prepare`: its options, what it prints and writes, and that a killed run loses and doubles nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import pytest
from clips import mark_turn, moving_frames, write_clip
from PIL import Image
from portrait import portrait

from padkit.commands.prepare import main
from padkit.data.preparation.output import exclusive
from padkit.data.preparation.prepare import open_table
from padkit.errors import DataError, PadkitError, PluginError, SettingsError

SOURCE = """
    from pathlib import Path
    from padkit.data.native import NativeReader
    from padkit.data.presentation import Division, FaceHint, Presentation
    from padkit.errors import DataError
    from padkit.hookspecs import hookimpl
    from padkit.specs import DatasetSpec

    class Toy(NativeReader):
        \"\"\"Reads `<root>/<split>_<label>_<number>.*`.

        Args:
            root: Where it lies.
            image_size: Unused.
            margin: Has the name of an option of padkit's own.
            only: A split, or all.
        \"\"\"

        expected = {("train", 1): 2, ("train", 0): 2, ("test", 1): 1}

        def __init__(self, *, root: str, image_size: int = 256, margin: int = 3, only: str | None = None) -> None:
            super().__init__(root=root, image_size=image_size)
            self.margin, self.only = margin, only

        def records(self):
            for path in sorted(self.folder().iterdir()):
                split, label, _ = path.stem.split("_")
                if self.only in (None, split):
                    yield Presentation(
                        dataset="toy", domain="toy", id=path.stem, label=int(label), split=split, path=str(path),
                        attack_type="" if label == "1" else "print", species="" if label == "1" else "print",
                    )

        def hints(self, presentation, width, height):
            return {0: FaceHint(box=(8.0, 8.0, 48.0, 48.0))}

        def protocols(self):
            return Lists({"all": "train_1_0", "none": ""})

    class Lists(dict):
        def __getitem__(self, name):
            if name == "none":
                raise DataError("list none.txt is missing.")
            return Division(train=(super().__getitem__(name),), dev=(), test=("test_1_0",))

    @hookimpl
    def padkit_datasets():
        return [DatasetSpec(name="toy", summary="Toy videos.", factory=Toy)]
"""


@pytest.fixture
def toy(install, tmp_path):
    install("padkit-toy", "toyset", SOURCE)
    for name in ("train_1_0", "train_1_1", "train_0_0", "train_0_1", "train_0_2"):
        write_clip(tmp_path / "root" / f"{name}.avi", moving_frames(20, seed=len(name)))
    return tmp_path


def run(folder: Path, dataset: str, *words: str) -> int:
    return main([dataset, "--root", str(folder / "root"), "--out", str(folder / "out"), "--workers", "1", *words])


def preparation(folder: Path, name: str = "preparation.json") -> dict:
    return json.loads((folder / "out" / name).read_text())


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file's content but the receipts'; their order in time is none of the table's."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_a_native_dataset(toy, capsys):
    assert run(toy, "toy", "--size", "32", "--frames", "uniform:2") == 0
    out, err = capsys.readouterr()
    census, _, told = out.partition("finished: ")
    assert census.splitlines() == [
        "split  label      found  expected",
        "train  bona fide      2         2",
        "train  attack         3         2  <- 1 too many",
        "test   bona fide      0         1  <- 1 missing",
    ]
    assert [line.split(maxsplit=1) for line in told.splitlines()[1:4]] == [
        ["10", "frames"], ["5", "of 5 presentations"], ["0", "files or presentations skipped"]
    ]  # fmt: skip
    assert "protocol none: list none.txt is missing." in err
    table = open_table(toy / "out")
    assert table.column("frame").tolist() == [5, 15] * 5
    assert table.image(0).shape == (3, 32, 32)
    assert len(datasets.load_from_disk(str(toy / "out"))) == 10
    assert preparation(toy, "protocols.json") == {"all": {"train": ["train_1_0"], "dev": [], "test": ["test_1_0"]}}
    facts = preparation(toy)
    assert facts["choices"] == {
        "frames": "uniform:2", "face": "auto", "face_model": "", "margin": 0.15, "align": False, "size": 32
    }  # fmt: skip
    assert facts["settings"] == {"root": str(toy / "root"), "margin": 3, "only": None}
    assert (facts["dataset"], facts["reader"]) == ("toy", "toyset:Toy")
    assert facts["census"][1] == {"split": "train", "label": 0, "found": 3, "expected": 2, "remark": "1 too many"}
    assert {"padkit", "av", "scikit-image", "pillow"} <= facts["versions"].keys()
    with pytest.raises(DataError, match=r"none\.txt"):
        run(toy, "toy", "--size", "32", "--frames", "uniform:2", "--strict")


def test_room_around_the_crops(toy):
    words = ("--size", "32", "--frames", "uniform:1")
    run(toy, "toy", *words, "--room", "0.1")
    table = open_table(toy / "out")
    assert (table.room, preparation(toy)["choices"]["room"]) == (0.1, 0.1)
    assert (table.image(0).shape, table.surroundings(0).shape) == ((3, 32, 32), (40, 40, 3))
    with pytest.raises(DataError, match=r"was begun with .*room 0\.1, not 0\.0"):
        run(toy, "toy", *words)


def test_the_datasets_own_settings(toy):
    run(toy, "toy", "--margin", "0.5", "--toy.margin", "7", "--data.only", "train", "--size", "16")
    assert preparation(toy)["settings"] == {"root": str(toy / "root"), "margin": 7, "only": "train"}
    assert preparation(toy)["choices"]["margin"] == 0.5


def odd_files(root: Path) -> dict[str, str]:
    """Write a folder of every oddity; return file name -> reason of those that cannot be prepared."""
    live, spoof = root / "live", root / "spoof"
    face = portrait()
    live.mkdir(parents=True)
    Image.fromarray(face).convert("L").save(live / "grey.png")
    Image.fromarray(face).convert("CMYK").save(live / "cmyk.jpg")
    Image.fromarray(face[..., 0].astype(np.uint16) * 257).save(live / "deep.png")
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(face)))
    exif = turned.getexif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to be upright
    turned.save(live / "exif.jpg", exif=exif)
    Image.fromarray(face).save(live / "Zoë 顔 ~1 %d.webp")
    write_clip(live / "with space.mp4", [face] * 9)
    write_clip(live / "upside down.mp4", [np.ascontiguousarray(face[::-1, ::-1])] * 9)
    mark_turn(live / "upside down.mp4", 180)
    write_clip(spoof / "two.avi", [np.concatenate([face, portrait(0.5).repeat(2, 0)], axis=1)[:256]] * 9)
    # What follows cannot be.
    (live / "zero.jpg").write_bytes(b"")
    (live / "zero.avi").write_bytes(b"")
    (live / "half.jpg").write_bytes((live / "exif.jpg").read_bytes()[:2000])
    write_clip(spoof / "cut.avi", [face] * 9)
    (spoof / "cut.avi").write_bytes((spoof / "cut.avi").read_bytes()[:-9000])
    write_clip(spoof / "nobody.mov", moving_frames(9))
    (spoof / "words.mov").write_text("not a film")
    return {
        "zero.jpg": "the file is empty", "zero.avi": "the file is empty", "half.jpg": "damaged or truncated image",
        "cut.avi": "cut short", "nobody.mov": "no face was found", "words.mov": "not a video",
    }  # fmt: skip


def test_odd_files_are_handled_counted_and_reported(tmp_path, capsys):
    reasons = odd_files(tmp_path / "root")
    run(tmp_path, "folder", "--face", "lbp", "--size", "64")
    facts = preparation(tmp_path)
    told = {Path(entry["source"]).name: entry["reason"] for entry in facts["skipped"]}
    assert told.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in told[name]
        assert "\n" not in told[name]
    table = open_table(tmp_path / "out")
    kept = {Path(source).name for source in table.column("source")}
    assert kept == {
        "grey.png", "cmyk.jpg", "deep.png", "exif.jpg", "Zoë 顔 ~1 %d.webp", "with space.mp4",
        "upside down.mp4", "two.avi",
    }  # fmt: skip
    assert facts["counts"] == {"no_face": 2, "several_faces": 2}
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for line in (
        "11  frames",
        "8  of 14 presentations",
        "6  files or presentations skipped",
        "2  frames without a face, left out",
        "2  frames with several faces, of which the largest was taken",
    ):
        assert line in lines
    # All are the same face; grey ones and JPEG's losses aside, so are the crops.
    rows = table.column("source")
    crops = {Path(source).name: table.image(row).mean(0).ravel() for row, source in enumerate(rows)}
    for name, crop in crops.items():
        alike = [np.corrcoef(turned, crops["Zoë 顔 ~1 %d.webp"])[0, 1] for turned in (crop, crop[::-1])]
        assert alike[0] > max(0.5, alike[1] + 0.3), name


@pytest.mark.parametrize("name", ["zero.jpg", "cut.avi", "nobody.mov"])
def test_odd_files_are_fatal_under_strict(tmp_path, name):
    reasons = odd_files(tmp_path / "all")
    place = next((tmp_path / "all").rglob(name))
    target = tmp_path / "root" / "live" / name
    target.parent.mkdir(parents=True)
    place.rename(target)
    with pytest.raises(DataError, match=reasons[name]):
        run(tmp_path, "folder", "--face", "lbp", "--strict")
    assert not (tmp_path / "out" / "preparation.json").exists()


def test_a_list_with_a_box_outside(tmp_path):
    write_clip(tmp_path / "a.avi", moving_frames(9))
    (tmp_path / "list.csv").write_text("path,label,box\na.avi,live,8 8 40 40\na.avi,live,500 8 40 40\ngone.avi,live,\n")
    words = ["--file", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out"), "--face", "hints"]
    assert main(["manifest", *words]) == 0
    facts = preparation(tmp_path)
    assert (facts["frames"], facts["counts"]) == (2, {"box_refused": 2})
    assert ["lies outside" in entry["reason"] for entry in facts["skipped"]] == [True, False]
    assert "No such file" in facts["skipped"][1]["reason"]


def test_again_it_is_finished_and_other_choices_are_refused(toy, capsys):
    run(toy, "toy", "--size", "32")
    before = contents(toy / "out")
    times = {path: path.stat().st_mtime_ns for path in (toy / "out").glob("*.arrow")}
    capsys.readouterr()
    run(toy, "toy", "--size", "32")
    assert f"finished before: {toy / 'out'}" in capsys.readouterr().out
    assert contents(toy / "out") == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    with pytest.raises(DataError, match=r"begun with margin 0\.15, not 0\.3, size 32, not 48; choose another --out"):
        run(toy, "toy", "--size", "48", "--margin", "0.3")
    with pytest.raises(DataError, match="begun with compress False, not True"):
        run(toy, "toy", "--size", "32", "--compress")
    (toy / "list.csv").write_text(f"path,label\n{toy / 'root' / 'train_1_0.avi'},live\n")
    with pytest.raises(DataError, match="begun with dataset 'toy', not 'manifest'"):
        main(["manifest", "--file", str(toy / "list.csv"), "--out", str(toy / "out"), "--size", "32"])
    write_clip(toy / "root" / "train_1_9.avi", moving_frames(20))
    with pytest.raises(DataError, match="begun with other files"):
        run(toy, "toy", "--size", "32")
    assert contents(toy / "out") == before


def test_folders_of_others_are_left_alone(toy):
    (toy / "out").mkdir()
    (toy / "out" / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match=r"not empty \(thesis\.tex\)"):
        run(toy, "toy")
    (toy / "out" / "thesis.tex").unlink()
    with exclusive(toy / "out"), pytest.raises(DataError, match="being prepared by another process"):
        run(toy, "toy")
    (toy / "out" / "request.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        run(toy, "toy")
    (toy / "out" / ".lock").unlink()
    (toy / "out" / "request.json").unlink()
    (toy / "out").rmdir()
    (toy / "out").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        run(toy, "toy")


def test_help_and_mistakes(toy, capsys):
    with pytest.raises(SystemExit) as end:
        main(["toy", "--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in (
        "--out", "--workers", "--strict", "--frames", "ssdg", "--face", "scrfd", "--margin", "--align", "--size",
        "--root",
        "--toy.margin", "Where it lies.", "Has the name of an option", "Choose frames of a dataset's media",
    ):  # fmt: skip
        assert part in text, part
    assert "image_size" not in text
    assert main(["--help"]) == 0
    assert "Toy videos." in capsys.readouterr().out
    mistakes: list[tuple[list[str], type[PadkitError], str]] = [
        ([], SettingsError, "needs a dataset first"),
        (["toi"], PluginError, "Did you mean 'toy'"),
        (["toy", "--rot", "x"], SettingsError, "unknown option 'rot' of padkit prepare toy. Did you mean 'root'"),
        (["toy", "--out", "x"], SettingsError, "setting 'root' is missing"),
        (["toy", "--root", "x"], SettingsError, "setting 'out' is missing"),
        (["toy", "--root", "x", "--out", ""], SettingsError, "--out is empty"),
        (["toy", "--root", "x", "--out", "y", "--size", "big"], SettingsError, "'size': expected int"),
        (["toy", "--root", "x", "--out", "y", "--workers", "0"], SettingsError, r"expected int in \[1, 1024\] or null"),
        (["toy", "--root", "x", "--out", "y", "--face", "mtcnn"], SettingsError, "'mtcnn' is unknown"),
        (["toy", "--config", "a.yaml"], SettingsError, "reads no --config"),
        (["toy", "stray"], SettingsError, "unexpected argument 'stray'"),
        (["toy", "--root", str(toy / "gone"), "--out", str(toy / "new")], DataError, "is not a folder"),
    ]  # fmt: skip
    for words, kind, text in mistakes:
        with pytest.raises(kind, match=text):
            main(words)


def test_scrfd_names_its_licence(toy, capsys):
    with pytest.raises(PadkitError, match="does not exist"):
        run(toy, "toy", "--face", "scrfd", "--face-model", "none.onnx")
    assert "non-commercial research only" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX process groups")
def test_killed_at_random_moments_it_loses_and_doubles_nothing(tmp_path):
    chance = random.Random(time.time_ns())
    for number in range(140):
        folder = tmp_path / "root" / ("live" if number % 2 else "spoof")
        name = folder / f"{number:03d}.avi"
        if number % 40 == 3:
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_bytes(b"")
        else:
            write_clip(name, moving_frames(12, 64, 64, seed=number))
    words = ["folder", "--root", str(tmp_path / "root"), "--face", "none", "--size", "48"]
    zygote = Path(__file__).parents[2] / "support" / "zygote.py"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(zygote)], stdin=pipe, stdout=pipe, text=True) as warm:

        def prepare(out: str, workers: int, seconds: float | None = None) -> dict[str, float]:
            request = [*words, "--out", str(tmp_path / out), "--workers", str(workers)]
            warm.stdin.write(json.dumps({"words": request, "seconds": seconds}) + "\n")
            warm.stdin.flush()
            return json.loads(warm.stdout.readline())

        lasts = {workers: prepare(f"whole{workers}", workers)["seconds"] for workers in (1, 2)}
        whole = contents(tmp_path / "whole1")
        assert contents(tmp_path / "whole2") == whole
        killed, outs = [], ["out0"]
        while len(killed) < 10:
            workers = 2 if len(killed) in (3, 7) else 1
            done = prepare(outs[-1], workers, chance.uniform(0, 0.9) * lasts[workers])
            if done["status"]:
                assert done["status"] == -signal.SIGKILL
                killed.append((tmp_path / outs[-1] / "preparation.json").exists())
            else:
                outs.append(f"out{len(outs)}")
        assert prepare(outs[-1], 1)["status"] == 0
    print(f"killed 10 times, {killed.count(False)} before the end; tables {len(outs)}; whole runs last {lasts}")
    for out in outs:
        assert contents(tmp_path / out) == whole
    assert len([name for name in whole if name.endswith(".arrow")]) == 5
    table = open_table(tmp_path / outs[0])
    assert len(table) == 2 * 136
    assert len(table.skipped) == 4
    rows = list(zip(table.column("presentation"), table.column("frame"), strict=True))
    assert len(set(rows)) == len(rows)


def test_a_kill_before_equal_images_are_counted_is_made_good(toy, tmp_path):
    assert run(toy, "toy", "--size", "32") == 0
    (marker,) = tmp_path.rglob("preparation.json")
    whole = marker.read_bytes()
    told = json.loads(whole)
    del told["equal"]
    marker.write_text(json.dumps(told))
    assert run(toy, "toy", "--size", "32") == 0
    assert marker.read_bytes() == whole


@pytest.mark.parametrize("words", [["--margin", "0.3"], ["--align"]])
def test_what_has_no_effect_on_pictures_that_are_taken_whole_is_refused(tmp_path, words):
    with pytest.raises(SettingsError, match=f"{words[0]} has no effect: the pictures of synthetic are taken whole"):
        main(["synthetic", "--out", str(tmp_path / "out"), "--size", "64", *words])
    assert not (tmp_path / "out").exists() or not contents(tmp_path / "out")
