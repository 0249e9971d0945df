"""`padkit evaluate --model`: peers and bundles on a folder, with the tables of a score file."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from peer_files import write_means
from PIL import Image

from padkit.commands.evaluate import main
from padkit.commands.peer import apart
from padkit.errors import PadkitError
from padkit.evaluation.scores import read_scores

# Mean blue decides class 1, by thousandths so that softmax does not saturate.
BLUE = [[0, 0.02, 0], [0, 0, 0], [0, 0, 0]]
RED = [[0, 0, 0], [0, 0, 0], [0, 0.02, 0]]
KINDS = {"live": (100, 0, 200), "spoof/print": (100, 0, 50)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Uniform pictures: blue ones are live; one file is no picture."""
    root = tmp_path_factory.mktemp("data")
    for split in ("dev", "test"):
        for kind, colour in KINDS.items():
            folder = root / "camera" / split / kind
            folder.mkdir(parents=True)
            for number in range(6):
                shade = tuple(min(value + number, 255) for value in colour)
                Image.new("RGB", (120, 90), shade).save(folder / f"s{number}.png")
    (root / "camera" / "test" / "live" / "broken.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    return write_means(folder / "2.7.onnx", 80, BLUE), write_means(folder / "4.onnx", 80, RED, batch=1, softmax=True)


def words(pair, data, *more):
    names = [word for path in pair for word in ("--model", str(path))]
    return [*names, "--data", "folder", "--data.root", str(data), "--bootstrap", "0", *map(str, more)]


def test_the_silent_face_pair_is_averaged_and_assessed_like_a_file(pair, data, tmp_path, capsys):
    out = tmp_path / "out.json"
    asked = words(
        pair, data, "--adapter", "silent-face", "--cropped", "--scores", tmp_path / "s.parquet", "--json", out
    )
    assert main(asked) == 0
    found = read_scores(tmp_path / "s.parquet")
    first = dict(zip(found.presentation.tolist(), found.score.tolist(), strict=True))
    name = next(each for each in first if "live" in each and "s0" in each)
    # B 200, R 100: softmax of (0, 4, 0) and of (0, 2, 0), class 1, averaged.
    assert first[name] == pytest.approx(np.mean([np.exp(x) / (np.exp(x) + 2) for x in (4.0, 2.0)]), abs=1e-5)
    assert len(found) == 12
    method = json.loads(out.read_text())["methods"][0]["runs"][0]
    assert method["values"]["auc"] == 1
    assert [entry["policy"] for entry in method["results"]] == ["dev-eer", "target-eer"]
    told = " ".join(capsys.readouterr().out.split())
    assert "non-response: 1 of 13 (7.7 %) bona fide presentations and 0 of 12 (0.0 %) attacks" in told
    assert "cannot be known from here" in told
    assert "2.7.onnx: taken as 2.7_80x80_MiniFASNetV2" in told
    assert "2.7.onnx: its outputs were taken for logits" in told
    assert "4.onnx: its outputs were taken for probabilities" in told


def test_the_scores_can_be_assessed_again_beside_it(pair, data, tmp_path, capsys):
    asked = words(pair, data, "--adapter", "silent-face", "--cropped")
    assert main([*asked, "--scores", str(tmp_path / "s.parquet")]) == 0
    assert main([*asked, "--against", str(tmp_path / "s.parquet")]) == 0
    assert "difference" in capsys.readouterr().out.lower()


def test_anti_spoof_mn3_takes_normalised_rgb(data, tmp_path):
    matrix = [[0, 0], [0, 0], [1, 0]]  # the mean of normalised blue, the third channel of RGB
    file = write_means(tmp_path / "anti-spoof-mn3.onnx", 128, matrix, batch=1, softmax=True)
    asked = words([file], data, "--adapter", "anti-spoof-mn3", "--cropped", "--scores", tmp_path / "s.parquet")
    assert main(asked) == 0
    found = read_scores(tmp_path / "s.parquet")
    highest = (205 - 107.8395) / 55.0035
    assert found.score.max() == pytest.approx(1 / (1 + np.exp(-highest)), abs=1e-5)


def test_an_adapter_of_ones_own_by_yaml(data, tmp_path):
    file = write_means(tmp_path / "mine.onnx", 16, [[0], [0], [0.01]])
    (tmp_path / "mine.yaml").write_text("outputs: sigmoid\nviews: [{width: 16, height: 16, mean: 100}]\n")
    asked = words([file], data, "--adapter", tmp_path / "mine.yaml", "--cropped", "--scores", tmp_path / "s.parquet")
    assert main(asked) == 0
    assert read_scores(tmp_path / "s.parquet").score.max() == pytest.approx(1 / (1 + np.exp(-1.05)), abs=1e-5)


def test_an_adapter_of_a_third_party(data, tmp_path, install, capsys):
    source = """
    from padkit.deploy.peer import Peer, View
    from padkit.hookspecs import hookimpl
    from padkit.specs import PeerSpec

    def mine():
        return Peer(views=(View(width=16, height=16),), live=0, source="our manual")

    @hookimpl
    def padkit_peers():
        return [PeerSpec(name="mine", summary="ours", factory="theirs:mine")]
    """
    install("padkit-theirs", "theirs", source)
    file = write_means(tmp_path / "mine.onnx", 16, [[0], [0], [0.01]])
    assert main(words([file], data, "--adapter", "mine", "--cropped")) == 0
    assert "our manual" in " ".join(capsys.readouterr().out.split())


def test_faces_in_photographs_are_found_and_cut_by_the_box(tmp_path, capsys):
    """The frame is black but for the face: 1.1 boxes are mostly skin, 4 boxes mostly black."""
    from skimage import data as pictures

    portrait = Image.fromarray(pictures.astronaut()[:300, 80:380])
    frame = Image.new("RGB", (640, 480))
    frame.paste(portrait.crop((60, 20, 240, 200)), (230, 150))
    for kind in ("live", "spoof"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        frame.save(tmp_path / "photos" / kind / "a.png")
    Image.new("RGB", (320, 240)).save(tmp_path / "photos" / "live" / "empty.png")
    green = [[0], [1 / 255], [0]]
    files = [write_means(tmp_path / f"{name}.onnx", 80, green) for name in ("near", "far")]
    shares = []
    for scale, file in zip((1.0, 4.0), files, strict=True):
        text = f"outputs: probabilities\nviews: [{{width: 80, height: 80, scale: {scale}, beyond: black}}]\n"
        (tmp_path / "one.yaml").write_text(text)
        out = tmp_path / "s.parquet"
        asked = words([file], tmp_path / "photos", "--adapter", tmp_path / "one.yaml", "--face", "lbp", "--scores", out)
        assert main(asked) == 0
        shares.append(read_scores(out).score.mean())
    assert shares[0] > 5 * shares[1] > 0
    told = " ".join(capsys.readouterr().out.split())
    assert "non-response: 1 of 2 (50.0 %) bona fide presentations" in told
    assert "Faces were found by lbp, not by the peer's own finder" in told


def test_the_words_of_the_dataset_are_taken_apart():
    given = ["--model", "a", "--data", "folder", "--data.root=x", "b.csv", "--data.flag", "--policy", "target-eer"]
    own, data = apart(given)
    assert own == ["--model", "a", "b.csv", "--policy", "target-eer"]
    assert data == ["--data", "folder", "--data.root=x", "--data.flag"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([], "name a run folder or a file of scores, or --model FILE with --data NAME"),
        (["--model", "a.onnx"], "add --data NAME"),
        (["s.csv", "--adapter", "silent-face"], "go with --model FILE"),
        (["--model", "a.onnx", "--model", "b.onnx", "--data", "folder"], "goes with --adapter NAME"),
        (["--model", "a.onnx", "--data", "folder", "--adapter", "x", "--cropped", "--face", "lbp"], "--cropped"),
        (["--model", "a.onnx", "--data", "folder", "--data.root", ".", "--adapter", "silent-fac"], "silent-face"),
        (["--model", "a.onnx", "--data", "folder", "--data.root", ".", "--adapter", "silent-face"], "names 1 files"),
        (["--model", "a.onnx", "--data", "folder", "--data.rot", ".", "--adapter", "silent-face"], "root"),
    ],
)
def test_mistakes_are_one_line(asked, told):
    with pytest.raises(PadkitError, match=re.escape(told)) as refused:
        main(asked)
    assert "\n" not in str(refused.value)
