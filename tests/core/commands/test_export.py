"""`padkit export` and `padkit bench infer`: mistakes are one line, and what is written is said in the card."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from padkit.commands import bench, export
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.card import with_section
from padkit.deploy.checking import FormCheck
from padkit.deploy.exporting import Export
from padkit.deploy.stored import save_bundle
from padkit.errors import PadkitError
from padkit.networks.detector import Detector
from padkit.report.tables.export import export_table
from padkit_timm.student import TimmStudent

SIZE = 32
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A bundle without a run."""
    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(0)
    bundle = Bundle(
        student="timm", settings={"model": "test_resnet", "pretrained": False}, image_size=SIZE, simulated=True,
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),), crop=CropPolicy(margin=0.2, known=True),
    )  # fmt: skip
    save_bundle(folder, Detector(TimmStudent(model="test_resnet")).eval(), bundle)
    return folder


MISTAKES = {
    "unknown form": (export, ["--forms", "onix"], "form 'onix' is unknown"),
    "int8 without crops": (export, ["--forms", "onnx,onnx-int8"], "form onnx-int8 is calibrated on crops"),
    "empty folder of crops": (export, ["--forms", "onnx-int8", "--crops", "."], "holds no pictures"),
    "no threads": (export, ["--threads", "0"], "--threads: expected int"),
    "no seconds": (bench, ["--seconds", "0"], "--seconds: expected float > 0"),
    "negative threads": (bench, ["--threads", "-1"], "--threads: expected int >= 0"),
}


@pytest.mark.parametrize(("command", "words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line(model, tmp_path, monkeypatch, command, words, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PadkitError, match=told) as error:
        command.main([*(["infer"] if command is bench else []), str(model), *words])
    assert "\n" not in str(error.value)


def test_an_installed_model_is_left_as_it_is(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("padkit.deploy.predictor.located", lambda path: model)
    before = sorted(model.iterdir())
    with pytest.raises(PadkitError, match="experimental is no folder of yours to write to; say where to: --out DIR"):
        export.main(["experimental"])
    assert sorted(model.iterdir()) == before


def test_a_form_beside_its_table_and_record(model, tmp_path, capsys):
    """torch.export needs no extra."""
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(crops / f"{number}.png")
    out = tmp_path / "out"
    words = [str(model), "--forms", "torch", "--crops", str(crops), "--out", str(out), "--threads", "1"]
    assert export.main(words) == 0
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "bundle.json", "export.json", "model.pt2"]
    record = json.loads((out / "export.json").read_text())
    assert record["compared_on"] == "3 crops of --crops"
    assert record["forms"][0]["largest"] < 1e-5
    card = (out / "README.md").read_text()
    assert card.count("## Exported forms") == 1
    assert "| torch |" in card
    assert "## It must not be used for" in card
    assert str(out) in capsys.readouterr().out


def check(**facts) -> FormCheck:
    usual = {"form": "onnx-int8", "largest": 0.3, "mean": 0.01, "flips": 0.02, "hter": 0.16, "hter_change": 0.03}
    return FormCheck(**usual | {"auc": 0.96, "auc_change": -0.005, "size": 2**20, "p50": 7.0} | facts)


def test_the_table_says_what_changed_and_warns():
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=True,
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
    )  # fmt: skip
    alike = [check(form="onnx", hter_change=0.004), check(form="torch", hter=None, hter_change=None)]
    checks = [check(held=(0.02, 0.001)), *alike]
    found = export_table(Export(folder=None, bundle=bundle, checks=checks, weights_ms=50.0, weights_size=2**21,
                                shown="8 crops", calibrated=300, threads=2))  # fmt: skip
    assert found.rows[1].texts == [
        "onnx-int8",
        "3.0e-01",
        "1.0e-02",
        "2.00",
        "16.00 +3.00",
        "96.00 -0.50",
        "1.0",
        "7.0",
    ]
    assert found.rows[3].texts[4] == "-"
    warned = [note for note in found.notes if "by more than 0.5 points" in note]
    assert [note.split()[0] for note in warned] == ["onnx-int8"]
    assert any("Simulated data" in note for note in found.notes)
    assert any("300 crops" in note for note in found.notes)
    assert [note.partition(": ")[2] for note in found.notes if "held-out" in note] == ["onnx-int8 2.0e-02, 1.0e-03."]


def test_a_section_of_the_card_is_replaced():
    card = "# Card\n\n## Exported forms\n\nold\n\n## Other\n\nkept\n"
    found = with_section(card, "Exported forms", "new")
    assert found == "# Card\n\n## Other\n\nkept\n\n## Exported forms\n\nnew\n"
    assert with_section(found, "Exported forms", "new") == found
