"""The tables of measured stability."""

from __future__ import annotations

from padkit.report.tables.stability import flips_table, stability_tables

FOUND = {
    "faces": 40, "boxes_changed_in": "stored crops with room", "policy": "source-dev", "threshold": 0.25,
    "flipped_verdicts": 0.0125, "faces_with_a_flip": 0.05, "by_change": {"box 10 % smaller": 0.0, "shift": 0.025},
    "by_face_side": [
        {"side": 24, "bona_fide": 9, "attack": 8, "apcer_pooled": 0.125, "bpcer": 1 / 3},
        {"side": None, "bona_fide": 20, "attack": 20, "apcer_pooled": 0.0, "bpcer": 0.05},
    ],
}  # fmt: skip


def test_flips_by_change_and_errors_by_size():
    flips, sizes = stability_tables(FOUND)
    assert [row.texts for row in flips.rows] == [["box 10 % smaller", "0.00"], ["shift", "2.50"]]
    assert "in stored crops with room" in flips.title
    assert flips.notes == [
        "1.25 % of all these verdicts flip; 5.00 % of 40 faces flip at least once.",
        "Verdicts by the threshold 0.25 (source-dev).",
    ]
    assert [row.texts for row in sizes.rows] == [
        ["24 pixels", "9", "8", "12.50", "33.33"],
        ["as they are", "20", "20", "0.00", "5.00"],
    ]


def test_crops_alone_cannot_show_a_larger_box_and_say_so():
    flips, _ = stability_tables({**FOUND, "boxes_changed_in": "stored crops"})
    assert "not larger boxes" in flips.notes[-1]


def test_several_runs_in_one_table():
    table = flips_table({"a": FOUND, "b": {**FOUND, "flipped_verdicts": 0.5}})
    assert [row.texts for row in table.rows] == [["a", "1.25", "5.00"], ["b", "50.00", "5.00"]]
