"""What a run prints at its end: every choice told, simulated data marked, names as they are, no line too long."""

from __future__ import annotations

import dataclasses

from rich.console import Console
from toy_scores import results, scores

from padkit.evaluation.assessment import assessment_of
from padkit.evaluation.methods import Method
from padkit.evaluation.results import ProtocolSummary, Results
from padkit.evaluation.selection import mean_of
from padkit.report.tables.evaluation import mean_last_tables, method_tables, run_view

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


def test_every_table_of_a_checkpoint_chosen_on_the_test_set_says_so() -> None:
    for selection, marked in (("source-dev", False), ("last", False), ("target-best", True)):
        made = method_tables(Method((assessment_of(told(checkpoint_selection=selection)),)))
        assert len(made) > 2
        assert all(("checkpoint target-best (test set)" in table.title) == marked for table in made)


def test_means_over_checkpoints_get_their_own_table_which_says_what_they_are() -> None:
    found = told(checkpoint_selection="last")
    assert mean_last_tables(found) == []
    recent = [{"step": step, **dataclasses.asdict(found)} for step in (3, 6)]
    text = " ".join(shown(dataclasses.replace(found, mean_last=mean_of(recent))).split())
    for part in ("last 2 judged checkpoints", "mean-last-10, test set", "Of steps 3, 6. Fewer than 10 were judged.",
                 "No weights have these figures", "checkpoint selection last"):  # fmt: skip
        assert part in text


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


def test_a_runs_end_tells_simulated_attacks_of_real_people_from_simulated_data() -> None:
    text = " ".join(shown(told(protocol=dataclasses.replace(PROTOCOL, simulated=True, real_faces=True))).split())
    assert "(real live photographs, simulated attacks)" in text
    assert "simulated attacks: these figures say nothing about real attacks." in text
    assert "imulated data" not in text


def test_a_runs_end_fits_eighty_columns() -> None:
    lines = shown(told(), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert any("APCER, worst species" in line for line in lines)
