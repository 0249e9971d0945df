"""From the words of a command line or a YAML file to named cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from padkit.ablation.plan import (
    Plan,
    expand,
    find_plan,
    parse_cells,
    parse_grid,
    parse_seeds,
    possible_targets,
    read_plan,
    resolve_targets,
)
from padkit.errors import DataError, SettingsError

CONFIGS = Path(__file__).parents[3] / "recipes" / "configs"


class Table:
    """Columns of (domain, split, label) rows."""

    def __init__(self, *rows: tuple[str, str, int]) -> None:
        self.rows = rows

    def column(self, name: str):
        position = ("domain", "split", "label").index(name)
        return np.array([row[position] for row in self.rows], dtype=int if name == "label" else object)


def test_a_grid_is_the_product_of_its_settings() -> None:
    cells = expand(parse_grid(["aligner=none,daa", "teachers=none,fr+fe", "sources=[a,b]"]))
    assert [cell.name for cell in cells] == [
        "aligner=none teachers=none sources=[a,b]",
        "aligner=none teachers=fr+fe sources=[a,b]",
        "aligner=daa teachers=none sources=[a,b]",
        "aligner=daa teachers=fr+fe sources=[a,b]",
    ]
    assert cells[1].arguments() == ["--aligner=none", "--teachers=fr+fe", "--sources=[a,b]"]


def test_cells_are_named_and_their_folders_are_tame() -> None:
    joined = parse_cells(["both: aligner=daa+mixstyle aligner.daa.epsilon=4/255"])["both"]
    assert joined.arguments() == ["--aligner=daa+mixstyle", "--aligner.daa.epsilon=4/255"]
    cells = parse_cells(["FR+FE 1: aligner=none teachers=fr+fe", "../x: aligner.epsilon=4/255"])
    assert cells["FR+FE 1"].settings == {"aligner": "none", "teachers": "fr+fe"}
    assert [cell.folder for cell in cells.values()] == ["FR+FE_1", "_x"]


def test_seeds_are_counted_or_listed() -> None:
    assert parse_seeds("3") == [0, 1, 2]
    assert parse_seeds("0,5,7") == [0, 5, 7]
    assert parse_seeds("5,") == [5]


@pytest.mark.parametrize("text", ["", "0", "-1", "1,1", "many", "1.5"])
def test_wrong_seeds(text: str) -> None:
    with pytest.raises(SettingsError, match="--seeds"):
        parse_seeds(text)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        "cells: {a: {aligner: none, lr: 0.01}, b: aligner=daa}\ngrid: {ema: [0, 0.9]}\nseeds: [4]\ntargets: all\n"
        "options: --data.size small\n"
    )
    plan = Plan(cells=parse_cells(["b: aligner=dat"]), seeds=[1], options=["--epochs", "6"]).over(read_plan(file))
    assert plan.options == ["--data.size", "small", "--epochs", "6"]
    complete = plan.complete()
    assert {name: dict(cell.settings) for name, cell in complete.cells.items()} == {
        "a": {"aligner": "none", "lr": "0.01"},
        "b": {"aligner": "dat"},
        "ema=0": {"ema": "0"},
        "ema=0.9": {"ema": "0.9"},
    }
    assert (complete.baseline, complete.seeds, complete.targets) == ("a", [1], ["all"])
    assert read_plan(file).seeds == [4]


def test_the_shipped_trial() -> None:
    plan = read_plan(find_plan("trial", CONFIGS)).complete()
    cells = ["random features", "plain", "noise", "DAT", "DAA", "FR", "FE", "FR+FE", "DTDA", "DTDA random teachers"]
    assert list(plan.cells) == cells
    assert plan.cells["DTDA"].arguments() == ["--aligner=daa", "--teachers=fr+fe", "--teachers.fr.name=dlib"]
    assert (plan.baseline, plan.seeds) == ("plain", [0, 1, 2])
    assert list(plan.seeded) == ["data.seed"]
    assert plan.targets == ["office", "phone", "webcam", "hall"]  # `unknown` is no part of the comparison
    with pytest.raises(SettingsError, match="Did you mean 'trial'"):
        find_plan("trail", CONFIGS)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({}, "no cells"),
        ({"cells": parse_cells(["a: seed=1"])}, "cannot set 'seed'.*--seeds"),
        ({"cells": parse_cells(["a: data=folder"])}, "cannot set 'data'"),
        ({"cells": parse_cells(["a: data.name=folder"])}, "cannot set 'data.name'"),
        ({"cells": parse_cells(["a b: lr=1", "A_b: lr=2"])}, "share a folder"),
        ({"cells": parse_cells(["plain: lr=1"]), "baseline": "plan"}, "Did you mean 'plain'"),
    ],
)
def test_plans_that_cannot_be(plan: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Plan(**plan).complete()


@pytest.mark.parametrize(
    ("content", "message"),
    [("cell: {}", "Did you mean 'cells'"), ("a", "must hold the keys"), ("cells: {a: [", "not valid YAML")],
)
def test_files_that_cannot_be(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "plan.yaml").write_text(content)
    with pytest.raises(SettingsError, match=message) as caught:
        read_plan(tmp_path / "plan.yaml")
    assert "\n" not in str(caught.value)


def test_targets_have_test_frames_of_both_classes() -> None:
    both = [("office", "test", 1), ("office", "test", 0), ("hall", "", 1), ("hall", "", 0)]
    lacking = [("unknown", "test", 0), ("unknown", "train", 1), ("phone", "train", 1), ("phone", "train", 0)]
    table = Table(*lacking[:2], *both, *lacking[2:])
    assert possible_targets(table) == ["office", "hall"]
    assert resolve_targets(["all"], table) == ["office", "hall"]
    assert resolve_targets(["hall"], table) == ["hall"]
    with pytest.raises(SettingsError, match=r"'hal' is not a domain.*Did you mean 'hall'"):
        resolve_targets(["hal"], table)
    with pytest.raises(SettingsError, match="'unknown' lacks bona fide"):
        resolve_targets(["unknown"], table)
    with pytest.raises(DataError, match="none can be a target"):
        resolve_targets(["all"], Table(*lacking))
