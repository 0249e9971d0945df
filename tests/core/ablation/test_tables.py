"""Statistics by hand and by scipy; tables say what the records say, and bold only what is significant."""

from __future__ import annotations

import csv
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from toy_scores import results, scores

from padkit.ablation.records import Record, record_run, write_records
from padkit.ablation.tables import Grid, caption, tables_of
from padkit.evaluation.results import write_results
from padkit.evaluation.selection import mean_of
from padkit.evaluation.statistics.paired import detectable, holm, paired_difference, spread
from padkit.report.tables.layout import Table, latex, markdown, terminal

TARGETS, SEEDS = ["office", "hall"], [0, 1, 2, 3]
GRID = Grid(cells=["plain", "A_1", "B"], targets=TARGETS, seeds=SEEDS, baseline="plain")


def record(cell: str, target: str, seed: int, hter: float, /, **changes: object) -> Record:
    known = {"policy": "source-dev", "test_set_choice": False, "selection": "source-dev", "convention": "official"}
    values = {"hter": hter, "auc": 1 - hter, "hter_target_eer": hter / 2}
    return Record(cell=cell, target=target, seed=seed, **(known | values | changes))


def records(gain: float) -> list[Record]:
    """A_1 is better than plain by `gain` on each of 8 pairs, give or take; B is better once and worse once."""
    found = []
    for number, (target, seed) in enumerate((target, seed) for target in TARGETS for seed in SEEDS):
        base = 0.2 + 0.01 * number
        found += [
            record("plain", target, seed, base),
            record("A_1", target, seed, base - gain - 0.001 * number),
            record("B", target, seed, base + (0.02 if number % 2 else -0.03)),
        ]
    return found


def test_spread_by_hand() -> None:
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.deviation, found.count) == (3.0, pytest.approx(7**0.5), 3)
    assert spread([4.0]).deviation is None


def test_comparison_against_scipy() -> None:
    generator = np.random.default_rng(1)
    cell, base = generator.normal(19, 2, 12), generator.normal(20, 2, 12)
    found = paired_difference({**dict(enumerate(cell)), 99: 1.0}, {**dict(enumerate(base)), 77: 5.0})
    difference = cell - base
    interval = stats.t.interval(0.95, 11, loc=difference.mean(), scale=stats.sem(difference))
    assert found.pairs == 12
    assert found.difference == pytest.approx(difference.mean())
    assert (found.low, found.high) == (pytest.approx(interval[0]), pytest.approx(interval[1]))
    assert found.wilcoxon == pytest.approx(stats.wilcoxon(cell, base).pvalue)
    assert found.t_test == pytest.approx(stats.ttest_rel(cell, base).pvalue, rel=1e-5)


def test_wilcoxon_by_hand() -> None:
    """Five pairs, all better: two of 2^5 sign patterns are as extreme."""
    found = paired_difference({number: -float(number) for number in range(1, 6)}, dict.fromkeys(range(1, 6), 0.0))
    assert found.wilcoxon == pytest.approx(2 / 32)


def test_ties_and_zeros_keep_the_signed_rank_test_exact() -> None:
    """Equal differences share their ranks, pairs without any drop out: still 2 of 2^5 and 2 of 2^7 sign patterns."""
    five = paired_difference(dict(enumerate([-1.0, -1, -2, -3, -4])), dict.fromkeys(range(5), 0.0))
    assert five.wilcoxon == pytest.approx(2 / 32)
    seven = paired_difference(dict(enumerate([2.0, 2, 2, 1, 1, 3, 4, 0, 0])), dict.fromkeys(range(9), 0.0))
    assert seven.wilcoxon == pytest.approx(2 / 128)


