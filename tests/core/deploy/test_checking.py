"""The comparison of forms with the weights: differences, verdicts, rates, and photographs made of crops."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from padkit.data.preparation.squares import Square, cut, face_square
from padkit.data.presentation import FaceHint
from padkit.deploy import checking
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.checking import CheckCrops, FormCheck, as_photograph, check_forms
from padkit.deploy.forms import FORMS
from padkit.deploy.runtimes import Exported

SIZE = 16


def bundle(**crop) -> Bundle:
    return Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=True, crop=CropPolicy(**crop),
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
    )  # fmt: skip


def redness(crops: np.ndarray) -> np.ndarray:
    return (crops[..., 0].mean(axis=(1, 2)) / 255).astype(np.float32)


def grey(*values: float) -> np.ndarray:
    return np.stack([np.full((SIZE, SIZE, 3), round(255 * value), np.uint8) for value in values])


@pytest.fixture
def form(tmp_path, monkeypatch):
    """Let a form's file hold five bytes and answer what a test says."""
    monkeypatch.setattr(checking, "SECONDS", 1e-9)

    def answers(run, name: str = "onnx-int8") -> list[FormCheck]:
        (tmp_path / FORMS[name].file).write_bytes(b"12345")
        monkeypatch.setattr(checking, "open_exported", lambda path, threads: Exported(run=run, path=path))
        columns = {"presentation": np.array(list("aabbccdd")), "label": np.array([1, 1, 1, 1, 0, 0, 0, 0])}
        shown = CheckCrops(crops=grey(0.9, 0.7, 0.6, 0.45, 0.2, 0.3, 0.1, 0.2), columns=columns, told="8 crops")
        return check_forms(tmp_path, [FORMS[name]], bundle(margin=0.25), redness, shown, None)[0]

    return answers


def test_a_form_that_computes_the_same_has_no_difference(form):
    (found,) = form(redness)
    assert (found.largest, found.flips, found.hter, found.hter_change, found.auc_change) == (0, 0, 0, 0, 0)
    assert (found.auc, found.size, found.differs) == (1, 5, False)


def test_differences_are_of_crops_and_rates_of_presentations(form):
    (found,) = form(lambda crops: redness(crops) - 0.05)
    assert found.largest == pytest.approx(0.05, abs=1e-6)
    assert found.mean == pytest.approx(0.05, abs=1e-6)
    assert found.flips == 0  # 0.45 was below already
    assert (found.hter, found.hter_change) == (0.25, 0.25)  # presentation b: mean 0.525 -> 0.475
    assert (found.auc_change, found.differs) == (0, True)


def test_forms_that_round_are_compared_on_held_out_source_crops_too(tmp_path, form, monkeypatch):
    form(redness)
    monkeypatch.setattr(
        checking, "open_exported", lambda path, threads: Exported(run=lambda c: 0.9 * redness(c), path=path)
    )
    held = grey(0.5, 1.0)
    (tmp_path / FORMS["onnx"].file).write_bytes(b"1")
    for shown, expected in ((held, (0.1, 0.075)), (None, None)):
        crops = CheckCrops(crops=grey(0.9, 0.1), columns={}, told="two", held=shown)
        plain, rounded = check_forms(tmp_path, [FORMS["onnx"], FORMS["onnx-int8"]], bundle(), redness, crops, None)[0]
        assert plain.held is None
        assert rounded.held == (expected and pytest.approx(expected, abs=1e-3))


def test_without_labels_verdicts_alone_are_compared(tmp_path, form, monkeypatch):
    form(redness)
    monkeypatch.setattr(
        checking, "open_exported", lambda path, threads: Exported(run=lambda c: 1 - redness(c), path=path)
    )
    shown = CheckCrops(crops=grey(0.9, 0.1), columns={}, told="two")
    (found,), _ = check_forms(tmp_path, [FORMS["onnx-int8"]], bundle(), redness, shown, None)
    assert (found.flips, found.hter, found.hter_change, found.auc, found.differs) == (1, None, None, None, False)


def test_a_photograph_form_is_given_photographs_and_boxes(form):
    def cuts(pixels, box):
        square = face_square(FaceHint(box=tuple(box)), margin=0.25, align=False, width=999, height=999)
        return redness(cut(Image.fromarray(pixels), square, SIZE)[None])

    (found,) = form(cuts, "onnx-photograph")
    assert found.largest < 1e-6


@pytest.mark.parametrize(("margin", "drop"), [(0.0, 0.0), (0.28, 0.1)])
def test_the_box_of_a_made_photograph_leads_to_its_crop(margin, drop):
    crop = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    found = as_photograph(crop, bundle(margin=margin, drop=drop))
    height, width = found.pixels.shape[:2]
    square = face_square(FaceHint(box=tuple(found.box)), margin=margin, align=False, width=width, height=height)
    square = Square(square.x, square.y - drop * square.side, square.side)
    assert np.abs(cut(Image.fromarray(found.pixels), square, SIZE).astype(int) - found.cut).max() <= 1
    assert np.abs(found.cut.astype(int) - crop).mean() < 40  # it shows what the crop shows
