"""Tables of kept runs: every figure again from the scores, and only like is compared with like."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_runs import check_block, kept_run, write_kept

from padkit.ablation.kept import KeptRun, read_all
from padkit.ablation.plan import Cell, Plan
from padkit.ablation.published import grid_of, published
from padkit.errors import DataError, SettingsError
from padkit.report.tables.layout import markdown

TARGETS, SEEDS = ("office", "hall"), (0, 1, 2)
GRID = [(target, seed) for target in TARGETS for seed in SEEDS]


def runs_of(*cells: tuple[str, float]) -> list[KeptRun]:
    return [kept_run(cell, target, seed, shift) for cell, shift in cells for target, seed in GRID]


def by_key(runs: list[KeptRun]) -> dict:
    return {run.key: run for run in runs}


def test_every_figure_is_that_of_an_independent_implementation(tmp_path: Path) -> None:
    path = write_kept(tmp_path / "runs.jsonl", *runs_of(("plain", 1.0), ("DAA", 1.5), ("DAT", 0.8)))
    runs = read_all([path])
    tables, lines = published(runs, grid_of(runs), "padkit results")
    text = markdown(tables, lines)
    assert check_block(text, [path]) == 3 * 3 * 2
    assert "seeds 0, 1, 2" in text
    assert "18 of 18 runs finished" in text
    assert "Dataset toy (toy world, seed 0; toy world, seed 1; toy world, seed 2)" in text
    assert "Runs of padkit 0.1.0, torch 2 (revision abc) on Linux; 7 s a run." in text
    with pytest.raises(AssertionError):
        check_block(text.replace(text.split("| plain | ")[1][:5], "99.99", 1), [path])


def test_a_plan_gives_order_and_what_it_lacks_is_counted() -> None:
    runs = by_key([*runs_of(("plain", 1.0), ("DAA", 1.5)), kept_run("old", "office", 0)])
    cells = {name: Cell(name, {"aligner": "none"}) for name in ("DAA", "plain", "FR")}
    plan = Plan(cells=cells, targets=["hall"], seeds=[0, 1], baseline="plain").complete()
    grid = grid_of(runs, plan)
    assert (grid.cells, grid.targets, grid.seeds, grid.baseline) == (["DAA", "plain", "FR"], ["hall"], [0, 1], "plain")
    tables, lines = published(runs, grid, "x")
    assert [row.texts[-1] for row in tables[0].rows] == ["2/2", "2/2", "0/2"]
    assert "4 of 6 runs finished." in lines
    assert "9 kept runs are of other cells, targets or seeds and left out." in lines
    with pytest.raises(SettingsError, match=r"baseline 'plian' is no cell\. Did you mean 'plain'"):
        grid_of(runs, plan, "plian")
    with pytest.raises(DataError, match="no kept runs"):
        grid_of({}, plan)


def test_random_features_stand_beside() -> None:
    free = {"facts": {"recipe": "random_features"}, "cell_settings": {"recipe": "random_features"}}
    beside = [kept_run("random", target, seed, 0.2, **free) for target, seed in GRID]
    runs = by_key([*runs_of(("plain", 1.0), ("DAA", 1.5)), *beside])
    grid = grid_of(runs)
    assert (grid.beside, grid.tested) == (["random"], ["DAA"])
    assert published(runs, grid, "x")[0][0].notes[0].startswith("plain minus random, mean over seeds: office +")


def test_evidence_is_shown_where_there_is_any() -> None:
    told = {"source_dev/fresh_domain_accuracy_attacked": 0.5, "distillation/fr/explained_by_constant": 0.25}
    runs = by_key([kept_run("plain", "hall", 0), kept_run("DAA", "hall", 0, 1.5, evidence=told)])
    *_, table = published(runs, grid_of(runs), "x")[0]
    assert table.head == ["cell", "held-out source AUC", "fresh domain classifier, perturbed", "constant, fr"]
    assert table.rows[1].texts[2:] == ["50.0", "25.0"]
    assert table.rows[0].texts[2:] == ["-", "-"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"facts": {"data": "other"}}, "'DAA, hall, seed 0' and 'plain, hall, seed 0' were made on different data"),
        ({"settings": {"lr": 0.5}}, r"differ in lr \(0\.001 and 0\.5\)"),
        ({"facts": {"precision": "bf16"}}, r"differ in precision \('no' and 'bf16'\)"),
    ],
)
def test_only_like_is_compared_with_like(changes: dict, message: str) -> None:
    runs = by_key([kept_run("plain", "hall", 0), kept_run("DAA", "hall", 0, **changes)])
    with pytest.raises(DataError, match=message):
        published(runs, grid_of(runs), "x")


def test_seeds_with_frames_of_their_own_are_compared() -> None:
    """`--seeded data.seed`: what the frames hold differs from seed to seed, and within a seed between nobody."""
    pairs = [(cell, seed) for cell in ("plain", "DAA") for seed in SEEDS]
    told = [kept_run(cell, "hall", seed, facts={"content": f"frames{seed}"}) for cell, seed in pairs]
    assert published(by_key(told), grid_of(by_key(told)), "x")[0][0].rows[0].texts[-1] == "3/3"
    odd = kept_run("DAT", "hall", 2, facts={"content": "frames0"})
    runs = by_key([*told, odd])
    with pytest.raises(DataError, match="'DAT, hall, seed 2' and 'plain, hall, seed 2' were made on different data"):
        published(runs, grid_of(runs), "x")


def test_equal_frames_elsewhere_are_the_same_data() -> None:
    here, there = (
        {"facts": {"data": place, "content": "frames"}, "settings": {"data.root": f"/{place}", "data.seed": 0}}
        for place in ("here", "there")
    )
    for seed in (0, 1):
        runs = by_key([kept_run("plain", "hall", 0, **here), kept_run("DAA", "hall", seed, **there)])
        assert published(runs, grid_of(runs), "x")[0]


@pytest.mark.parametrize(
    ("given", "message"), [(["aligner.name"], ""), (["batches"], r"batches \(None and 'pairs'\)"), (None, "batches")]
)
def test_settings_that_came_later_count_only_if_given(given: list[str] | None, message: str) -> None:
    """As when the ablation took the earlier run for done."""
    later = {"settings": {"batches": "pairs", "sync_batchnorm": False}, "given": given}
    runs = by_key([kept_run("plain", "hall", 0), kept_run("DAA", "hall", 0, **later)])
    if not message:
        assert published(runs, grid_of(runs), "x")[0]
        return
    with pytest.raises(DataError, match=message):
        published(runs, grid_of(runs), "x")


def test_another_component_is_another_setting() -> None:
    changes = [{"settings": {"student.name": "timm"}}, {"settings": {"student": "none"}}]
    runs = by_key([kept_run(cell, "hall", 0, **one) for cell, one in zip(("plain", "DAA"), changes, strict=True)])
    with pytest.raises(DataError, match=r"student \('timm' and 'none'\)"):
        published(runs, grid_of(runs), "x")
