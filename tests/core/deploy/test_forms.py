"""Forms by name, and the bundle that travels in the metadata of an exported file."""

from __future__ import annotations

import json

import pytest

from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.forms import FORMS, chosen_forms, files_of, from_metadata, present_forms, to_metadata
from padkit.errors import PadkitError, SettingsError, WeightsError

BUNDLE = Bundle(
    student="timm", settings={"model": "test_resnet"}, image_size=32, simulated=True, temperature=1.5,
    thresholds=(
        BundleThreshold(policy="source-dev", value=0.7, bona_fide=10, intervals={"bpcer": (0.0, 0.3)}),
        BundleThreshold(policy="target-eer", value=0.2, test_set_choice=True),
    ),
    crop=CropPolicy(face="lbp", margin=0.3, drop=0.1, known=True), sha256="ab" * 32, provenance={"seed": 3},
)  # fmt: skip


def test_the_whole_bundle_comes_back_from_metadata():
    found = from_metadata(to_metadata(BUNDLE, FORMS["onnx"]), "model.onnx")
    assert found.provenance == {"seed": 3}
    assert (found.crop, found.sha256, found.temperature) == (BUNDLE.crop, BUNDLE.sha256, 1.5)
    assert [(one.policy, one.value, one.test_set_choice) for one in found.thresholds] == [
        ("source-dev", 0.7, False), ("target-eer", 0.2, True),
    ]  # fmt: skip


def test_programs_without_padkit_find_what_they_need():
    entries = to_metadata(BUNDLE, FORMS["onnx-photograph"])
    assert set(map(type, entries.values())) == {str}
    assert float(entries["padkit.threshold"]) == 0.7
    assert json.loads(entries["padkit.thresholds"]) == {"source-dev": 0.7, "target-eer": 0.2}
    assert json.loads(entries["padkit.crop"])["margin"] == 0.3
    assert entries["padkit.sha256"] == BUNDLE.sha256
    assert "left, top, width, height" in entries["padkit.input"]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "was not written by"),
        (to_metadata(BUNDLE, FORMS["onnx-photograph"]), "takes a photograph"),
        ({"padkit.bundle": "{"}, "not valid JSON"),
    ],
)
def test_what_cannot_judge_crops_is_refused(metadata, words):
    with pytest.raises(WeightsError, match=words):
        from_metadata(metadata, "x.onnx")


def test_forms_are_chosen_by_name():
    assert [form.name for form in chosen_forms("openvino, onnx")] == ["onnx", "openvino"]
    assert chosen_forms("all") == list(FORMS.values())
    for text in ("onix", "", "onnx,int8"):
        with pytest.raises(SettingsError) as error:
            chosen_forms(text)
        assert "onnx" in str(error.value)
        assert isinstance(error.value, PadkitError)


def test_forms_that_are_there(tmp_path):
    for name in ("model.onnx", "model-int8.xml", "other.onnx"):
        (tmp_path / name).touch()
    assert [form.name for form in present_forms(tmp_path)] == ["onnx", "openvino-int8"]
    assert files_of(FORMS["openvino-int8"]) == ("model-int8.xml", "model-int8.bin")
    assert files_of(FORMS["torch"]) == ("model.pt2",)