def test_what_cannot_be_tested_is_left_open() -> None:
    assert paired_difference({}, {1: 2.0}).difference is None
    single = paired_difference({1: 3.0}, {1: 2.0})
    assert (single.pairs, single.difference, single.low, single.wilcoxon) == (1, 1.0, None, None)
    equal = paired_difference({1: 0.1 + 0.2, 2: 1.0}, {1: 0.3, 2: 1.0})
    assert (equal.difference, equal.wilcoxon, equal.t_test) == (0.0, 1.0, None)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_detectable_difference_is_found_in_four_of_five_experiments() -> None:
    """Against simulation; and the issue's figure, 3.3 points from 12 pairs of the spread that was seen."""
    assert detectable(3.71, 12) == pytest.approx(3.3, abs=0.05)
    generator = np.random.default_rng(0)
    for pairs in (3, 12):
        drawn = generator.normal(detectable(2.0, pairs), 2.0, (20_000, pairs))
        found = stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
        assert found.mean() == pytest.approx(0.8, abs=0.01)


def bold(table: Table) -> set[tuple[int, int]]:
    """Row and column of what is set in bold, columns counted with the row's name."""
    cells = [(number, place + 1, cell) for number, row in enumerate(table.rows) for place, cell in enumerate(row.cells)]
    return {(number, place) for number, place, cell in cells if cell.bold}


def test_only_a_significant_best_is_bold() -> None:
    _, _, figures, compared, *_ = tables_of(records(0.05), GRID)
    assert figures.head == ["cell", "office", "hall", "mean", "runs"]
    assert bold(figures) == {(1, 3)}
    assert compared.rows[0].texts[:3] == ["A_1", "8", "-5.35"]
    assert compared.rows[0].texts[4:6] == ["0.0078", "0.0156"]  # 2 of 2^8 sign patterns; Holm over two cells
    _, _, worse, *_ = tables_of(records(-0.05), GRID)
    assert bold(worse) == set()  # plain is not the best, B is, and by chance
    short = Grid(cells=GRID.cells, targets=["hall"], seeds=SEEDS, baseline="plain")
    _, _, few, *_ = tables_of(records(0.05), short)
    assert bold(few) == set()


def test_figures_by_hand() -> None:
    area, _, figures, _, literature, _ = tables_of(records(0.05), GRID)
    office, hall = [20.0, 21, 22, 23], [24.0, 25, 26, 27]
    means = [(a + b) / 2 for a, b in zip(office, hall, strict=True)]
    texts = [f"{np.mean(v):.2f} ± {np.std(v, ddof=1):.2f}" for v in (office, hall, means)]
    assert figures.rows[0].texts == ["plain", *texts, "8/8"]
    assert figures.title.endswith("threshold policy source-dev")
    assert area.rows[0].texts[1] == "78.50 ± 1.29"
    assert bold(area) == {(1, 3)}
    assert "test-set threshold" in literature.title
    assert literature.rows[0].texts[1] == "10.75 ± 0.65"


def test_auc_comes_first_and_every_comparison_tells_what_it_would_find() -> None:
    made = tables_of(records(0.05), GRID)
    assert [table.title.split(" ")[0] for table in made] == ["AUC", "AUC", "HTER", "HTER", "HTER", "HTER"]
    differences = [100 * (-0.05 - 0.001 * number) for number in range(8)]
    wanted = detectable(float(np.std(differences, ddof=1)), 8)
    for table in made[1::2]:
        (note,) = table.notes
        assert "80 % power" in note
        factor = 0.5 if "target-eer" in table.title else 1
        assert f"A_1 {factor * wanted:.2f}, B " in note
    alone = [entry for entry in records(0.05) if (entry.target, entry.seed) == ("hall", 0)]
    assert tables_of(alone, GRID)[1].notes[0].endswith("unknown with fewer than two pairs that differ.")


def test_a_cell_beside_is_shown_and_not_tested() -> None:
    entries = [*records(0.05), *(record("random", target, seed, 0.4) for target in TARGETS for seed in SEEDS)]
    grid = Grid(cells=["random", *GRID.cells], targets=TARGETS, seeds=SEEDS, baseline="plain", beside=["random"])
    area, compared, *_ = tables_of(entries, grid)
    assert [row.name for row in area.rows] == ["random", "plain", "A_1", "B"]
    assert area.notes == ["plain minus random, mean over seeds: office +18.50, hall +14.50 percentage points."]
    # Holm counts the tested cells alone.
    assert [row.texts for row in compared.rows] == [row.texts for row in tables_of(records(0.05), GRID)[1].rows]
    best = [replace(entry, auc=0.99) if entry.cell == "random" else entry for entry in entries]
    assert bold(tables_of(best, grid)[0]) == {(2, 3)}


