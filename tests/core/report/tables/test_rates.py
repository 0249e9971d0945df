"""One builder of the tables of rates: a run's end, `padkit evaluate` and the page differ in what is known alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from toy_scores import results, scores, toy_page

from padkit.evaluation.assessment import assess, assessment_of, resampled
from padkit.evaluation.candidates import Candidate
from padkit.evaluation.methods import Method
from padkit.evaluation.results import Results, evaluate
from padkit.evaluation.scores import Scores, presentation_scores
from padkit.report.tables.layout import Table, html
from padkit.report.tables.rates import rate_tables

TARGET, SOURCE_DEV = scores(1), scores(0)


def found() -> Results:
    return results(TARGET, SOURCE_DEV)


def candidate(target: Scores = TARGET, **more: object) -> Candidate:
    told = found()
    return Candidate(
        name="a", target=target, source_dev=SOURCE_DEV, protocol=told.protocol, seed=told.seed, selection="source-dev",
        policies=("source-dev", "target-eer"), **more,
    )  # fmt: skip


def shape(tables: list[Table]) -> list[tuple[str, list[str], list[str]]]:
    return [(table.title, list(table.head), [row.name for row in table.rows]) for table in tables]


def values(tables: list[Table]) -> list[list[list[str]]]:
    return [[[cell.value for cell in row.cells] for row in table.rows] for table in tables]


def test_an_evaluation_and_a_page_have_the_same_tables_as_a_runs_end_and_more_beside_them(tmp_path: Path) -> None:
    evaluated = rate_tables(Method((assess(candidate(), resamples=1000),)))
    page = rate_tables(
        Method((resampled(assessment_of(found(), TARGET, SOURCE_DEV), TARGET, SOURCE_DEV, resamples=1000),))
    )
    assert page == evaluated, "also the intervals"
    end = rate_tables(Method((assessment_of(found()),)))
    assert [table.title for table in end] == [table.title for table in page]
    for one, other in zip(end, page, strict=True):
        width = len(one.head)  # without the scores there is no AUC by species
        assert one.head == other.head[:width]
        assert other.head[width:] in ([], ["AUC"])
        for row, same in zip(one.rows, other.rows, strict=True):
            assert (row.name, row.ends) == (same.name, same.ends)
            assert [cell.value for cell in row.cells] == [cell.value for cell in same.cells][: width - 1]
            assert not any(cell.beside for cell in row.cells)
    text = toy_page(tmp_path)[0].read_text()
    for table in page:
        assert f"<h3>{table.title}</h3>\n{html(table)}" in text


def test_figures_are_those_of_the_results() -> None:
    told, (errors, free, species, held_out) = found(), rate_tables(Method((assessment_of(found()),)))
    assert told.source_dev is not None
    entries = [*told.results, told.source_dev.result]
    assert errors.head == [
        "% (but threshold)",
        "source-dev",
        "target-eer (test set)",
        "held-out source (at source-dev)",
    ]
    assert errors.rows[0].texts == ["threshold", *(f"{entry.threshold:.5g}" for entry in entries)]
    assert [row.ends for row in errors.rows] == [True] + [False] * 6
    assert errors.rows[1].texts == ["HTER", *(f"{100 * entry.values['hter']:.2f}" for entry in entries)]
    assert free.rows[0].texts == [
        "AUC", f"{100 * told.values['auc']:.2f}", f"{100 * told.source_dev.values['auc']:.2f}"
    ]  # fmt: skip
    passed = [f"{100 * entry.apcer_by_species['printer1']:.2f}" for entry in told.results]
    assert species.rows[0].texts == ["printer1", "32", *passed]
    assert held_out.head == ["PAI species", "attacks", "APCER source-dev"], "held-out source is no test set"


def test_what_is_not_known_has_no_table() -> None:
    bare = dataclasses.replace(TARGET, species=np.full(len(TARGET), ""))
    alone = Candidate(name="a", target=bare, policies=("fixed:0.5",))
    tables = rate_tables(Method((assess(alone),)), "a")
    assert [table.title for table in tables] == ["a: errors by threshold policy", "a: without a threshold"]
    assert tables[0].head == ["% (but threshold)", "fixed:0.5"]
    assert tables[1].head == ["%", "test set"]


def test_held_out_scores_of_one_class_stand_nowhere() -> None:
    live = SOURCE_DEV.select(SOURCE_DEV.label == 1)
    told = assess(dataclasses.replace(candidate(), source_dev=live), ["fixed:0.5"])
    assert told.source_dev is None


def test_intervals_of_held_out_source_keep_a_threshold_that_the_test_set_chose() -> None:
    # Attacks at 0.2, bona fide at 0.8 but, on held-out source, at 0.4: below every threshold that the target chooses.
    label = np.arange(60) % 2
    shown = {"presentation": [f"p{i}" for i in range(60)], "subject": [f"s{i // 2}" for i in range(60)]}
    shown |= {"dataset": ["x"] * 60, "domain": ["d"] * 60, "label": label, "species": np.where(label == 1, "", "print")}
    target, source = (presentation_scores(shown, np.where(label == 1, live, 0.2)) for live in (0.8, 0.4))
    candidate = Candidate(name="x", target=target, source_dev=source, policies=("target-eer",))
    held_out = assess(candidate, resamples=50).source_dev
    assert held_out is not None
    assert held_out.results[0].values["bpcer"] == 1
    ends = held_out.intervals["target-eer", "bpcer"]
    assert (ends.low, ends.high) == (1, 1)


def test_each_of_several_targets_stands_alone() -> None:
    domains = np.where(np.arange(len(TARGET)) % 2, "C", "M")
    target = dataclasses.replace(TARGET, domain=domains, device=domains)
    protocol = dataclasses.replace(found().protocol, target="C&M")
    told = evaluate(target, protocol=protocol, seed=0, source_dev=SOURCE_DEV, targets=("C", "M"))
    end = rate_tables(Method((assessment_of(told),)), "x")
    assert [table.title for table in end][2] == "x: each target alone (%)"
    one = told.targets[1]
    shares = [*(entry.values["hter"] for entry in one.results), one.values["auc"]]
    cells = [str(one.counts.bona_fide), str(one.counts.attack), *(f"{100 * share:.2f}" for share in shares)]
    assert end[2].rows[1].texts == ["M", *cells]
    evaluated = rate_tables(Method((assess(candidate(target, targets=("C", "M"))),)), "x")
    assert evaluated[2] == end[2]
    titles = ["x: by device, at the threshold of source-dev (%)", "x: by domain, at the threshold of source-dev (%)"]
    assert [table.title for table in evaluated[-2:]] == titles
    assert evaluated[-1].head == ["domain", "bona fide", "attacks", "APCER", "BPCER", "HTER", "AUC"]


def test_several_seeds_are_told_by_mean_and_deviation_also_on_held_out_source() -> None:
    runs = [
        assess(dataclasses.replace(candidate(scores(seed)), seed=seed, source_dev=scores(seed + 9)), resamples=100)
        for seed in (1, 2)
    ]
    method = Method(tuple(runs))
    errors, free, *_ = rate_tables(method)
    shares = [100 * run.source_dev.values["auc"] for run in runs if run.source_dev]
    cell = free.rows[0].cells[1]
    assert (cell.value, cell.beside) == (f"{np.mean(shares):.2f}", f"± {np.std(shares, ddof=1):.2f}")
    assert all(cell.beside.startswith("± ") for row in errors.rows for cell in row.cells)
    without = dataclasses.replace(runs[1], source_dev=None)
    assert Method((runs[0], without)).source_dev is None
