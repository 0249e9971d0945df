"""The page's table of alignment: a fresh classifier first, the aligner's own beside it and never alone."""

from __future__ import annotations

from typing import Any

from padkit.report.page.alignment import NOT_ASKED, alignment_table


def record(step: int, **figures: float) -> dict[str, Any]:
    return {"step": step, **{f"source_dev/{name}": value for name, value in figures.items()}}


OWN = {
    "domain_accuracy_clean": 0.6, "domain_kl_clean": 0.2, "domain_accuracy_attacked": 0.3, "domain_kl_attacked": 0.04,
}  # fmt: skip
FRESH = {
    "domain_chance": 1 / 3, "fresh_domain_accuracy_clean": 0.61, "fresh_domain_kl_clean": 0.561,
    "fresh_domain_accuracy_attacked": 0.639, "fresh_domain_kl_attacked": 0.552, "perturbation_max": 2 / 255,
    "perturbation_psnr": 44.77,
}  # fmt: skip


def test_the_fresh_classifier_comes_first_with_kl_beside_it() -> None:
    table = alignment_table([record(5, **OWN), record(9, **OWN, **FRESH)])
    assert table is not None
    assert table.title == "Alignment of the images at step 9"
    assert [row.texts for row in table.rows] == [
        ["fresh", "61.0", "63.9", "0.561", "0.552"],
        ["the aligner's own", "60.0", "30.0", "0.200", "0.040"],
    ]
    assert len(table.head) == 5
    assert table.notes[-1] == "Chance: 33.3 %. Largest change of a pixel, mean over images: 2.0/255; PSNR 44.8 dB."


def test_where_no_fresh_classifier_was_asked_the_page_says_so() -> None:
    table = alignment_table([record(5, **OWN)])
    assert table is not None
    assert table.rows[0].texts == ["fresh", "-", "-", "-", "-"]
    assert NOT_ASKED in table.notes[0]


def test_members_of_a_joined_aligner_are_told_apart() -> None:
    own = {f"daa.{name}": value for name, value in OWN.items()} | {"ddaig.domain_accuracy_transformed": 0.5}
    table = alignment_table([record(9, **own, **FRESH)])
    assert table is not None
    assert [row.name for row in table.rows] == ["fresh", "daa's own", "ddaig's own"]
    assert table.rows[2].texts[2] == "50.0"


def test_aligners_that_perturb_nothing_have_no_table() -> None:
    assert (
        alignment_table([record(9, domain_accuracy=0.5, domain_probe=0.4, auc=0.9), {"step": 9, "live": 1.0}]) is None
    )
