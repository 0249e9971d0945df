"""Timings: percentiles and throughput, and turns that share a slow machine among all."""

from __future__ import annotations

import time

import pytest

from padkit.deploy.timing import FEWEST, TURNS, WARM, Timing, timed


def test_throughput_is_of_items_at_the_median():
    assert Timing(p50=20.0, p95=40.0, calls=10, items=16).throughput == pytest.approx(800)


def test_kinds_take_turns_and_warm_up_uncounted():
    order: list[str] = []
    found = timed({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, seconds=1e-9, items=4)
    turns = "".join(order).replace("a" * 2, "a")
    assert [turns.count("ab"), "".join(order).count("ba")] == [TURNS, TURNS - 1]
    assert len(order) == 2 * TURNS * (WARM + FEWEST // TURNS)
    assert {name: (one.calls, one.items) for name, one in found.items()} == {"a": (FEWEST, 4), "b": (FEWEST, 4)}


def test_a_slow_call_is_seen_to_be_slow():
    found = timed({"slow": lambda: time.sleep(0.004), "quick": lambda: None}, seconds=0.02)
    assert found["slow"].p95 >= found["slow"].p50 >= 4
    assert found["quick"].p50 < 1
