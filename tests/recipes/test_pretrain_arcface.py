"""ArcFace's loss is the paper's, and the recipe leaves weights that the teacher loads."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from recipe_modules import recipe_module
from torch.nn import functional as F
from toy_run import reset_accelerate

from padkit import weights
from padkit.errors import DataError, SettingsError, WeightsError
from padkit_arcface.teacher import ArcFaceTeacher
from padkit_synthetic.world import LISTED

TINY = [
    "--steps",
    "3",
    "--batch_size",
    "4",
    "--width",
    "4",
    "--embedding",
    "8",
    "--input_size",
    "64",
]  # narrow: where channels-last convolutions crash
FACES = ["--data", "faces", "--data.identities", "6", "--data.images", "3", "--data.test_share", "0.34"]


@pytest.fixture(scope="module")
def recipe():
    with recipe_module("pretrain_arcface") as module:
        yield module


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    reset_accelerate()
    yield
    reset_accelerate()
    torch.set_num_threads(threads)


def test_margin_by_hand(recipe):
    angles = torch.tensor([[0.5, 1.2, 2.0], [1.0, 0.3, 2.5]])
    labels = torch.tensor([0, 1])
    logits = recipe.margin_logits(angles.cos(), labels, scale=10.0, margin=0.4)
    by_hand = [
        [10 * math.cos(0.9), 10 * math.cos(1.2), 10 * math.cos(2.0)],
        [10 * math.cos(1.0), 10 * math.cos(0.7), 10 * math.cos(2.5)],
    ]
    torch.testing.assert_close(logits, torch.tensor(by_hand), atol=1e-4, rtol=0)
    first = -math.log(math.exp(by_hand[0][0]) / sum(map(math.exp, by_hand[0])))
    second = -math.log(math.exp(by_hand[1][1]) / sum(map(math.exp, by_hand[1])))
    assert F.cross_entropy(logits, labels).item() == pytest.approx((first + second) / 2, abs=1e-4)


def test_own_logit_falls_with_the_angle_up_to_pi(recipe):
    angles = torch.linspace(0.01, math.pi - 0.01, 200)[:, None]
    logits = recipe.margin_logits(angles.cos(), torch.zeros(200, dtype=torch.long), 1.0, 0.5)[:, 0]
    assert bool((logits.diff() < 1e-6).all())


def test_no_margin_leaves_the_cosines(recipe):
    cosine = torch.rand(4, 5) * 2 - 1
    logits = recipe.margin_logits(cosine, torch.tensor([0, 1, 2, 3]), 7.0, 0.0)
    torch.testing.assert_close(logits, 7 * cosine, atol=1e-4, rtol=1e-4)


def test_gradient_is_finite_at_the_poles(recipe):
    cosine = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    recipe.margin_logits(cosine, torch.tensor([0, 0]), 32.0, 0.4).sum().backward()
    assert bool(cosine.grad.isfinite().all())


def test_verification_figures(recipe):
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    figures = recipe.verification(apart, labels)
    assert (figures["verification_auc"], figures["tar_at_far_1pct"]) == (1.0, 1.0)
    assert (figures["genuine_pairs"], figures["impostor_pairs"]) == (2, 4)
    swapped = recipe.verification(apart[[0, 2, 1, 3]], labels)
    assert swapped["verification_auc"] < 0.5
    with pytest.raises(DataError, match="at least two"):
        recipe.verification(apart, torch.zeros(4))


def test_three_steps_give_weights_that_the_teacher_loads(recipe, tmp_path, capsys):
    out = tmp_path / "run" / "fr.safetensors"
    assert recipe.main([*TINY, *FACES, "--out", str(out), "--seed", "5"]) == 0
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["sha256"] == weights.sha256(out)
    assert card["seed"] == 5
    assert card["data"] == f"trained on simulated faces of world {LISTED}, 64 px, seed 0: 12 images of 4 identities"
    assert card["figures"]["unseen_identities"] == 2
    assert "pretrain_arcface.py --steps 3" in card["recipe"]
    features = ArcFaceTeacher(weights=str(out))(torch.rand(1, 3, 64, 64))
    assert [m.shape[1] for m in features.maps] == [4, 8, 16, 32]
    assert features.embedding.shape == (1, 8)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert len(lines) == 3


def test_same_seed_same_weights(recipe, tmp_path):
    for name in ("a", "b"):
        recipe.main([*TINY, *FACES, "--out", str(tmp_path / f"{name}.safetensors")])
    first, second = (weights.read_weights(tmp_path / f"{name}.safetensors") for name in "ab")
    assert first
    for key, value in first.items():
        torch.testing.assert_close(value, second[key])


def test_a_folder_of_identities(recipe, tmp_path):
    rng = np.random.default_rng(0)
    for person in range(5):
        for number in range(2):
            file = tmp_path / "people" / f"p{person}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(file)
    out = tmp_path / "own.safetensors"
    data = ["--data", "identities", "--data.root", str(tmp_path / "people"), "--data.test_share", "0.4"]
    assert recipe.main([*TINY, *data, "--out", str(out)]) == 0
    card = weights.read_card(out)
    assert card.data == "trained on identities: 6 images of 3 identities"
    assert "terms of its training data" in card.licence


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["--batch_size", "64"], SettingsError, "exceeds the 12 training images"),
        (["--steps", "0"], SettingsError, "expected int >= 1"),
        (["--input_size", "30"], SettingsError, "multiple of 16"),
        (["--stepz", "3"], SettingsError, "steps"),
        (["--out", "weights.pth"], WeightsError, "safetensors"),
        (["--out", "/proc/fr.safetensors"], WeightsError, "cannot be written"),
        (["--data.test_share", "0.17"], DataError, "1 identity to verify with"),
    ],
)
def test_bad_input_is_one_line_before_the_first_step(recipe, capsys, words, error, text):
    with pytest.raises(error, match=text) as caught:
        recipe.main([*TINY, *FACES, *words])
    assert "\n" not in str(caught.value)
    assert "step" not in capsys.readouterr().out
