from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from padkit.data.presentation import SPLITS
from padkit.errors import run_as_command
from padkit_synthetic.imaging import generator
from padkit_synthetic.simulate import main
from padkit_synthetic.world import DOMAINS


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
    for domain in DOMAINS:
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


def test_an_unreadable_photograph_is_skipped_and_named(tmp_path, capsys):
    faces = draw_folder(tmp_path / "faces", 3)
    (faces / "p00" / "broken.jpg").write_bytes(b"no image")
    assert command("--faces", faces, "--out", tmp_path / "out", "--settings", "hall", "--image-size", 64) == 0
    assert "broken.jpg" in capsys.readouterr().err
    assert len(list((tmp_path / "out").rglob("*.png"))) == 9


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


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        (missing, "is not a folder"),
        (empty, "holds no photographs"),
        (occupied, "is not empty"),
        (file_in_the_way, "cannot be made"),
        (too_few, "at most 3 --settings"),
        (unknown, "Did you mean 'office'?"),
        (twice, "twice"),
        (odd_size, "multiple of 16"),
        (all_broken, "none of the 3 photographs"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tmp_path, capsys, arrange, says):
    assert command(*arrange(tmp_path)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert says in last
    assert not list(tmp_path.rglob("out/*/*.png"))
