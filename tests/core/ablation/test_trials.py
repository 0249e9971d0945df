"""Protocols in an ablation: named in plans, folds spelled out, their mean and deviation in the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from padkit.ablation.plan import Plan, parse_cells, parse_protocols, read_plan
from padkit.ablation.records import Record
from padkit.ablation.runs import Run
from padkit.ablation.tables import Grid, caption, tables_of
from padkit.ablation.trials import check_folders, resolve_protocols
from padkit.data.presentation import Division
from padkit.data.protocols.names import file_name
from padkit.errors import SettingsError
from padkit.report.tables.layout import markdown

NOTHING = Division(train=(), dev=(), test=())
KNOWN = dict.fromkeys(("oulu-npu:1", "oulu-npu:3.1", "oulu-npu:3.2", "oulu-npu:3.3", "siw:1"), NOTHING)


def test_folds_are_spelled_out() -> None:
    found = resolve_protocols(["O & C->M", "oulu-npu:3", "oulu-npu:1"], lambda: KNOWN)
    assert found.names == ["O&C->M", "oulu-npu:3.1", "oulu-npu:3.2", "oulu-npu:3.3", "oulu-npu:1"]
    assert found.folds == {"oulu-npu:3": ["oulu-npu:3.1", "oulu-npu:3.2", "oulu-npu:3.3"]}
    assert found.official


def test_official_lists_are_read_only_where_asked_for() -> None:
    def unreadable() -> dict[str, Division]:
        raise AssertionError

    found = resolve_protocols(["O->M", "intra:O"], unreadable)
    assert (list(found.names), found.official) == (["O->M", "intra:O"], False)


def test_protocols_that_would_share_a_folder() -> None:
    with pytest.raises(SettingsError, match="would share a folder"):
        resolve_protocols(["a+b->c", "a&b->c"], dict)


def test_targets_stay_within_their_own_folders() -> None:
    check_folders("targets", ["office", "../x", "a/b"])
    assert {file_name(one) for one in ("../x", "a/b", "..")} == {"x", "a-b", "_"}
    with pytest.raises(SettingsError, match=r"targets a/b and A-b would share a folder; run one .* another --out"):
        check_folders("targets", ["a/b", "A-b"])


def test_protocols_in_plans(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("cells: {a: {}}\nprotocols: ['O&C&I->M', 'oulu-npu:3']\n")
    assert read_plan(file).protocols == ["O&C&I->M", "oulu-npu:3"]
    complete = read_plan(file).complete()
    assert (complete.targets, complete.protocols) == ([], ["O&C&I->M", "oulu-npu:3"])
    line = Plan(targets=["M"]).over(read_plan(file)).complete()
    assert (line.targets, line.protocols) == (["M"], ()), "the line wins"
    file.write_text("cells: {a: {}}\ntargets: [M]\n")
    assert Plan(protocols=["O->M"]).over(read_plan(file)).complete().targets == []
    assert parse_protocols('"a,b"->c, O->M') == ['"a,b"->c', "O->M"]
    with pytest.raises(SettingsError, match="give one of them"):
        Plan(cells=parse_cells(["a:"]), targets=["M"], protocols=["O->M"]).complete()
    for setting, remedy in (("protocol=O->M", "--protocols"), ("convention=ssdg", "after --")):
        with pytest.raises(SettingsError, match=f"cannot set.*{remedy}"):
            Plan(cells=parse_cells([f"a: {setting}"])).complete()


def test_a_run_names_its_protocol(tmp_path: Path) -> None:
    run = Run(
        cell=next(iter(parse_cells(["a:"]).values())), target="O->M", option="protocol", seed=4,
        folder=tmp_path / "a" / "O-to-M" / "seed4", settings={}, facts={}, options=[],
    )  # fmt: skip
    assert run.arguments()[:4] == ["--protocol", "O->M", "--seed", "4"]


def record(target: str, seed: int, acer: float) -> Record:
    values = {"hter": acer / 2, "acer": acer, "apcer": acer, "bpcer": acer, "auc": 0.9, "hter_target_eer": 0.01}
    return Record(cell="DTDA", target=target, seed=seed, policy="dev-eer", test_set_choice=False, **values)


def test_mean_and_deviation_over_folds_by_hand() -> None:
    """Fold means over two seeds 2, 4 and 9 %: mean 5, sample deviation sqrt((9 + 1 + 16) / 2) = 3.61."""
    names = ["oulu-npu:3.1", "oulu-npu:3.2", "oulu-npu:3.3"]
    figures = {names[0]: (0.01, 0.03), names[1]: (0.04, 0.04), names[2]: (0.08, 0.10)}
    records = [record(name, seed, value) for name, values in figures.items() for seed, value in enumerate(values)]
    grid = Grid(
        cells=["DTDA"], targets=names, seeds=[0, 1], baseline="DTDA", folds={"oulu-npu:3": names}, protocols=True,
        official=True,
    )  # fmt: skip
    found = tables_of(records, grid)
    assert [table.title.partition(" (")[0] for table in found] == [
        "ACER, worst species", "APCER, worst species", "BPCER", "AUC", "HTER", "HTER"
    ]  # fmt: skip
    head, row = found[0].head, found[0].rows[0].texts
    assert row[head.index("oulu-npu:3, 3 folds")] == "5.00 ± 3.61"
    assert row[head.index("oulu-npu:3.1")] == "2.00 ± 1.41"
    assert "threshold policy dev-eer" in found[0].title
    short = tables_of(records[2:], grid)[0]
    assert short.rows[0].texts[head.index("oulu-npu:3, 3 folds")] == "6.50 ± 3.54 (n=2)"
    lines = caption(records, grid, dataset="prepared", fingerprint="", warning="", command="x")
    assert any(line.startswith("Folds: mean ± sample standard deviation") for line in lines)
    assert any("protocols by name" in line for line in lines)
    assert "oulu-npu:3, 3 folds" in markdown(found, lines)
