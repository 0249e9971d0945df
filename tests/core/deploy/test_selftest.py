"""Captures of known species: what a folder means, and that a video is one presentation."""

from __future__ import annotations

import pytest
from clips import moving_frames, write_clip
from PIL import Image
from tests.core.deploy.test_predictor import bundle, redness

from padkit.deploy.predictor import Predictor
from padkit.deploy.selftest import judge_captures, label_of, missing_classes, read_captures, too_few
from padkit.deploy.videos import Combine


@pytest.mark.parametrize("name", ["live", "Live", "real", "bona fide", "bona-fide", "genuine"])
def test_names_of_live_faces_are_bona_fide(name):
    assert label_of(name) == 1


@pytest.mark.parametrize("name", ["print", "phone", "tablet", "mask", "spoof", "liveness-trick", "1"])
def test_every_other_name_is_a_species_of_attacks(name):
    assert label_of(name) == 0


def test_a_video_is_one_presentation_and_a_damaged_file_is_not_judged(tmp_path):
    pytest.importorskip("av")
    for kind in ("live", "print"):
        (tmp_path / kind).mkdir()
    write_clip(tmp_path / "live" / "clip.mp4", moving_frames(3))
    Image.new("RGB", (40, 40), (200, 0, 0)).save(tmp_path / "live" / "still.png")
    (tmp_path / "print" / "damaged.png").write_bytes(b"x")
    predictor = Predictor(bundle=bundle(), score=redness, face="none", limits=None, faces="one")
    live, printed = judge_captures(predictor, read_captures(tmp_path), Combine(), 2)
    assert [one.file for one in live.presentations] == ["live/clip.mp4", "live/still.png"]
    assert live.presentations[0].judgement.frames == (3, 3)
    assert (live.judged, printed.judged, printed.silent) == (2, 0, 1)
    assert (live.rate.trials, printed.rate, printed.non_response) == (2, None, None)
    assert printed.reasons == {"unreadable": 1}


def test_what_is_too_few_or_missing_is_named():
    assert too_few({"live": 20, "print": 3, "phone": 0}, 20, "presentations") == (
        "print 3, phone 0 presentations, 20 are needed"
    )
    assert too_few({"live": 20}, 20, "presentations") == ""
    assert missing_classes(["live"]) == ["attack"]
    assert missing_classes(["print", "phone"]) == ["bona fide"]
    assert missing_classes(["real", "print"]) == []
