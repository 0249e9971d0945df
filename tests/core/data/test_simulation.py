"""What is simulated is said in the same words everywhere, and joined tables say it of the whole."""

from __future__ import annotations

import pytest

from padkit.data.simulation import facts_of, simulated_note, simulated_part, simulated_warning
from padkit.data.table.frames import summed

REAL, DRAWN, CAPTURED = (True, True), (True, False), (False, False)


@pytest.mark.parametrize(
    ("facts", "part", "about"),
    [
        (REAL, "real live photographs, simulated attacks", "about real attacks."),
        (DRAWN, "simulated data", "about real faces and attacks."),
    ],
)
def test_the_words(facts, part, about):
    assert simulated_part(*facts) == part
    assert simulated_note(*facts) == f" ({part})"
    assert simulated_warning(*facts) == f"{part.capitalize()}: these figures say nothing {about}"


def test_real_captures_need_no_words():
    assert simulated_part(*CAPTURED) == simulated_note(*CAPTURED) == simulated_warning(*CAPTURED) == ""


def test_tables_of_earlier_versions_have_no_real_faces():
    assert facts_of({"simulated": True}) == DRAWN


def about(simulated: bool, real_faces: bool) -> dict[str, object]:
    counts = dict.fromkeys(("presentations", "records", "frames"), 1)
    texts = dict.fromkeys(("key", "dataset", "fingerprint"), "x")
    lists = {"attribute_names": [], "skipped": []}
    return {"version": 1, "image_size": 8, "simulated": simulated, "real_faces": real_faces, **counts, **texts, **lists}


@pytest.mark.parametrize(
    ("tables", "whole"),
    [
        ([REAL, CAPTURED], REAL),
        ([REAL, REAL], REAL),
        ([REAL, DRAWN], DRAWN),
        ([DRAWN, CAPTURED], DRAWN),
        ([CAPTURED, CAPTURED], CAPTURED),
    ],
)
def test_joined_tables_have_real_faces_if_every_simulated_one_has(tables, whole):
    assert facts_of(summed([about(*one) for one in tables])) == whole
