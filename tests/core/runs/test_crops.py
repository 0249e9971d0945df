"""Which crops of a run int8 is calibrated on."""

from __future__ import annotations

import numpy as np

from padkit.runs.crops import in_turn


def test_groups_take_turns_and_keep_their_order():
    groups = np.array(["b", "b", "a", "b", "c", "a", "b"])
    assert in_turn(groups).tolist() == [2, 0, 4, 5, 1, 3, 6]
    assert in_turn(groups[:0]).tolist() == []


def test_each_group_has_as_many_as_far_as_it_has_that_many():
    groups = np.random.default_rng(0).permutation(np.repeat(["live 1", "live 2", "print 1"], [500, 7, 60]))
    chosen = groups[in_turn(groups)[:90]]
    assert [int((chosen == name).sum()) for name in ("live 1", "live 2", "print 1")] == [42, 7, 41]
