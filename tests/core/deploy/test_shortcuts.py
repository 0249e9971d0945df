"""What a model leans on: a toy that judges by brightness is found out, one that judges by texture is not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from padkit.data.preparation.prepare import prepare
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.predictor import Predictor
from padkit.deploy.shortcuts import COLOURS, STRETCHED, shortcuts
from padkit.evaluation.metrics import auc
from padkit.report.tables.shortcuts import shortcuts_tables
from padkit_folder.manifest import ManifestReader
from padkit_folder.tables import TablesReader

SIZE = 16


def sigmoid(values: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-values))).astype(np.float32)


def by_brightness(crops: np.ndarray) -> np.ndarray:
    return sigmoid((crops.mean((1, 2, 3)) - 125) / 20)


def by_texture(crops: np.ndarray) -> np.ndarray:
    values = crops.astype(float)
    return sigmoid(np.abs(np.diff(values, axis=2)).mean((1, 2, 3)) / values.std((1, 2, 3)) * 4 - 2)


def by_width(crops: np.ndarray) -> np.ndarray:
    """How far the bright band in the middle reaches."""
    return sigmoid((crops[..., 0] > 200).mean((1, 2)) * 10 - 5)


def write(root, shape=(SIZE, SIZE)) -> ManifestReader:
    """20 live crops, bright and smooth, and 20 attacks, dark and rough; two cameras, one of them without attacks."""
    generator, rows = np.random.default_rng(0), ["path,label,device,domain"]
    for number in range(40):
        live = number < 20
        slope = np.linspace(-20, 20, shape[0])[None, :, None] * np.ones((shape[1], 1, 3))
        rough = generator.normal(0, 15, (shape[1], shape[0], 1))
        pixels = (slope if live else slope + rough) + generator.normal(150 if live else 100, 12)
        Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8)).save(root / f"{number}.png")
        device = "phone" if number % 4 == 0 and live else "webcam"
        rows.append(f"{number}.png,{'live' if live else 'spoof'},{device},home")
    (root / "list.csv").write_text("\n".join(rows))
    return ManifestReader(file=str(root / "list.csv"), image_size=SIZE)


def model(score) -> Predictor:
    bundle = Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=False, crop=CropPolicy(known=True),
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
    )  # fmt: skip
    return Predictor(bundle=bundle, score=score)


def found_by(score, reader, cache, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(cache))
    table, predictor = prepare(reader, dataset_name="toy", progress=False, workers=1), model(score)
    rows = np.arange(len(table))
    crops = [table.image(row).transpose(1, 2, 0) for row in rows]
    return shortcuts(predictor, table, rows, predictor.scores(crops), reader), table, crops


def test_a_model_that_judges_by_brightness_is_found_out(tmp_path, monkeypatch):
    found, table, crops = found_by(by_brightness, write(tmp_path), tmp_path / "cache", monkeypatch)
    (colour,) = found.changes
    assert colour.name == COLOURS
    assert colour.auc.first == auc(table.column("label"), by_brightness(np.stack(crops)).astype(float)) > 0.97
    assert colour.auc.second < 0.8
    assert colour.large
    text = shortcuts_tables(json.loads(json.dumps(found.record())))[0]
    assert "judges by colour, brightness or contrast, a shortcut" in text.notes[0]


def test_colours_that_mislead_are_a_shortcut_too(tmp_path, monkeypatch):
    def mixed(crops):
        return sigmoid(-(crops.mean((1, 2, 3)) - 125) / 10 + 8 * (0.5 - by_texture(crops)))

    found, *_ = found_by(mixed, write(tmp_path), tmp_path / "cache", monkeypatch)
    assert found.changes[0].auc.difference < -0.3
    assert "a shortcut that misleads it on these data" in shortcuts_tables(found.record())[0].notes[0]


def test_a_model_that_judges_by_texture_is_not(tmp_path, monkeypatch):
    found, *_ = found_by(lambda crops: 1 - by_texture(crops), write(tmp_path), tmp_path / "cache", monkeypatch)
    (colour,) = found.changes
    assert colour.auc.first > 0.97
    assert not colour.large
    tables = shortcuts_tables(found.record())
    assert tables[0].notes[0] == "No difference of more than 3 points."
    assert "square" in found.not_measured
    assert "square" in tables[0].notes[1]


def test_cameras_have_a_row_each_and_an_auc_where_both_classes_are(tmp_path, monkeypatch):
    found, table, crops = found_by(by_brightness, write(tmp_path), tmp_path / "cache", monkeypatch)
    assert set(found.cameras) == {"device"}, "the only domain needs no table"
    phone, webcam = found.cameras["device"]
    assert (phone.name, phone.bona_fide, phone.attack, phone.auc) == ("phone", 5, 0, None)
    assert (webcam.name, webcam.bona_fide, webcam.attack) == ("webcam", 15, 20)
    mine = table.column("device") == "webcam"
    assert webcam.auc == auc(table.column("label")[mine], by_brightness(np.stack(crops)).astype(float)[mine])
    assert webcam.auc_normalised < webcam.auc
    rows = shortcuts_tables(found.record())[1].rows
    assert rows[0].texts == ["phone", "5", "0", "-", "-"]


def test_another_preparation_is_measured_where_pictures_are_not_square(tmp_path, monkeypatch):
    """The middle third is bright in live pictures; cut to a square it is all there is, stretched it is a third."""
    reader = write(tmp_path, (48, 16))
    for number in range(40):
        pixels = np.zeros((16, 48, 3), np.uint8)
        pixels[:, 16:32] = 255 if number < 20 or number % 2 else 0
        pixels[:, 38:] = 255 if number >= 20 else 0
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    found, *_ = found_by(by_width, reader, tmp_path / "cache", monkeypatch)
    _, other = found.changes
    assert other.name == STRETCHED
    assert (other.presentations, found.not_measured) == (40, "")
    assert other.auc.first == 0.75
    assert other.auc.second == 0.5
    assert other.large


def test_prepared_tables_cannot_be_prepared_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    table = prepare(write(tmp_path), dataset_name="toy", progress=False, workers=1)
    reader = TablesReader(folders=[str(folder) for folder in table.folders])
    rows, predictor = np.arange(len(table)), model(by_brightness)
    scores = predictor.scores([table.image(row).transpose(1, 2, 0) for row in rows])
    found = shortcuts(predictor, table, rows[::2], scores[::2], reader)
    assert found.changes[0].presentations == 20
    assert "prepared tables hold squares only" in found.not_measured


@pytest.mark.parametrize("chosen", [slice(0, 30), slice(10, 40)])
def test_only_the_rows_asked_for_count_in_both(tmp_path, monkeypatch, chosen):
    monkeypatch.setenv("PADKIT_CACHE", str(tmp_path / "cache"))
    reader, predictor = write(tmp_path, (32, 16)), model(by_brightness)
    table = prepare(reader, dataset_name="toy", progress=False, workers=1)
    rows = np.arange(len(table))[chosen]
    scores = predictor.scores([table.image(row).transpose(1, 2, 0) for row in rows])
    found = shortcuts(predictor, table, rows, scores, reader)
    assert [change.presentations for change in found.changes] == [30, 30]
