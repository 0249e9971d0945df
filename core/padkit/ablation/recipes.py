"""The recipes that an ablation runs, and what a cell's settings are to each of them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from padkit.ablation.plan import MAIN_RECIPE, Cell, Plan, text_of
from padkit.catalog import Catalog
from padkit.errors import PadkitError, SettingsError, closest, one_line
from padkit.evaluation.thresholds import check_policy
from padkit.settings import read_settings
from padkit.settings.layers import read_file, read_line

RECIPES = (MAIN_RECIPE, "random_features")
OWNED = ("target", "protocol", "seed", "out", "resume")  # options of dtda.py that the ablation sets itself
# Measured in every run by default, takes a while, and stands in no table of an ablation.
UNASKED = {"stability": "0"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that an ablation runs.

    Attributes:
        file: Its file.
        module: What it defines: `Options`, `SLOTS` and its functions.
    """

    file: Path
    module: Any

    def knows(self, key: str) -> bool:
        """Return whether a setting is one of this recipe's own or of one of its slots."""
        head = key.partition(".")[0]
        return head in self.module.SLOTS or head in {item.name for item in fields(self.module.Options)}

    def unasked(self, given: Collection[str]) -> list[str]:
        """Return the options that leave out what no table tells, but for those that the plan sets itself."""
        return [
            word
            for key, value in UNASKED.items()
            if self.knows(key) and key not in given
            for word in (f"--{key}", value)
        ]


def load_recipes(names: Iterable[str], folder: Path) -> dict[str, Recipe]:
    """Import the recipes of these names, which lie in `folder`.

    Raises:
        SettingsError: One is not a recipe that an ablation runs.
    """
    return {name: _load(name, folder) for name in names}


def _load(name: str, folder: Path) -> Recipe:
    if name not in RECIPES:
        raise SettingsError(f"recipe {name!r} is none that an ablation runs.{closest(name, RECIPES)}")
    file = folder / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"padkit_recipe_{name}", file)
    assert specification is not None and specification.loader is not None  # noqa: PT018 - no test
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return Recipe(file, module)


def options_of(recipes: Mapping[str, Recipe], name: str, plan: Plan, seed: int) -> list[str]:
    """Return the plan's options for a recipe, with those that take the run's seed.

    What dtda.py knows and another recipe does not is left out for that recipe.

    Raises:
        SettingsError: An option takes the run's seed and is given.
    """
    line = read_line(plan.options)
    entries = [*(entry for file in line.files for entry in read_file(file)), *line.entries]
    for key, _ in entries:
        if key in plan.seeded:
            raise SettingsError(f"--{key} cannot be given after --: it takes the seed of the run, as --seeded says.")
    if name == MAIN_RECIPE:
        return [*plan.options, *plan.seeded_options(seed)]
    main, recipe = recipes[MAIN_RECIPE], recipes[name]
    mine = [(key, value) for key, value in entries if recipe.knows(key) or not main.knows(key)]
    return [*(f"--{key}={text_of(value)}" for key, value in mine), *plan.seeded_options(seed)]


def settings_of(recipes: Mapping[str, Recipe], cell: Cell, plan: Plan, catalog: Catalog, seed: int) -> Any:
    """Return a cell's settings as its recipe reads them.

    Raises:
        SettingsError: They are wrong, or set what the ablation sets itself; names the cell.
    """
    recipe = recipes[cell.recipe]
    words = [*options_of(recipes, cell.recipe, plan, seed), *cell.arguments()]
    try:
        settings = read_settings(recipe.module.Options, recipe.module.SLOTS, words, catalog, recipe.file.name)
        if settings.recipe.policy is not None:
            check_policy(settings.recipe.policy)
    except PadkitError as error:
        raise SettingsError(f"cell {cell.name!r}: {one_line(error)}") from error
    for name in OWNED:
        if name in settings.given:
            raise SettingsError(f"--{name} cannot be given after --: the ablation sets it for every run.")
    return settings
