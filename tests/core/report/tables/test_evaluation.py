"""What a run prints at its end: every choice told, simulated data marked, names as they are, no line too long."""

from __future__ import annotations

import dataclasses

from rich.console import Console
from toy_scores import results, scores

from padkit.evaluation.results import ProtocolSummary, Results
from padkit.report.tables.evaluation import run_view

PROTOCOL = ProtocolSummary(name="a&b->c", convention="official", sources=("a", "b"), target="c", simulated=False)


def told(**change: object) -> Results:
    found = results(scores(4), scores(0), **dataclasses.asdict(PROTOCOL) | {"sources": ("a", "b")})
    return dataclasses.replace(found, **change)


def shown(found: Results, width: int = 100) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(run_view(found))
    return capture.get()


def test_a_runs_end_says_what_was_chosen_where() -> None:
    found = told()
    text = shown(found)
    parts = [
        "a&b->c: errors by threshold policy",
        "source-dev",
        "target-eer",
        "(test set)",
        "held-out source",
        "seed 11",
    ]
    parts += ["Trained on a, b.", "Tested on 32 bona fide and 64 attack presentations of c (96 frames)."]
    parts += ["Threshold target-eer: chosen on the test set."]
    for part in parts:
        assert part in text
    for share in (found.results[0].values["hter"], found.values["auc"], found.results[0].apcer_by_species["printer1"]):
        assert f"{100 * share:.2f}" in text
    assert "imulated" not in text
    assert "bootstrap" not in text
    flattered = " ".join(shown(told(checkpoint_selection="target-best")).split())
    assert "checkpoint selection target-best (the best checkpoint on the test set" in flattered


def test_a_runs_end_doubts_labels_below_chance() -> None:
    found = told()
    assert found.values["auc"] > 0.5
    assert "AUC below 50 %" not in shown(found)
    below = " ".join(shown(told(values=found.values | {"auc": 0.31})).split())
    assert "AUC below 50 %: either bona fide and attack are swapped in some of the data" in below


def test_a_runs_end_marks_simulated_data_and_takes_names_as_they_are() -> None:
    protocol = dataclasses.replace(PROTOCOL, simulated=True, target="[red]c", name="a&b->[red]c")
    text = shown(told(protocol=protocol))
    assert "(simulated data)" in text
    assert "nothing about real faces" in text
    assert "[red]c" in text


def test_a_runs_end_fits_eighty_columns() -> None:
    lines = shown(told(), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert any("APCER, worst species" in line for line in lines)
