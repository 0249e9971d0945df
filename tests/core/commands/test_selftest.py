"""`padkit selftest`, whole, with a toy model whose score is the brightness of a crop and a camera that is a list."""

from __future__ import annotations

import builtins
import json

import numpy as np
import pytest
from PIL import Image

from padkit.commands.selftest import main
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy, describe
from padkit.errors import PadkitError
from padkit.evaluation.statistics.binomial import exact_interval

SIZE = 16


def brightness(crops: np.ndarray) -> np.ndarray:
    return (crops.mean(axis=(1, 2, 3)) / 255).astype(np.float32)


def nowhere(picture, hint):
    """A face in the middle of every picture that is not very dark, two in wide ones."""
    if np.asarray(picture).mean() < 20:
        return []
    face = FaceHint(box=(20, 20, 60, 60))
    return [face, FaceHint(box=(110, 20, 50, 50))] if picture.width > 150 else [face]


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr("padkit.deploy.predictor.scorer", lambda *_, **__: brightness)
    monkeypatch.setattr("padkit.deploy.predictor.finder", lambda name, model: nowhere)


@pytest.fixture
def model(tmp_path):
    threshold = BundleThreshold(policy="source-dev", value=0.5, chosen_on="held-out")
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=True, crop=CropPolicy(face="lbp", known=True),
        thresholds=(threshold,), sha256="ab" * 32,
    )  # fmt: skip
    describe(tmp_path / "model", bundle)
    return str(tmp_path / "model")


