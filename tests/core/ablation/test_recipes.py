"""What an ablation tells a recipe that nobody asked it to: to leave out what no table shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from padkit.ablation.recipes import Recipe, load_recipes
from padkit.errors import SettingsError


@dataclass
class Options:
    stability: int = 200
    lr: float = 1.0


@dataclass
class Fewer:
    lr: float = 1.0


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [(Options, set(), ["--stability", "0"]), (Options, {"stability"}, []), (Fewer, set(), [])],
)
def test_what_no_table_tells_is_left_out_unless_somebody_sets_it(
    options: type, given: set[str], expected: list[str]
) -> None:
    recipe = Recipe(Path("some.py"), SimpleNamespace(SLOTS={"data": None}, Options=options))
    assert recipe.unasked(given) == expected
    assert [recipe.knows(key) for key in ("lr", "data.root", "aligner")] == [True, True, False]


def test_a_recipe_that_no_ablation_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'random_feature' is none .*Did you mean 'random_features'"):
        load_recipes(["random_feature"], tmp_path)
