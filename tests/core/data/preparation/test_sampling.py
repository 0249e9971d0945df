"""Sampling rules keep frames that exist, each once, ascending, and those that their names say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.data.media.sources import FrameSource, HeldFrames
from padkit.data.preparation.sampling import RULES, chosen_frames, sampling_rule
from padkit.data.presentation import Presentation
from padkit.errors import DataError, SettingsError

COUNTS = st.integers(1, 2000)
TEXTS = st.one_of(
    st.sampled_from(["ssdg", "all"]),
    st.builds("{}:{}".format, st.sampled_from(["uniform", "every", "first"]), st.integers(1, 300)),
)


@given(TEXTS, COUNTS)
def test_kept_frames_exist_once_and_ascend(text, count):
    kept = sampling_rule(text)(count)
    assert kept
    assert kept == sorted(set(kept))
    assert kept[0] >= 0
    assert kept[-1] < count
    assert all(type(number) is int for number in kept)


@given(TEXTS)
def test_of_nothing_nothing_is_kept(text):
    assert sampling_rule(text)(0) == []


@given(COUNTS, st.integers(1, 300))
def test_how_many(count, number):
    assert len(sampling_rule(f"uniform:{number}")(count)) == min(number, count)
    assert len(sampling_rule(f"first:{number}")(count)) == min(number, count)
    assert len(sampling_rule(f"every:{number}")(count)) == -(-count // number)
    assert len(sampling_rule("all")(count)) == count
    assert len(sampling_rule("ssdg")(count)) == (2 if count >= 8 else 1)


@given(COUNTS, st.integers(1, 50))
def test_uniform_is_even_and_centred(count, number):
    kept = sampling_rule(f"uniform:{number}")(count)
    steps = {after - before for before, after in itertools.pairwise(kept)}
    assert not steps or max(steps) - min(steps) <= 1
    assert abs(kept[0] - (count - 1 - kept[-1])) <= 1


@pytest.mark.parametrize(
    ("text", "count", "kept"),
    [
        ("ssdg", 100, [6, 56]),
        ("ssdg", 101, [6, 56]),
        ("ssdg", 12, [6, 11]),
        ("ssdg", 8, [6, 7]),
        ("ssdg", 7, [6]),
        ("ssdg", 3, [2]),
        ("ssdg", 1, [0]),
        ("uniform:2", 100, [25, 75]),
        ("uniform:3", 3, [0, 1, 2]),
        ("uniform:1", 9, [4]),
        ("every:5", 11, [0, 5, 10]),
        ("first:3", 10, [0, 1, 2]),
        ("all", 3, [0, 1, 2]),
    ],
)
def test_by_hand(text, count, kept):
    assert sampling_rule(text)(count) == kept


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ssgd", ("'ssgd'", "Did you mean 'ssdg'?", "every:N")),
        ("", ("Known:",)),
        ("uniform", ("uniform:8",)),
        ("every:0", ("every:8",)),
        ("first:-1", ("from 1 up",)),
        ("every:2.5", ("from 1 up",)),
        ("uniform:²", ("from 1 up",)),
        ("all:3", ("takes no number",)),
    ],
)
def test_other_texts_are_refused(text, parts):
    with pytest.raises(SettingsError) as error:
        sampling_rule(text)
    assert all(part in str(error.value) for part in parts), error.value


def test_every_rule_is_built():
    assert len(RULES) == 5
    for name, (_, takes_number) in RULES.items():
        assert sampling_rule(f"{name}:2" if takes_number else name)(9)


def named(*frames: int) -> Presentation:
    return Presentation(dataset="d", domain="d", id="p", label=1, path="x.avi", frames=frames)


class Medium(FrameSource):
    """Says how long it is."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def take(self, numbers):
        raise AssertionError("nobody looks at frames to choose some")


def test_a_record_may_name_its_frames():
    assert chosen_frames(named(), Medium(100), "ssdg") == {6: 6, 56: 56}
    assert chosen_frames(named(50, 10, 20, 30, 10), Medium(100), "first:2") == {10: 10, 20: 20}
    assert chosen_frames(named(99), Medium(100), "ssdg") == {99: 99}
    assert chosen_frames(named(7), Medium(1), "ssdg") == {0: 7}, "a still that is frame 7 of a clip"
    with pytest.raises(DataError, match=r"x\.avi: frame 100 does not exist; the medium has 100 frames"):
        chosen_frames(named(100), Medium(100), "all")


@pytest.mark.parametrize(("frames", "shown"), [((5, 7, 9), {0: 5, 1: 7, 2: 9}), ((5, 7), {0: 0, 1: 1, 2: 2})])
def test_frames_that_a_reader_makes_are_those_that_the_record_names(frames, shown):
    held = HeldFrames([np.zeros((2, 2, 3), np.uint8)] * 3, frames)
    assert chosen_frames(named(*frames), held, "all") == shown
    assert chosen_frames(named(*frames), held, "every:2") == {place: shown[place] for place in (0, 2)}
