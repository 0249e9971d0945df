"""The gradient penalty is the paper's, and the recipe leaves both networks, their cards and the editing grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from recipe_modules import recipe_module
from toy_run import reset_accelerate

from padkit import weights
from padkit.errors import DataError, SettingsError, WeightsError
from padkit_stargan.teacher import StarGANTeacher
from padkit_synthetic.world import LISTED

TINY = ["--steps", "3", "--n_critic", "2", "--batch_size", "4", "--image_size", "32", "--layers", "3", "--blocks", "1"]
TINY += ["--d_width", "4", "--g_width", "4", "--judge_steps", "2"]
FACES = ["--data", "faces", "--data.identities", "6", "--data.images", "3", "--data.test_share", "0.34"]


@pytest.fixture(scope="module")
def recipe():
    with recipe_module("pretrain_stargan") as module:
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


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic(recipe, slope):
    direction = torch.zeros(3, 4, 4)
    direction[1, 2, 3] = slope

    def critic(images):
        return (images * direction).sum((1, 2, 3))[:, None], torch.zeros(len(images), 1)

    penalty = recipe.gradient_penalty(critic, torch.rand(5, 3, 4, 4))
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-6)


def test_gradient_penalty_pulls_the_slope_towards_one(recipe):
    weight = torch.full((3, 2, 2), 2.0, requires_grad=True)
    penalty = recipe.gradient_penalty(lambda x: ((x * weight).sum((1, 2, 3)), None), torch.rand(2, 3, 2, 2))
    penalty.backward()
    norm = 12**0.5 * 2
    assert penalty.item() == pytest.approx((norm - 1) ** 2, rel=1e-5)
    torch.testing.assert_close(weight.grad, torch.full_like(weight, 2 * (norm - 1) * 2 / norm))


def test_classification_sums_attributes_and_averages_the_batch(recipe):
    loss = recipe.classification(torch.zeros(4, 3), torch.ones(4, 3))
    assert loss.item() == pytest.approx(3 * np.log(2))


def test_three_steps_give_both_networks_cards_and_grid(recipe, tmp_path):
    out = tmp_path / "run"
    assert recipe.main([*TINY, *FACES, "--out", str(out), "--tag", "toy"]) == 0
    for part, source in (("D", "discriminator"), ("G", "generator")):
        file = out / f"stargan_{part}_toy.safetensors"
        card = weights.read_card(file)
        assert card.sha256 == weights.sha256(file)
        assert card.data == f"trained on simulated faces of world {LISTED}, 64 px, seed 0: 12 images"
        assert {"attribute_accuracy_real", "judge_sees_edit", "attribute_accuracy_real.smile"} <= set(card.figures)
        assert all(0 <= value <= 1 for value in card.figures.values())
        assert len(StarGANTeacher(weights=str(file), source=source)(torch.rand(1, 3, 64, 64)).maps) >= 3
    with Image.open(out / "editing_toy.png") as grid:
        assert grid.size == (32 * (1 + 1 + 6), 32 * 6)


def test_generator_moves_only_every_nth_step(recipe, tmp_path):
    states = {}
    for steps in ("1", "3"):
        out = tmp_path / steps
        recipe.main([*TINY, *FACES, "--out", str(out), "--steps", steps, "--judge_steps", "0", "--half", "false"])
        states[steps] = {
            part: weights.read_weights(out / f"stargan_{part}.safetensors")["main.0.weight"] for part in "GD"
        }
    assert not torch.equal(states["1"]["D"], states["3"]["D"])
    assert not torch.equal(states["1"]["G"], states["3"]["G"])
    untouched = tmp_path / "critic only"
    recipe.main([*TINY, *FACES, "--out", str(untouched), "--n_critic", "9", "--judge_steps", "0", "--half", "false"])
    kernel = weights.read_weights(untouched / "stargan_G.safetensors")["main.0.weight"]
    torch.testing.assert_close(kernel, states["1"]["G"])


def celeba(root: Path, people: int = 4) -> tuple[Path, Path]:
    rng, lines, owners = np.random.default_rng(0), [], []
    (root / "images").mkdir()
    for number in range(12):
        name = f"{number + 1:06d}.png"
        Image.fromarray(rng.integers(0, 255, (44, 36, 3), np.uint8)).save(root / "images" / name)
        lines.append(f"{name} {1 if number % 2 else -1}  {-1 if number % 3 else 1}")
        owners.append(f"{name} {number % people}")
    (root / "list_attr.txt").write_text("\n".join(["12", "Male Young", *lines]) + "\n")
    (root / "identity.txt").write_text("\n".join(owners) + "\n")
    return root / "list_attr.txt", root / "identity.txt"


def test_a_folder_with_celebas_tables(recipe, tmp_path):
    table, owners = celeba(tmp_path)
    data = ["--data", "identities", "--data.root", str(tmp_path / "images"), "--data.attributes", str(table)]
    data += ["--data.identity_file", str(owners), "--attributes", "Young"]
    assert recipe.main([*TINY, *data, "--out", str(tmp_path / "run")]) == 0
    card = weights.read_card(tmp_path / "run" / "stargan_D.safetensors")
    assert card.summary.endswith("attributes Young")
    assert "terms of its training data" in card.licence


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["--batch_size", "64"], SettingsError, "exceeds the 12 training images"),
        (["--out", "/proc/runs"], WeightsError, "cannot be written"),
        (["--n_critic", "0"], SettingsError, "expected int >= 1"),
        (["--image_size", "30"], SettingsError, "multiple of 2\\^layers = 8"),
        (["--attributes", "smile,galsses"], SettingsError, "Did you mean 'glasses'"),
    ],
)
def test_bad_input_is_one_line_before_the_first_step(recipe, capsys, words, error, text):
    with pytest.raises(error, match=text) as caught:
        recipe.main([*TINY, *FACES, *words])
    assert "\n" not in str(caught.value)
    assert "step" not in capsys.readouterr().out


def test_a_dataset_without_attributes_is_refused(recipe, tmp_path):
    celeba(tmp_path)
    data = ["--data", "folder", "--data.root", str(tmp_path / "tree")]
    for index, file in enumerate(sorted((tmp_path / "images").iterdir())):
        target = tmp_path / "tree" / "live" / f"{index}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    with pytest.raises(DataError, match="names no facial attributes"):
        recipe.main([*TINY, *data])
