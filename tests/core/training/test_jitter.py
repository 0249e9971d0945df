"""Which jitter a run gets from its options and from the room that its crops are stored with."""

from __future__ import annotations

import pytest

from padkit.data.jitter import Jitter
from padkit.errors import SettingsError
from padkit.training.jitter import jitter_within


@pytest.mark.parametrize(
    ("room", "scale", "shift", "found"),
    [
        (0.0, None, None, None),
        (0.0, 0.0, 0.0, None),
        (0.1, None, None, Jitter(scale=0.1, shift=0.05)),
        (0.1, 0.0, 0.0, None),
        (0.1, 0.0, None, Jitter(scale=0.0, shift=0.05)),
        (0.15, 0.1, 0.1, Jitter(scale=0.1, shift=0.1)),
    ],
)
def test_the_room_is_filled_unless_told(room, scale, shift, found):
    assert jitter_within(room, scale=scale, shift=shift) == found


@pytest.mark.parametrize("room", [0.0, 0.09])
def test_too_little_room_is_one_line(room):
    with pytest.raises(SettingsError) as caught:
        jitter_within(room, scale=0.1, shift=0.05)
    text = str(caught.value)
    assert "\n" not in text
    assert "--jitter_scale 0.1 and --jitter_shift 0.05 need room 0.1" in text
    assert f"there is {room:g}" in text
    assert "--data.room" in text
