from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from portrait import BOX, portrait

from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.described import crop_policy
from padkit.deploy.predictor import Predictor
from padkit.errors import DataError, run_as_command
from padkit_synthetic.photographs.faces import cut_face
from padkit_synthetic.photographs.reader import PhotographsReader
from padkit_synthetic.photographs.scene import FRAMING, read_photograph
from padkit_synthetic.photographs.simulate import main

SIDE = BOX[3]  # of the face in the portrait, in pixels


def head() -> Image.Image:
    return Image.fromarray(portrait())


def command(*words: object) -> int:
    return run_as_command(lambda: main([str(word) for word in words]))


def test_a_small_face_beside_the_middle_fills_the_picture(tmp_path):
    room = Image.new("RGB", (900, 500), (90, 90, 90))
    room.paste(head(), (600, 200))
    room.save(tmp_path / "photo.png")
    found = read_photograph(tmp_path / "photo.png", 0.15)
    assert found.shape[0] == pytest.approx(1.3 * SIDE / FRAMING, rel=0.25)
    # The square is the one around the face in the portrait, not the middle of the photograph, which is plain.
    left, top = 600 + BOX[0] + BOX[2] / 2 - found.shape[0] / 2, 200 + BOX[1] + BOX[3] / 2 - found.shape[0] / 2
    meant = np.asarray(room.crop((round(left), round(top), round(left) + len(found), round(top) + len(found))), float)
    middle = np.s_[len(found) // 4 : -len(found) // 4]
    shifts = [
        np.roll(found.astype(float), (down, right), (0, 1)) for down in (-20, -10, 0, 10, 20) for right in (-10, 0, 10)
    ]
    likeness = max(np.corrcoef(one[middle, middle].ravel(), meant[middle, middle].ravel())[0, 1] for one in shifts)
    assert likeness > 0.6
    assert read_photograph(tmp_path / "photo.png").shape == (500, 500, 3)


def test_a_face_that_reaches_the_border_is_found_and_framed_beyond_it():
    x, y, width, height = BOX
    tight = head().crop((round(x), round(y), round(x + width), round(y + height))).resize((92, 98))
    found = cut_face(tight, margin=0.15, shown=FRAMING, limit=1024, name="tight")
    assert found.shape[0] > 98
    assert found.shape[0] == pytest.approx(98 * 1.3 / FRAMING, rel=0.25)


def test_a_model_cuts_faces_as_it_was_trained_on_them(tmp_path):
    """`padkit predict` finds the face of a tight photograph where training found it, and as large."""
    x, y, width, height = BOX
    tight = head().crop((round(x), round(y), round(x + width), round(y + height)))
    people(tmp_path)
    reader = PhotographsReader(root=str(tmp_path), face_margin=0.05, image_size=64)
    crop = crop_policy(reader, SimpleNamespace(preparation={}))
    bundle = Bundle(
        student="timm", settings={}, image_size=64, thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
        simulated=True, crop=crop,
    )  # fmt: skip
    assert crop == CropPolicy(face="lbp-tight", margin=0.05, known=True)
    (found,) = Predictor(bundle=bundle, score=len, face=crop.face).find(tight)
    assert np.array_equal(found.crop, cut_face(tight, margin=0.05, shown=1.0, limit=64, name="tight"))


def test_the_margin_and_the_limit_set_the_side():
    sides = [len(cut_face(head(), margin=margin, shown=1.0, limit=1024, name="")) for margin in (0.0, 0.5)]
    assert sides[1] == pytest.approx(2 * sides[0], abs=2)
    assert len(cut_face(head(), margin=0.5, shown=1.0, limit=64, name="")) == 64


def test_the_largest_of_several_faces_is_taken():
    both = Image.new("RGB", (700, 300), (90, 90, 90))
    both.paste(head().resize((150, 150)), (20, 20))
    both.paste(head(), (400, 20))
    alone = len(cut_face(head(), margin=0.0, shown=1.0, limit=1024, name=""))
    assert len(cut_face(both, margin=0.0, shown=1.0, limit=1024, name="")) == pytest.approx(alone, rel=0.25)


def test_no_face_is_an_error_that_names_the_photograph():
    with pytest.raises(DataError, match=r"^holiday.jpg: no face was found\.$"):
        cut_face(Image.new("RGB", (200, 100), (90, 90, 90)), margin=0.0, shown=1.0, limit=1024, name="holiday.jpg")


def people(root: Path) -> Path:
    for number in range(3):
        (root / f"p{number}").mkdir(parents=True)
        head().resize((128, 128)).save(root / f"p{number}" / "a.png")
    return root


def test_the_command_skips_and_counts_photographs_without_a_face(tmp_path, capsys):
    faces = people(tmp_path / "faces")
    Image.new("RGB", (64, 64)).save(faces / "p0" / "wall.png")
    words = ("--faces", faces, "--out", tmp_path / "out", "--image-size", 64, "--settings", "hall", "--workers", 1)
    assert command(*words, "--face", "lbp") == 0
    told = capsys.readouterr().err
    assert "1 photographs are skipped:" in told
    assert "wall.png: no face was found." in told
    assert len(list((tmp_path / "out").rglob("*.png"))) == 9
    receipt = json.loads((tmp_path / "out" / "simulation.json").read_text())
    assert (receipt["face"], receipt["margin"]) == ("lbp", 0.15)
    assert command(*words) == 2
    assert "begun with other face, margin" in capsys.readouterr().err
    assert command(*words, "--face", "lbp", "--margin", 0.3) == 2
    assert "begun with other margin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--margin", "0.2"), "--margin has no effect without --face lbp"),
        (("--face", "lbp", "--margin", "-0.1"), "argument --margin: expected float in [0, 2], got '-0.1'"),
        (("--face", "lbp", "--margin", "nan"), "argument --margin: expected float in [0, 2], got 'nan'"),
        (("--face", "scrfd"), "invalid choice: 'scrfd'"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tmp_path, capsys, words, says):
    assert command("--faces", people(tmp_path / "faces"), "--out", tmp_path / "out", *words) == 2
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()
