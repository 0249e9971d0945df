"""The main job with teachers and students of the ecosystem, from small files of the genuine formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from tiny_clip import numbers, vit_layout
from toy_run import steps

from padkit.catalog import Catalog
from padkit.deploy.stored import load_bundle
from padkit.evaluation.scores import read_scores

Run = Callable[[list[str]], int]


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_every_teacher_teaches(
    dtda: Run,
    arguments: list[str],
    files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", precision)  # as `accelerate launch --mixed_precision` does
    teachers = {
        "fr": ["insightface", "model", "w600k_r18.onnx"],
        "arc": ["arcface", "weights", "backbone.pth"],
        "fe": ["stargan", "weights", "200000-D.ckpt", "maps", "1,3"],
        "dino": ["timm", "weights", "vit.safetensors", "model", "test_vit", "input_size", "32"],
        "clip": ["clip", "weights", "epoch_32.pt", "model", "tiny-ViT"],
    }
    options = [*arguments, "--aligner", "none", "--student.model", "test_resnet", "--max-steps", "3"]
    for name, (component, *settings) in teachers.items():
        options += [f"--teachers.{name}", component]
        for key, value in zip(settings[::2], settings[1::2], strict=True):
            options += [f"--teachers.{name}.{key}", files.get(value, value)]
    out = tmp_path / "run"
    assert dtda([*options, "--out", str(out)]) == 0
    records = steps(out)
    assert len(records) == 3
    for name in teachers:
        losses = [record[name] for record in records]
        assert all(0 < loss < 6 for loss in losses), f"{name}: {losses}"
        assert len(set(losses)) == 3
    saved = yaml.safe_load((out / "settings.yaml").read_text())["teachers"]
    assert saved["fe"]["maps"] == [1, 3]
    assert {name: place["name"] for name, place in saved.items()} == {n: given[0] for n, given in teachers.items()}


def test_a_clip_student_is_tuned_by_lora_under_a_text_head(
    dtda: Run, arguments: list[str], files: dict[str, str], tmp_path: Path
) -> None:
    options = ["--student", "clip", "--student.model", "tiny-ViT", "--student.weights", files["epoch_32.pt"]]
    options += ["--student.tuning", "lora", "--student.head", "text", "--student.live_prompts", "a face,a live face"]
    out = tmp_path / "run"
    assert dtda([*arguments, *options, "--max-steps", "3", "--out", str(out)]) == 0
    assert all(record["live"] > 0 for record in steps(out))
    detector, bundle = load_bundle(out / "model", Catalog())
    assert bundle.settings["live_prompts"] == ["a face", "a live face"]
    assert detector.head.classes.shape == (2, 24)
    assert len(read_scores(out / "scores.parquet")) == 12
    original = numbers(vit_layout())["visual.transformer.resblocks.0.attn.in_proj_weight"]
    kept = detector.student.state_dict()
    place = "tower.visual.transformer.resblocks.0.attn.parametrizations.in_proj_weight"
    assert torch.equal(kept[f"{place}.original"], original)
    assert kept[f"{place}.0.b"].abs().max() > 0
