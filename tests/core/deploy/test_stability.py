"""Stability of verdicts, on toys whose flip rate is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from padkit.data.preparation.squares import Square
from padkit.data.presentation import FaceHint
from padkit.deploy.bundle import Bundle, BundleThreshold, CropPolicy
from padkit.deploy.predictor import Predictor
from padkit.deploy.stability import (
    BASES,
    FACE_SIDES,
    OF_BOX,
    WITHIN,
    FaceStability,
    error_by_side,
    face_stability,
    flips,
    moved,
    shrunk,
    varied,
)

SIZE = 80


def bundle(margin: float = 0.0) -> Bundle:
    return Bundle(
        student="timm", settings={}, image_size=SIZE, simulated=True, crop=CropPolicy(margin=margin, known=True),
        thresholds=(BundleThreshold(policy="source-dev", value=0.5),),
    )  # fmt: skip


def red(crops: np.ndarray) -> np.ndarray:
    """A toy score: the mean red."""
    return (crops[..., 0].mean(axis=(1, 2)) / 255).astype(np.float32)


def sharp(crops: np.ndarray) -> np.ndarray:
    """A toy score: 1 for a fine pattern, near 0 where it is blurred away."""
    grey = crops[..., 0].astype(np.float32)
    return np.clip(np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)) / 255, 0, 1).astype(np.float32)


def halves(width: int, height: int, edge: int) -> Image.Image:
    """Red to the left of a column, black from it on."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, :edge, 0] = 255
    return Image.fromarray(frame)


def judged(picture, monkeypatch, box=None, **settings):
    """The stability that a predictor gives to the one face of a picture; without a box the picture is the face."""
    monkeypatch.setattr("padkit.deploy.predictor.finder", lambda name, model: lambda *_: [FaceHint(box=box)])
    face = "lbp" if box else "none"
    facts = {"bundle": bundle(), "score": red, "limits": None, "face": face, "stability": True} | settings
    (found,) = Predictor(**facts).judge(picture)
    assert found.stability is not None
    return found


def test_of_six_changes_of_the_box_the_one_over_the_edge_flips(monkeypatch):
    # 41 of 80 columns are red: bona fide. 4 pixels to the right leave 37 of 80; every other change leaves half or more.
    picture = halves(200, 200, 101)
    found = judged(picture, monkeypatch, (60, 60, 80, 80))
    assert found.score == pytest.approx(41 / 80, abs=1e-3)
    assert found.stability.flipped == ("shift 5 % right",)
    assert found.stability.scores["shift 5 % right"] == pytest.approx(37 / 80, abs=1e-3)
    assert found.stability.scores["shift 5 % left"] == pytest.approx(45 / 80, abs=1e-3)
    shares = flips([found.stability])
    assert shares.share == pytest.approx(1 / 6)
    assert shares.any == 1
    assert json.loads(json.dumps(found.to_dict()))["stability"]["flipped"] == ["shift 5 % right"]


def test_a_larger_box_sees_what_lies_around(monkeypatch):
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[60:140, 60:140, 0] = 255  # red within the box only: 1, of a box 10 % larger 1 / 1.21
    settings = {"bundle": replace(bundle(), thresholds=(BundleThreshold(policy="source-dev", value=0.9),))}
    found = judged(Image.fromarray(frame), monkeypatch, (60, 60, 80, 80), **settings)
    assert found.stability.scores["box 10 % larger"] == pytest.approx(1 / 1.21, abs=0.01)
    assert found.stability.scores["box 10 % smaller"] == 1
    assert found.stability.scores["shift 5 % up"] == pytest.approx(0.95, abs=0.01)
    assert found.stability.flipped == ("box 10 % larger",)


def test_shifts_are_shares_of_the_box_not_of_the_crop():
    square = Square(100, 100, 130)  # a box of 100 with a margin of 0.15
    for change in OF_BOX:
        got = moved(square, change, 0.15)
        assert (got.x - 100, got.y - 100) == pytest.approx((100 * change.right, 100 * change.down))
        assert got.side == pytest.approx(130 * change.scale)
    assert sorted((one.scale, one.right, one.down) for one in OF_BOX) == [
        (0.9, 0, 0), (1.0, -0.05, 0), (1.0, 0, -0.05), (1.0, 0, 0.05), (1.0, 0.05, 0), (1.1, 0, 0),
    ]  # fmt: skip