def picture(grey, number, width=100):
    """Of a mean grey, with some texture, so that it is not blurred; each is another one."""
    noise = np.random.default_rng(number).integers(-15, 16, (100, width, 3))
    return Image.fromarray((grey + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture
def captures(tmp_path):
    """20 live faces, one of them dim; 21 prints, two bright, one without a face; 5 phones, all bright."""
    root = tmp_path / "captures"
    kinds = {
        "live": [200] * 19 + [90],
        "print": [90] * 18 + [200] * 2 + [5],
        "phone": [200] * 5,
    }
    for kind, greys in kinds.items():
        (root / kind).mkdir(parents=True)
        for number, grey in enumerate(greys):
            picture(grey, hash((len(kind), number)) % 2**32).save(root / kind / f"{number}.png")
    (root / "print" / "notes.txt").write_text("which printer")
    (root / "stray.png").write_bytes(b"x")
    return root


def test_each_species_has_its_rate_or_claims_nothing(model, captures, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([model, "--captures", str(captures), "--out", str(out)]) == 0
    found = json.loads((out / "selftest.json").read_text())
    live, phone, printed = found["species"]
    assert [one["name"] for one in found["species"]] == ["live", "phone", "print"]
    assert (live["label"], live["errors"], live["judged"]) == (1, 1, 20)
    assert live["rate"]["interval"] == pytest.approx(exact_interval(1, 20))
    assert (printed["errors"], printed["judged"], printed["not_judged"]) == (2, 20, 1)
    assert printed["rate"]["rate"] == pytest.approx(0.1), "what is not judged is no error and no success"
    assert printed["non_response"]["interval"] == pytest.approx(exact_interval(1, 21))
    assert printed["reasons"] == {"no_face": 1}
    assert (phone["errors"], phone["judged"], phone["rate"], phone["non_response"]) == (5, 5, None, None)
    assert found["model"]["sha256"] == "ab" * 32
    assert (found["model"]["policy"], found["model"]["threshold"]) == ("source-dev", 0.5)
    assert found["model"]["simulated"]
    assert sum(entry["count"] for entry in found["unread"]) == 2
    assert {one["sha256"] for one in live["results"]}.isdisjoint({one["sha256"] for one in printed["results"]})

    report, page = (out / "selftest.md").read_text(), (out / "selftest.html").read_text()
    for text in ("| print | APCER | 2 | 20 | 10.00 [1.23, 31.70]", "| phone | APCER | 5 | 5 | - | - | - |", "no face"):
        assert text in report.replace("\\", ""), text
    assert "nothing is claimed" in report
    assert "APCER of the worst species" not in report, "one species is too small"
    assert "<h2>Errors by species, in %</h2>" in page
    assert "prefers-color-scheme: dark" in page
    assert "http" not in page.replace("https://padkit", ""), "it loads nothing"
    assert "Errors by species" in capsys.readouterr().out


def test_where_all_species_are_large_enough_the_worst_is_named(model, captures, tmp_path):
    for path in (captures / "phone").iterdir():
        path.unlink()
    (captures / "phone").rmdir()
    main([model, "--captures", str(captures), "--out", str(tmp_path / "out"), "--strict"])
    assert "APCER of the worst species, print: 10.00 %; at most 28.26 %" in (tmp_path / "out/selftest.md").read_text()


class Keys:
    """Types one key after the other; a person who has no more to type is gone."""

    def __init__(self, keys):
        self.keys = list(keys)
        self.shown = []

    def __call__(self, prompt):
        self.shown.append(prompt)
        if not self.keys:
            raise EOFError
        return self.keys.pop(0)


@pytest.fixture
def webcam(monkeypatch):
    """A camera that goes on for ever and shows another picture each time; how bright is what `grey` holds."""
    grey = {"now": 200, "width": 100}

    def frames(number, *, every=5):
        count = 0
        while True:
            yield count, picture(grey["now"], count, grey["width"])
            count += 1

    monkeypatch.setattr("padkit.deploy.inputs.webcam", frames)
    return grey


def guided(model, out, keys, monkeypatch, *words):
    typed = Keys(keys)
    monkeypatch.setattr(builtins, "input", typed)
    line = [model, "--webcam", "0", "--out", str(out), "--species", "live,print", "--count", "3", *words]
    return main(line), typed.shown


def test_a_stopped_session_goes_on_where_it_stopped(model, webcam, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    status, shown = guided(model, out, ["", "", "q"], monkeypatch)
    assert status == 0
    assert shown == ["live 1 of 3: ", "live 2 of 3: ", "live 3 of 3: "]
    assert "it goes on with: padkit selftest" in capsys.readouterr().err
    first = {path.name: path.read_bytes() for path in (out / "captures" / "live").iterdir()}
    assert [*sorted(first)] == ["001.png", "002.png"]
    webcam["now"] = 90
    status, shown = guided(model, out, [""] * 4, monkeypatch)
    assert shown == ["live 3 of 3: ", "print 1 of 3: ", "print 2 of 3: ", "print 3 of 3: "]
    assert "it goes on" not in capsys.readouterr().err
    assert all((out / "captures" / "live" / name).read_bytes() == content for name, content in first.items())
    found = json.loads((out / "selftest.json").read_text())["species"]
    assert [(one["name"], one["errors"], one["judged"]) for one in found] == [("live", 1, 3), ("print", 0, 3)]
    assert all(one["rate"] is None for one in found)


def test_the_person_is_told_what_was_seen_but_no_verdict(model, webcam, tmp_path, monkeypatch, capsys):
    webcam["width"] = 200
    guided(model, tmp_path / "out", ["", "s", "q"], monkeypatch)
    told = capsys.readouterr().out.partition("Errors by species")[0]
    assert "2 faces were found; the presentation counts as one that is not judged" in told
    assert "Keep your own face out of the picture" in told
    assert "bona fide" not in told
    assert "attack" not in told


def test_what_is_taken_back_is_kept_apart_and_counted(model, webcam, tmp_path, monkeypatch):
    out = tmp_path / "out"
    _, shown = guided(model, out, ["u", "", "u", "?", "", "q"], monkeypatch)
    assert shown[:5] == ["live 1 of 3: "] * 2 + ["live 2 of 3: "] + ["live 1 of 3: "] * 2
    assert [path.name for path in (out / "captures" / "live").iterdir()] == ["002.png"]
    assert [path.name for path in (out / "discarded" / "live").iterdir()] == ["001.png"]
    assert json.loads((out / "selftest.json").read_text())["taken_back"] == {"live": 1}
    assert "Taken back by the person and in no rate: live 1." in (out / "selftest.md").read_text()


def test_a_camera_that_cannot_be_opened_is_one_line_before_anything_is_asked(model, tmp_path, monkeypatch):
    def broken(number, *, every=5):
        raise PadkitError(f"webcam {number}: cannot be opened (gone); check that it is there and free.")
        yield

    monkeypatch.setattr("padkit.deploy.inputs.webcam", broken)
    with pytest.raises(PadkitError, match="webcam 0: cannot be opened"):
        guided(model, tmp_path / "out", [""], monkeypatch)
    assert not (tmp_path / "out").exists()


def test_nobody_before_the_camera_leaves_nothing(model, webcam, tmp_path, monkeypatch):
    assert guided(model, tmp_path / "out", [], monkeypatch)[0] == 1
    assert not (tmp_path / "out").exists()


MISTAKES = {
    "neither": ([], "--webcam N or --captures DIR, one of them"),
    "both": (["--webcam", "0", "--captures", "x"], "one of them"),
    "no folder": (["--captures", "nowhere"], "nowhere: no such folder"),
    "no species": (["--captures", "EMPTY"], "holds no captures"),
    "strict": (["--captures", "CAPTURES", "--strict"], "--strict: phone 5 presentations, 20 are needed"),
    "crops of a webcam": (["--webcam", "0", "--cropped"], "goes without --webcam"),
    "finder of crops": (["--captures", "x", "--cropped", "--face", "lbp"], "goes without --face"),
    "all faces": (["--captures", "x", "--faces", "all"], "invalid choice: 'all'"),
    "species": (["--webcam", "0", "--species", "live,../print"], "names of folders"),
    "twice": (["--webcam", "0", "--species", "live,live"], "is there twice"),
    "policy": (["--captures", "CAPTURES", "--policy", "best"], "'best'"),
}


@pytest.mark.parametrize(("words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line_and_write_nothing(model, captures, tmp_path, words, told):
    (tmp_path / "empty").mkdir()
    places = {"CAPTURES": str(captures), "EMPTY": str(tmp_path / "empty")}
    with pytest.raises(PadkitError, match=told) as error:
        main([model, "--out", str(tmp_path / "out"), *(places.get(word, word) for word in words)])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_file_in_two_species_is_refused_and_a_repeated_one_counts_once(model, captures, tmp_path):
    (captures / "live" / "again.png").write_bytes((captures / "live" / "0.png").read_bytes())
    main([model, "--captures", str(captures), "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "out" / "selftest.json").read_text())
    assert found["species"][0]["presentations"] == 20
    assert "the same file as another of its species" in {entry["reason"] for entry in found["unread"]}
    (captures / "print" / "live.png").write_bytes((captures / "live" / "0.png").read_bytes())
    with pytest.raises(PadkitError, match=r"live.png: is the same file as .*live.0.png, of another species"):
        main([model, "--captures", str(captures), "--out", str(tmp_path / "out")])


def test_synonyms_of_live_are_bona_fide_and_a_missing_class_is_told(model, captures, tmp_path):
    (captures / "live").rename(captures / "Bona-Fide")
    for name in ("print", "phone"):
        (captures / name).rename(tmp_path / name)
    main([model, "--captures", str(captures), "--out", str(tmp_path / "out")])
    (species,) = json.loads((tmp_path / "out" / "selftest.json").read_text())["species"]
    assert (species["label"], species["errors"]) == (1, 1)
    assert "No attack presentation was made" in (tmp_path / "out" / "selftest.md").read_text()
    with pytest.raises(PadkitError, match="no attack presentation"):
        main([model, "--captures", str(captures), "--out", str(tmp_path / "out"), "--strict"])