def test_missing_runs_give_no_mean() -> None:
    kept = [entry for entry in records(0.05) if (entry.cell, entry.seed, entry.target) != ("A_1", 0, "hall")]
    failed = record("A_1", "hall", 0, 0.0, status="failed", error="loss became nan", hter=None)
    _, _, figures, compared, *_ = tables_of([*kept, failed], GRID)
    assert figures.rows[1].texts[2].endswith("(n=3)")
    assert figures.rows[1].texts[3:] == ["-", "7/8"]
    assert bold(figures) == set()
    assert compared.rows[0].texts[1] == "7"
    lines = caption([*kept, failed], GRID, dataset="toy", fingerprint="", warning="", command="x")
    assert "23 of 24 runs finished. 1 run failed; the first, A_1, hall, seed 0: loss became nan" in lines
    assert not any("Simulated" in line for line in lines)


def test_every_table_says_that_checkpoints_were_chosen_on_the_test_set() -> None:
    made = tables_of(records(0.05), GRID)
    assert not any("test set)" in table.title for table in made)
    flattered = [replace(entry, selection="target-best") for entry in records(0.05)]
    made = tables_of(flattered, GRID)
    assert all(table.title.endswith("; checkpoint target-best (test set)") for table in made)
    one = [replace(e, selection="mean-last-10") if e.cell == "A_1" else e for e in records(0.05)]
    assert all(table.title.endswith("; checkpoint mean-last-10 (test set) in A_1") for table in tables_of(one, GRID))


def test_a_run_that_reports_means_is_recorded_with_them(tmp_path: Path) -> None:
    found = results(scores(4), scores(0))
    recent = [{"step": seed, **asdict(results(scores(seed), scores(0)))} for seed in (4, 5)]
    for name, told in {"last": found, "mean-last-10": replace(found, mean_last=mean_of(recent))}.items():
        told = replace(told, checkpoint_selection="last")
        write_results(told, tmp_path / "metrics.json")
        run = SimpleNamespace(cell=SimpleNamespace(name="plain"), target="c", seed=0, folder=tmp_path,
                              metrics=tmp_path / "metrics.json")  # fmt: skip
        kept = record_run(run, "", tmp_path)
        source = told.mean_last or told
        assert (kept.selection, kept.auc) == (name, source.values["auc"])
        assert (kept.hter, kept.hter_target_eer) == tuple(entry.values["hter"] for entry in source.results)
    assert source.values["auc"] != found.values["auc"]


def test_texts_of_the_tables(tmp_path: Path) -> None:
    entries = records(0.05)
    lines = caption(
        entries,
        GRID,
        dataset="synthetic",
        fingerprint="synthetic world 9",
        warning="Simulated data!",
        command="a --b_c 1",
    )
    made = tables_of(entries, GRID)
    text = markdown(made, lines)
    assert re.search(r"\| A\\_1 \| .* \| \*\*18\.15 ± 1\.16\*\* \| 8/8 \|", text)
    for wanted in ("(synthetic world 9)", "checkpoint selection source-dev", "seeds 0, 1, 2, 3", "convention official"):
        assert wanted in text
    assert "Simulated data" in text
    assert "share targets" in text
    assert "`a --b_c 1`" in text
    tex = latex(made, lines)
    assert r"\textbf{18.15 $\pm$ 1.16}" in tex
    assert r"A\_1 &" in tex
    assert r"HTER (\%)" in tex
    assert tex.count(r"\begin{table}") == len(made) == 6
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    console.print(terminal(made, lines))
    console.file.close()
    assert "A_1" in console.export_text()
    write_records(entries, tmp_path / "results.csv")
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert (rows[0]["cell"], rows[0]["policy"], float(rows[0]["hter"])) == ("plain", "source-dev", 0.2)
