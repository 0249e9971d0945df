"""The predictor finds, cuts and scores as in training; what it does not judge has a reason and is no attack."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import padkit
from padkit.catalog import Catalog
from padkit.data.preparation.squares import cut, face_square
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.predictor import Predictor, non_response
from padkit.deploy.quality import Limits
from padkit.deploy.stored import load_bundle, save_bundle
from padkit.deploy.verdict import WORDS, Reason, Verdict
from padkit.errors import DataError, SettingsError, WeightsError
from padkit.networks.detector import Detector
from padkit_timm.student import TimmStudent

SIZE = 32


def bundle(**facts) -> Bundle:
    crop = CropPolicy(face="lbp", margin=0.2, known=True)
    policies = (BundleThreshold(policy="source-dev", value=0.5), BundleThreshold(policy="target-eer", value=0.9))
    return Bundle(**{"student": "timm", "settings": {"model": "test_resnet"}, "image_size": SIZE, "simulated": True,
                     "thresholds": policies, "crop": crop} | facts)  # fmt: skip


def redness(crops: np.ndarray) -> np.ndarray:
    """A toy score: mean red / 255."""
    assert crops.dtype == np.uint8
    assert crops.shape[1:] == (SIZE, SIZE, 3)
    return (crops[..., 0].mean(axis=(1, 2)) / 255).astype(np.float32)


def noisy(red: int, width: int = 200, height: int = 160) -> Image.Image:
    """A picture sharp enough to be judged, whose mean red is about `red`."""
    rng = np.random.default_rng(red)
    frame = rng.integers(60, 200, (height, width, 3), dtype=np.uint8)
    frame[..., 0] = np.clip(rng.normal(red, 5, (height, width)), 0, 255).astype(np.uint8)
    return Image.fromarray(frame)


@pytest.fixture
def finds(monkeypatch):
    """Let the finder find what a test says."""

    def set_faces(*faces: FaceHint) -> None:
        monkeypatch.setattr("padkit.deploy.predictor.finder", lambda name, model: lambda picture, hint: list(faces))

    return set_faces


def predictor(**settings) -> Predictor:
    return Predictor(**{"bundle": bundle(), "score": redness} | settings)


def test_verdict_score_and_threshold_are_one_scale(finds):
    finds(FaceHint(box=(50, 40, 80, 80)))
    for red, verdict in ((220, Verdict.BONA_FIDE), (30, Verdict.ATTACK)):
        (found,) = predictor().judge(noisy(red), "a.png")
        assert found.verdict is verdict
        assert found.score == pytest.approx(red / 255, abs=0.03)
        assert (found.threshold, found.policy, found.source) == (0.5, "source-dev", "a.png")
        assert found.box == (50, 40, 80, 80)
        assert found.reason is None


def test_another_policy_moves_the_verdict_not_the_score(finds):
    finds(FaceHint(box=(50, 40, 80, 80)))
    usual, strict = (predictor(policy=policy).judge(noisy(200))[0] for policy in ("", "target-eer"))
    assert (usual.verdict, strict.verdict) == (Verdict.BONA_FIDE, Verdict.ATTACK)
    assert usual.score == strict.score
    with pytest.raises(SettingsError, match="not in this bundle"):
        predictor(policy="dev-eer")


def test_it_cuts_as_preparation_does(finds):
    face = FaceHint(box=(50, 40, 80, 70))
    finds(face)
    picture = noisy(128)
    (found,) = predictor().find(picture)
    square = face_square(face, margin=0.2, align=False, width=200, height=160)
    assert np.array_equal(found.crop, cut(picture, square, SIZE))


def test_a_crop_policy_with_a_drop_moves_the_crop_up(finds):
    finds(FaceHint(box=(50, 60, 60, 60)))
    rows = np.repeat(np.arange(160, dtype=np.uint8)[:, None], 200, axis=1)
    picture = Image.fromarray(np.stack([rows] * 3, axis=-1))
    middle = [
        predictor(bundle=bundle(crop=CropPolicy(margin=0.25, drop=drop, known=True))).find(picture)[0].crop.mean()
        for drop in (0.0, 0.1)
    ]
    assert middle[0] - middle[1] == pytest.approx(0.1 * 90, abs=0.5)


def test_several_faces_come_largest_first_or_are_refused(finds):
    finds(FaceHint(box=(10, 10, 50, 50)), FaceHint(box=(90, 40, 80, 80)))
    found = predictor().judge(noisy(128))
    assert [one.box for one in found] == [(90, 40, 80, 80), (10, 10, 50, 50)]
    assert [(one.face, one.faces) for one in found] == [(0, 2), (1, 2)]
    assert len(predictor(faces="largest").judge(noisy(128))) == 1
    (refused,) = predictor(faces="one").judge(noisy(128))
    assert (refused.verdict, refused.reason) == (Verdict.NOT_JUDGED, Reason.SEVERAL_FACES)


FRONTAL = FaceHint(box=(50, 40, 80, 80), eyes=(74, 70, 106, 70), confidence=0.9)
REFUSED = {
    Reason.NO_FACE: (noisy(128), []),
    Reason.TOO_SMALL: (noisy(128), [FaceHint(box=(50, 40, 30, 30))]),
    Reason.NEAR_BORDER: (noisy(128), [FaceHint(box=(160, 120, 80, 80))]),
    Reason.BLURRED: (Image.new("RGB", (200, 160), (120, 120, 120)), [FaceHint(box=(50, 40, 80, 80))]),
    Reason.TOO_DARK: (noisy(128).point(lambda value: value // 20), [FaceHint(box=(50, 40, 80, 80))]),
    Reason.TOO_BRIGHT: (noisy(128).point(lambda value: 245 + value // 30), [FaceHint(box=(50, 40, 80, 80))]),
    Reason.TURNED_AWAY: (noisy(128), [FaceHint(box=(50, 40, 80, 80), eyes=(88, 70, 96, 70))]),
    Reason.LOW_CONFIDENCE: (noisy(128), [FaceHint(box=(50, 40, 80, 80), confidence=0.2)]),
}


@pytest.mark.parametrize(("reason", "case"), REFUSED.items(), ids=REFUSED)
def test_what_is_not_judged_has_a_coded_reason_and_is_no_attack(finds, reason, case):
    picture, faces = case
    finds(*faces)
    (found,) = predictor().judge(picture)
    assert (found.verdict, found.reason, found.score) == (Verdict.NOT_JUDGED, reason, None)
    assert WORDS[reason] in found.detail
    assert json.loads(json.dumps(found.to_dict()))["reason"] == str(reason)


def test_a_tilted_head_is_refused_and_a_frontal_one_is_not(finds):
    finds(FaceHint(box=(50, 40, 80, 80), eyes=(74, 60, 100, 95)))
    assert predictor().judge(noisy(128))[0].reason is Reason.TURNED_AWAY
    finds(FRONTAL)
    assert predictor().judge(noisy(128))[0].reason is None


def test_a_photograph_that_ends_at_the_chin_is_judged_however_much_a_model_crops_around_the_face(finds):
    finds(FaceHint(box=(-10, 0, 180, 170)))
    wide = bundle(crop=CropPolicy(face="lbp", margin=0.5, known=True))
    (found,) = predictor(bundle=wide).judge(noisy(128))
    assert found.reason is None
    assert found.quality["outside"] == 0  # the middle, 150 x 141.7 pixels from (5, 14.2), is within 200 x 160
    finds(FaceHint(box=(-24, 2, 120, 120)))
    (found,) = predictor(bundle=wide).judge(noisy(128))
    assert found.quality["outside"] == pytest.approx(14 / 100)
    finds(FaceHint(box=(-80, 0, 160, 160)))
    assert predictor(bundle=wide).judge(noisy(128))[0].reason is Reason.NEAR_BORDER


@pytest.mark.parametrize("name", ["hints", "recorded"])
def test_a_finder_that_asks_a_dataset_is_refused(name):
    with pytest.raises(SettingsError, match="a picture alone says nothing; take lbp"):
        predictor(face=name)


def test_without_limits_everything_with_a_face_is_judged(finds):
    finds(FaceHint(box=(160, 120, 30, 30), confidence=0.01))
    assert predictor(limits=None).judge(noisy(128))[0].verdict is not Verdict.NOT_JUDGED


def test_a_refused_face_does_not_shift_the_scores_of_the_others(finds):
    finds(FaceHint(box=(20, 20, 90, 90), confidence=0.1), FaceHint(box=(120, 60, 60, 60)))
    refused, judged = predictor().judge(noisy(230))
    assert refused.score is None
    assert judged.score == pytest.approx(0.9, abs=0.03)
    assert non_response([refused, judged]) == (1, 2)


def test_a_temperature_softens_scores_and_keeps_their_order(finds):
    finds(FaceHint(box=(50, 40, 80, 80)))
    sharp, soft = (predictor(bundle=bundle(temperature=t)).judge(noisy(220))[0].score for t in (1.0, 4.0))
    odds = np.log(sharp / (1 - sharp)) / 4
    assert soft == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-5)


def test_an_array_must_be_uint8_rgb(finds):
    finds()
    with pytest.raises(DataError, match="uint8"):
        predictor().judge(np.zeros((8, 8), np.uint8))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A bundle with weights, as a run leaves it."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    save_bundle(
        folder / "model",
        Detector(TimmStudent(model="test_resnet")).eval(),
        bundle(settings={"model": "test_resnet", "pretrained": False}),
    )
    return folder


def test_a_loaded_model_gives_the_scores_of_its_detector(run):
    crops = [np.random.default_rng(n).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8) for n in range(4)]
    loaded = padkit.load(run, face="none", limits=None)
    detector, _ = load_bundle(run / "model", Catalog())
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = detector(images).numpy()
    assert np.abs(loaded.scores(crops) - expected).max() < 1e-6
    found = [loaded.judge(crop)[0].score for crop in crops]
    assert found == pytest.approx(expected.tolist(), abs=1e-5)
    assert loaded.judge(crops[0])[0].model == loaded.bundle.sha256[:12] != ""


def test_a_loaded_model_of_five_views_gives_the_scores_of_its_detector(tmp_path):
    torch.manual_seed(0)
    detector = Detector(TimmStudent(model="test_resnet"), "five").eval()
    save_bundle(tmp_path, detector, bundle(settings={"model": "test_resnet", "pretrained": False}))
    crops = np.random.default_rng(0).integers(0, 255, (4, SIZE, SIZE, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = detector(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255).numpy()
    found = padkit.load(tmp_path, face="none", limits=None)
    assert found.bundle.views == "five"
    assert np.abs(found.scores(list(crops)) - expected).max() < 1e-5


def test_saving_a_predictor_keeps_the_whole_bundle(run, tmp_path):
    target = padkit.load(run).save(tmp_path / "copy")
    assert sorted(path.name for path in target.iterdir()) == ["README.md", "bundle.json", "model.safetensors"]
    assert padkit.load(target).bundle == padkit.load(run).bundle


@pytest.mark.parametrize(
    ("path", "words"), [("nowhere", "no such folder"), ("./a/b", "no such folder"), ("a/b/c", "no such folder")]
)
def test_a_model_that_is_not_there(path, words):
    with pytest.raises(WeightsError, match=words):
        padkit.load(path)


def test_offline_the_hub_is_one_line(monkeypatch):
    def refuse(*args, **settings):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(WeightsError, match=r"not on the hub .*unreachable"):
        padkit.load("nobody/nothing")


def test_the_limits_refuse_no_portrait():
    """scikit-image's astronaut, with the offline finder."""
    pytest.importorskip("skimage")
    from skimage import data

    (found,) = predictor().judge(data.astronaut())
    assert found.verdict is not Verdict.NOT_JUDGED
    assert found.quality["sharpness"] > 3 * Limits().sharpness
