"""Inputs: what is listed, what is passed over, and that a bad file is a coded reason and never an exception."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from PIL import Image
from tests.core.deploy.test_predictor import bundle, noisy, redness

from padkit.data.presentation import FaceHint
from padkit.deploy.inputs import judge_file, listed
from padkit.deploy.predictor import Predictor
from padkit.deploy.verdict import Reason, Verdict
from padkit.deploy.videos import Combine, combined
from padkit.errors import DataError, SettingsError


@pytest.fixture
def whole():
    return Predictor(bundle=bundle(), score=redness, face="none", limits=None)


def test_files_come_once_in_natural_order_and_the_rest_is_counted(tmp_path):
    for name in ("f10.png", "f2.png", "sub/g.jpg", "notes.txt", ".hidden.png", "sub/README"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = listed(
        [str(tmp_path), str(tmp_path / "f2.png"), str(tmp_path / "*.png"), "-"], [f"{tmp_path}/f10.png\n", "\n"]
    )
    assert [path.name for path in found.paths] == ["f2.png", "f10.png", "g.jpg"]
    told = {entry["example"].rpartition("/")[2]: entry["count"] for entry in found.unread.entries()}
    assert told == {"notes.txt": 1, ".hidden.png": 1, "README": 1}


def test_a_pattern_without_a_match_is_one_line(tmp_path):
    with pytest.raises(DataError, match="matches no file"):
        listed([str(tmp_path / "*.png")])


def test_a_strip_is_refused_before_faces_are_sought(tmp_path, monkeypatch):
    """Finding faces in 60,000 x 200 pixels takes seconds, and a mutated GIF says that it is so wide."""
    monkeypatch.setattr("padkit.deploy.predictor.finder", lambda *_: pytest.fail("faces are sought in a strip"))
    Image.new("L", (60_000, 200)).save(tmp_path / "strip.png")
    seeking = Predictor(bundle=bundle(), score=redness, face="lbp")
    (found,) = judge_file(seeking, tmp_path / "strip.png", Combine())
    assert (found.verdict, found.reason) == (Verdict.NOT_JUDGED, Reason.UNREADABLE)
    assert "60000 x 200 pixels, a strip and no photograph" in found.detail


def test_files_that_are_no_pictures_get_a_reason(tmp_path, whole):
    good = tmp_path / "good.png"
    noisy(220).save(good)
    content = good.read_bytes()
    cases = {
        "gone.png": None,
        "empty.png": b"",
        "cut.png": content[:200],
        "text.jpg": b"hello",
        "video.mp4": b"\0" * 99,
    }
    for name, data in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        (found,) = judge_file(whole, path, Combine())
        assert (found.verdict, found.reason) == (Verdict.NOT_JUDGED, Reason.UNREADABLE), name
        assert found.detail
        assert "\n" not in found.detail
    assert judge_file(whole, good, Combine())[0].verdict is Verdict.BONA_FIDE


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, whole):
    bomb = tmp_path / "bomb.png"
    Image.new("1", (30000, 30000)).save(bomb)
    (found,) = judge_file(whole, bomb, Combine())
    assert found.reason is Reason.TOO_LARGE


def test_mutated_files_never_raise(tmp_path, whole):
    """A seeded sample; benchmarks/mutated_inputs.py runs a thousand."""
    rng, seen = random.Random(0), set()
    sources = []
    for suffix in ("png", "jpg", "webp", "gif", "bmp", "tiff"):
        path = tmp_path / f"s.{suffix}"
        noisy(90, 40, 40).save(path)
        sources.append(path.read_bytes())
    for number in range(60):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = tmp_path / f"m{number}.{rng.choice(['png', 'jpg', 'webp', 'mp4', 'heic'])}"
        path.write_bytes(bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.5 else data))
        found = judge_file(whole, path, Combine())
        assert found
        assert all((one.score is None) == (one.verdict is Verdict.NOT_JUDGED) for one in found)
        seen |= {one.reason for one in found}
    assert {None, Reason.UNREADABLE} <= seen


def frames(predictor, *scores, reason=Reason.NO_FACE):
    from dataclasses import replace

    blank = predictor.unjudged("v", reason)
    return [
        replace(blank, frame=n, face=0) if score is None
        else replace(blank, frame=n, score=score, verdict=predictor.verdict(score), reason=None, detail="")
        for n, score in enumerate(scores)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "score", "verdict"),
    [
        ("mean", 0.5, Verdict.BONA_FIDE),
        ("median", 0.4, Verdict.ATTACK),
        ("vote", 1 / 3, Verdict.ATTACK),
        ("first:1", 0.2, Verdict.ATTACK),
    ],
)
def test_frames_are_combined_by_the_declared_rule(whole, rule, score, verdict):
    found = combined(whole, "v", frames(whole, None, 0.2, 0.4, 0.9), Combine(rule=rule))
    assert found.score == pytest.approx(score)
    assert found.verdict is verdict
    assert found.frames == (3, 4)
    assert rule in found.policy


def test_a_video_without_a_judged_frame_says_why(whole):
    found = combined(whole, "v", frames(whole, None, None), Combine())
    assert (found.verdict, found.reason, found.frames) == (Verdict.NOT_JUDGED, Reason.FEW_FRAMES, (0, 2))
    assert "no face" in found.detail
    assert combined(whole, "v", frames(whole, 0.9, None), Combine(least=2)).reason is Reason.FEW_FRAMES


@pytest.mark.parametrize("rule", ["max", "first", "first:0", "first:x", "first:²"])
def test_an_unknown_rule_is_one_line(rule):
    with pytest.raises(SettingsError, match="combine frames"):
        Combine(rule=rule)


def test_a_second_face_in_a_frame_does_not_count_for_the_video(whole):
    from dataclasses import replace

    (first,) = frames(whole, 0.9)
    second = replace(first, face=1, score=0.0)
    assert combined(whole, "v", [first, second], Combine()).score == pytest.approx(0.9)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_unreadable(tmp_path, whole):
    path = tmp_path / "a.png"
    noisy(90).save(path)
    path.chmod(0)
    assert judge_file(whole, path, Combine())[0].reason is Reason.UNREADABLE


def test_a_clip_gives_its_verdict_first(tmp_path, whole):
    pytest.importorskip("av")
    from tests.support.clips import write_clip

    path = tmp_path / "clip.mp4"
    write_clip(path, [np.asarray(noisy(220, 64, 64)) for _ in range(5)])
    found = judge_file(whole, path, Combine(frames="uniform:3"))
    assert [one.frame for one in found] == [None, 0, 2, 4]
    assert found[0].frames == (3, 3)


def test_hints_have_no_confidence_unless_the_finder_gives_one():
    assert FaceHint(box=(0, 0, 1, 1)).confidence is None