def test_within_a_stored_crop_shifts_are_compared_with_the_smaller_box(monkeypatch):
    # 51 of 100 columns are red; of the middle 90, 46; of those shifted by 5 to the right, 41.
    found = judged(halves(100, 100, 51), monkeypatch)
    assert found.box is None
    assert found.stability.flipped == ("shift 5 % right of a box 10 % smaller",)
    assert found.stability.scores["box 10 % smaller"] == pytest.approx(46 / 90, abs=1e-3)
    assert found.stability.scores["shift 5 % right of a box 10 % smaller"] == pytest.approx(41 / 90, abs=1e-3)
    # A verdict that the smaller box has already flipped is not counted again for its shifts.
    names = [change.name for change in WITHIN]
    one = face_stability(0.9, dict.fromkeys(names, 0.1), {}, lambda score: score >= 0.5)
    assert one.flipped == ("box 5 % smaller", "box 10 % smaller")
    assert {*BASES.values()} == {"box 10 % smaller"}


@pytest.mark.parametrize("margin", [0.0, 0.15, 1.0])
def test_nothing_beyond_a_stored_crop_is_ever_cut(margin):
    """Whatever repeats edge pixels would leave its mark: the outermost ring is white, all else is a ramp."""
    for change in WITHIN:
        square = moved(Square(50, 50, 100), change, margin)
        assert min(square.x, square.y) - square.side / 2 >= -1e-9
        assert max(square.x, square.y) + square.side / 2 <= 100 + 1e-9
    assert {*varied(halves(100, 100, 51), None, SIZE, margin)} == {change.name for change in WITHIN}


def test_a_fine_pattern_is_lost_in_small_faces(monkeypatch):
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    frame[:, ::2] = 255  # as fine as can be
    found = judged(Image.fromarray(frame), monkeypatch, score=sharp)
    assert found.score > 0.9
    assert sorted(found.stability.by_side) == [side for side in FACE_SIDES if side < SIZE]
    assert found.stability.flipped_sides[0] == FACE_SIDES[0]
    shares = flips([found.stability])
    assert shares.by_side[24] == (1.0, 1)


def test_a_face_is_never_shrunk_to_more_than_it_has():
    crop = np.zeros((130, 130, 3), np.uint8)
    assert max(shrunk(crop, 0.15, own=500)) == 96
    assert max(shrunk(crop, 0.15, own=40)) == 32
    assert not shrunk(crop, 0.15, own=24)
    assert all(one.shape == crop.shape for one in shrunk(crop, 0.15, own=500).values())


def test_the_shares_of_several_faces():
    def face(*flipped: str, sides: tuple[int, ...] = ()) -> FaceStability:
        scores, by_side = dict.fromkeys(("a", "b", "c", "d"), 0.5), dict.fromkeys((24, 48), 0.5)
        return FaceStability(scores=scores, flipped=flipped, by_side=by_side, flipped_sides=sides)

    shares = flips([face("a", "b"), face("a"), face(), face(sides=(24,))])
    assert (shares.faces, shares.share, shares.any) == (4, 3 / 16, 0.5)
    assert shares.by_change == {"a": 0.5, "b": 0.25, "c": 0.0, "d": 0.0}
    assert shares.by_side == {24: (0.25, 4), 48: (0.0, 4)}
    assert flips([]) is None


def test_the_curve_of_error_over_size_counts_by_class():
    def face(**by_side: float) -> FaceStability:
        sides = {int(name[1:]): score for name, score in by_side.items()}
        return FaceStability(scores={}, flipped=(), by_side=sides, flipped_sides=())

    faces = [face(s24=0.1, s48=0.9), face(s24=0.2), face(s24=0.9, s48=0.2), face(s24=0.1, s48=0.1)]
    curve = error_by_side(faces, np.array([0.9, 0.8, 0.1, 0.7]), np.array([1, 1, 0, 0]), 0.5)
    assert [(row.side, row.bona_fide, row.attack, row.apcer_pooled, row.bpcer) for row in curve] == [
        (24, 2, 2, 0.5, 1.0), (48, 1, 2, 0.0, 0.0), (None, 2, 2, 0.5, 0.0),
    ]  # fmt: skip
    assert error_by_side(faces[:2], np.array([0.9, 0.8]), np.array([1, 1]), 0.5) == []


def test_what_is_not_judged_has_no_stability(monkeypatch):
    monkeypatch.setattr("padkit.deploy.predictor.finder", lambda name, model: lambda *_: [FaceHint(box=(0, 0, 9, 9))])
    (found,) = Predictor(bundle=bundle(), score=red, stability=True).judge(halves(100, 100, 50))
    assert (found.score, found.stability) == (None, None)
