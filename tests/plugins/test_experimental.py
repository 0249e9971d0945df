"""The embedded model: its files are those of its checksums, and it judges without torch and without network."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import padkit
from padkit.deploy.bundle import read_bundle, sha256_of
from padkit.deploy.verdict import Reason
from padkit_experimental.files import experimental

ALONE = """
import sys
for name in ("torch", "timm", "safetensors", "huggingface_hub"):
    sys.modules[name] = None
from padkit.commands.predict import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory):
    skimage = pytest.importorskip("skimage.data")
    file = tmp_path_factory.mktemp("picture") / "astronaut.png"
    Image.fromarray(skimage.astronaut()).save(file)
    return file


def test_its_files_are_those_of_its_checksums():
    folder = experimental()
    sums = dict(line.split()[::-1] for line in (folder / "checksums.txt").read_text().splitlines())
    assert sorted(sums) == ["model-int8.onnx", "model.safetensors"]
    for name, told in sums.items():
        assert sha256_of(folder / name) == told
        assert (folder / name).stat().st_size <= 8e6
    assert read_bundle(folder).sha256 == sums["model.safetensors"]


def test_its_card_says_what_it_was_trained_on_and_what_was_measured():
    card = (experimental() / "README.md").read_text()
    for words in (
        "license: apache-2.0", "| astronaut.png | public domain (NASA) |", "## Measured", "pretrain_experimental",
        "Nobody has certified this model", "Real attacks have not been measured.",
    ):  # fmt: skip
        assert words in card


def test_it_judges_without_torch_without_network_and_says_what_it_is(astronaut):
    pytest.importorskip("onnxruntime")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(astronaut), "--json", "--threads", "1"],
        capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = map(json.loads, done.stdout.splitlines())
    assert result["verdict"] in ("bona fide", "attack")
    assert result["model"] == read_bundle(experimental()).sha256[:12]
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    for words in ("no MODEL named, so experimental judges", "simulated faces", "certified by nobody", "AUC"):
        assert words in told


def test_it_judges_photographs_that_end_close_to_the_face(astronaut):
    pytest.importorskip("onnxruntime")
    tight = Image.open(astronaut).crop((182, 64, 276, 172))  # from forehead to chin, ear to ear
    (found,) = padkit.load("experimental", backend="onnx").judge(tight)
    assert (found.reason, found.score is None) == (None, False)
    (missed,) = padkit.load("experimental", backend="onnx", face="lbp").judge(tight)
    assert missed.reason is Reason.NO_FACE


def test_int8_scores_as_the_weights_do(astronaut):
    pytest.importorskip("onnxruntime")
    picture = Image.open(astronaut)
    pictures = [picture, picture.resize((300, 300)), picture.convert("L")]
    exact, rounded = (
        [padkit.load("experimental", backend=backend).judge(one)[0].score for one in pictures]
        for backend in ("torch", "onnx")
    )
    np.testing.assert_allclose(rounded, exact, atol=0.15)
