"""Grad-CAM on request, and why it cannot be had; the checksum of a bundle that records none."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import pytest
import torch
from PIL import Image
from tests.core.deploy.test_predictor import SIZE, bundle, noisy

import padkit
from padkit.deploy.bundle import sha256_of
from padkit.deploy.stored import save_bundle
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent

pytest.importorskip("fastapi")

from padkit.serving.judging import PNG_URL, Judging
from padkit.serving.refusal import RefusalError
from padkit.serving.service import ServeLimits


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    about = bundle(settings={"model": "test_resnet", "pretrained": False})
    save_bundle(folder, Detector(TimmStudent(model="test_resnet")).eval(), about)
    return padkit.load(folder, face="none", limits=None)


def sent(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_grad_cam_comes_only_on_request_and_as_a_picture(predictor):
    pytest.importorskip("pytorch_grad_cam")
    judging = Judging(predictor, ServeLimits())
    content = sent(noisy(220, 64, 64))
    (plain,) = judging.answer(content, "a").results
    (explained,) = judging.answer(content, "a", explain=True).results
    assert plain.explanation is None
    assert replace(explained, explanation=None) == plain
    assert explained.explanation.startswith(PNG_URL)
    shown = Image.open(io.BytesIO(base64.b64decode(explained.explanation.removeprefix(PNG_URL))))
    assert (shown.format, shown.size) == ("PNG", (SIZE, SIZE))
    assert judging.answer(b"x", "a", explain=True).results[0].explanation is None


def test_without_what_grad_cam_needs_the_reason_is_told(predictor, tmp_path, monkeypatch):
    reasons = [
        Judging(predictor, ServeLimits(), "onnx").unexplained,
        Judging(replace(predictor, folder=tmp_path), ServeLimits()).unexplained,
    ]
    monkeypatch.setattr("padkit.serving.judging.find_spec", lambda name: None)
    reasons.append(Judging(predictor, ServeLimits()).unexplained)
    for reason, word in zip(reasons, ("--backend onnx", "model.safetensors", "padkit[figures]"), strict=True):
        assert word in reason
    with pytest.raises(RefusalError, match="figures") as refused:
        Judging(predictor, ServeLimits()).answer(b"", "a", explain=True)
    assert refused.value.status == 501


def test_a_bundle_without_a_checksum_gets_that_of_its_weights(predictor):
    unknown = replace(predictor, bundle=replace(predictor.bundle, sha256=""))
    found = sha256_of(predictor.folder / "model.safetensors")
    assert Judging(unknown, ServeLimits()).sha256 == Judging(predictor, ServeLimits()).sha256 == found


def test_what_the_finder_lacks_is_told_at_the_start(predictor, monkeypatch):
    from padkit.errors import PluginError

    def lacking(name, model):
        raise PluginError("face finder lbp: no skimage")

    monkeypatch.setattr("padkit.deploy.predictor.finder", lacking)
    with pytest.raises(PluginError, match="no skimage"):
        Judging(replace(predictor, face="lbp"), ServeLimits()).warm_up()
