"""For a target, candidates are judged by what never saw it."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from kept_runs import independent_figures, kept_run

PATH = Path(__file__).parents[2] / "benchmarks" / "source_choice.py"
SPECIFICATION = importlib.util.spec_from_file_location("benchmark_source_choice", PATH)
source_choice = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(source_choice)


def row(candidate: str, sources: str, pseudo: str, auc: float) -> dict[str, str]:
    values = (candidate, sources, pseudo, "0", str(auc), str(1 - auc), "d")
    return dict(zip(source_choice.COLUMNS, values, strict=True))


ROWS = [
    row("plain", "a&b", "c", 0.80), row("plain", "a&b", "d", 0.10), row("plain", "b&c", "a", 0.90),
    row("DAA", "a&b", "c", 0.82), row("DAA", "a&b", "d", 0.99), row("DAA", "b&c", "a", 0.70),
    row("half", "a&b", "c", 0.99),
]  # fmt: skip


def test_nothing_of_the_target_is_used() -> None:
    made = source_choice.table(ROWS, ["d", "a"], "auc")
    # For d: what was trained without d and judged on another; for a nothing: b&c was judged on a itself.
    assert [row.texts for row in made.rows] == [
        ["plain", "85.00", "-"],
        ["DAA", "76.00", "-"],
        ["half", "99.00 (n=1)", "-"],
    ]
    assert [row.cells[0].bold for row in made.rows] == [True, False, False]  # a candidate judged less often is not best
    assert [row.cells[0].text for row in source_choice.table(ROWS, ["d"], "hter").rows] == [
        "15.00",
        "24.00",
        "1.00 (n=1)",
    ]


def test_each_pseudo_target_of_a_run_is_judged_alone() -> None:
    one = kept_run("DAA", "c&d", 0)
    parts = {
        "target/c": one.scores["target"],
        "target/d": one.scores["source_dev"],
        "source_dev": one.scores["source_dev"],
    }
    protocol = replace(one.protocol, sources=("a", "b"), target="c&d")
    found = source_choice.judged(replace(one, scores=parts, protocol=protocol))
    assert [(each["sources"], each["pseudo_target"]) for each in found] == [("a&b", "c"), ("a&b", "d")]
    for each, part in zip(found, ("target/c", "target/d"), strict=True):
        wanted = independent_figures({"scores": {"target": parts[part], "source_dev": parts["source_dev"]}})
        assert 100 * float(each["auc"]) == pytest.approx(wanted["AUC"], abs=1e-4)
        assert 100 * float(each["hter"]) == pytest.approx(wanted["HTER"], abs=1e-4)
