"""Tables by PAI species, against an independent implementation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kept_runs import equal_error_threshold, kept_run, labels_and_scores, write_kept
from sklearn.metrics import roc_auc_score

from padkit.ablation.blocks import rewritten
from padkit.ablation.kept import KeptRun
from padkit.ablation.published import grid_of, published
from padkit.commands.results import main
from padkit.errors import DataError

SEEDS = (0, 1, 2)


def runs_of(cell: str, shift: float, **changes: object) -> list[KeptRun]:
    return [kept_run(cell, "hall", seed, shift, **changes) for seed in SEEDS]


def by_key(runs: list[KeptRun]) -> dict:
    return {run.key: run for run in runs}


def left_out(shift: float = 0.6) -> list[KeptRun]:
    own = {"cell_settings": {"data.without": "print"}, "settings": {"data.without": "print"}}
    return runs_of("no print", shift, facts={"content": "fewer"}, **own)


def test_figures_are_those_of_an_independent_implementation() -> None:
    plain, without = runs_of("plain", 1.2, facts={"content": "all"}), left_out()
    runs = by_key([*plain, *without])
    tables, _ = published(runs, grid_of(runs), "x", species=True)
    areas, rates, unseen = tables[-4:-1]
    assert areas.head == rates.head == ["cell", "print", "replay"]

    def figures(run: KeptRun) -> tuple[float, float]:
        target, threshold = run.scores["target"], equal_error_threshold(*labels_and_scores(run.scores["source_dev"]))
        live, attacks = target["bona fide"], np.array(target["attack"]["print"])
        area = roc_auc_score([1] * len(live) + [0] * len(attacks), [*live, *attacks])
        return 100 * area, 100 * float(np.mean(attacks >= threshold))

    seen, missed = (np.mean([figures(run) for run in some], axis=0) for some in (plain, without))
    assert [row.cells[0].value for row in areas.rows] == [f"{seen[0]:.2f}", f"{missed[0]:.2f}"]
    assert [row.cells[0].value for row in rates.rows] == [f"{seen[1]:.2f}", f"{missed[1]:.2f}"]
    assert [[cell.bold for cell in row.cells] for row in areas.rows] == [[False, False], [True, False]]
    (row,) = unseen.rows
    told = [seen[0], missed[0], seen[1], missed[1]]
    assert row.texts[0] == "no print: print"
    assert [row.texts[at] for at in (2, 3, 6, 7)] == [f"{value:.2f}" for value in told]
    assert row.texts[4] == f"{missed[0] - seen[0]:+.2f}"


def test_nothing_is_left_out_nowhere() -> None:
    runs = by_key([*runs_of("plain", 1.2), *runs_of("DAA", 1.0)])
    usual, more = (published(runs, grid_of(runs), "x", species=species)[0] for species in (False, True))
    assert len(more) == len(usual) + 2


def test_cells_with_data_of_their_own_are_tested_on_the_same() -> None:
    """A cell may train on other data; what it is tested on is that of the others."""
    plain, without = runs_of("plain", 1.2, facts={"content": "all"}), left_out()
    fewer = without[0].scores["target"]["attack"] | {"print": [0.1]}
    scores = without[0].scores | {"target": without[0].scores["target"] | {"attack": fewer}}
    odd = kept_run(
        "no print", "hall", 0, 0.6, facts={"content": "fewer"}, cell_settings={"data.without": "print"}, scores=scores
    )
    runs = by_key([*plain, odd])
    with pytest.raises(DataError, match="'no print, hall, seed 0' and 'plain, hall, seed 0' were tested on different"):
        published(runs, grid_of(runs), "x")


def test_command_and_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_kept(tmp_path / "runs.jsonl", *runs_of("plain", 1.2))
    assert main([str(file), "--by", "species"]) == 0
    assert "by PAI species" in capsys.readouterr().out
    document = tmp_path / "doc.md"
    document.write_text(f"<!-- results: {file}, by species -->\n<!-- end results -->\n", encoding="utf-8")
    assert main(["--write", str(document)]) == 0
    assert "by PAI species" in document.read_text(encoding="utf-8")
    with pytest.raises(DataError, match="by 'camera' is unknown; write 'by species'"):
        rewritten("<!-- results: a.jsonl, by camera -->\n<!-- end results -->\n", "doc.md", lambda _: "")
