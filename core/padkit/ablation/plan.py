"""What an ablation compares: named cells of settings, from the command line and from a YAML file."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from padkit.data.presentation import ATTACK, BONA_FIDE
from padkit.data.protocols import names as protocol_names
from padkit.data.table.columns import Columns
from padkit.errors import DataError, SettingsError, closest
from padkit.settings.layers import flatten

ALL = "all"
RECIPE, MAIN_RECIPE = "recipe", "dtda"
# Settings of the data's reader but for its name are allowed: a cell may train on other frames, not test on others.
RESERVED: Mapping[str, str] = {
    "target": "name the targets with --targets",
    "protocol": "name the protocols with --protocols",
    "convention": "one table compares cells on the same data; write it after --",
    "seed": "name the seeds with --seeds",
    "out": "every run has its own folder under --out",
    "resume": "interrupted runs are resumed by themselves",
    "data": "one table compares cells on the same data; write it after --",
    "data.name": "one table compares cells on the same data; write it after --",
    "policy": "one table has one threshold policy; write it after --",
    "config": "write the settings themselves",
}
_COMMA = re.compile(r",(?![^\[]*\])")  # commas within brackets belong to a list, which is one value


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the table: named settings of the recipe.

    Attributes:
        name: The name that the table shows.
        settings: Dotted key -> value as on the command line; `recipe` names another recipe than dtda.
    """

    name: str
    settings: Mapping[str, str]

    @property
    def folder(self) -> str:
        """Name of its folder: the cell's name without characters that file systems or shells do not accept."""
        return re.sub(r"[^\w.+=-]+", "_", self.name).lstrip(".") or "_"

    @property
    def recipe(self) -> str:
        """Name of the recipe that makes its runs: its setting `recipe`, or `dtda`."""
        return self.settings.get(RECIPE, MAIN_RECIPE)

    @property
    def own_data(self) -> list[tuple[str, str]]:
        """What it sets of the data, in order of the keys: what its training frames depend on."""
        return sorted((key, value) for key, value in self.settings.items() if key.partition(".")[0] == "data")

    def arguments(self) -> list[str]:
        """Return the settings as a command line."""
        return [f"--{key}={value}" for key, value in self.settings.items() if key != RECIPE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An ablation as requested; a field that was not given is empty.

    Attributes:
        cells: Cells by name, in the table's order.
        grid: Setting -> values; their product makes further cells.
        targets: Domains to test on, or `all`.
        protocols: Protocols by name, in place of targets.
        seeds: Seeds.
        baseline: Name of the cell that the others are compared with.
        options: Command line of every run.
        seeded: Settings that take the seed of the run, such as `data.seed`: another seed is then another world.
    """

    cells: Mapping[str, Cell] = field(default_factory=dict)
    grid: Mapping[str, Sequence[str]] = field(default_factory=dict)
    targets: Sequence[str] = ()
    protocols: Sequence[str] = ()
    seeds: Sequence[int] = ()
    baseline: str = ""
    options: Sequence[str] = ()
    seeded: Sequence[str] = ()

    def over(self, other: Plan) -> Plan:
        """Return `other` updated by this plan: cells and grids are merged, other fields of this plan win."""
        tests = self if self.targets or self.protocols else other
        return Plan(
            cells={**other.cells, **self.cells},
            grid={**other.grid, **self.grid},
            targets=tests.targets,
            protocols=tests.protocols,
            seeds=self.seeds or other.seeds,
            baseline=self.baseline or other.baseline,
            options=[*other.options, *self.options],
            seeded=self.seeded or other.seeded,
        )

    def only(self, names: Sequence[str]) -> Plan:
        """Return the plan with some of its cells, in its order; without its baseline the first is the baseline.

        Raises:
            SettingsError: A name is no cell.
        """
        for name in names:
            if name not in self.cells:
                raise SettingsError(f"--only {name!r} is no cell.{closest(name, self.cells)}")
        cells = {name: cell for name, cell in self.cells.items() if name in names}
        return replace(self, cells=cells, baseline=self.baseline if self.baseline in cells else next(iter(cells)))

    def seeded_options(self, seed: int) -> list[str]:
        """Return the settings that take the run's seed, as a command line."""
        return [f"--{key}={seed}" for key in self.seeded]

    def complete(self) -> Plan:
        """Return the plan with the grid expanded into cells and all defaults filled in.

        Raises:
            SettingsError: There is no cell, a cell sets something that only the ablation may set, two cells that share
                a folder, or an unknown baseline.
        """
        if self.targets and self.protocols:
            raise SettingsError("--targets and --protocols both say what to test on; give one of them.")
        cells = {**self.cells, **{cell.name: cell for cell in expand(self.grid)}}
        if not cells:
            raise SettingsError("no cells: write --grid aligner=none,daa, --cell 'NAME: aligner=daa' or --config FILE.")
        folders: dict[str, str] = {}
        for cell in cells.values():
            for key in cell.settings:
                head, _, rest = key.partition(".")
                if remedy := RESERVED.get(key if head == "data" and rest else head):
                    raise SettingsError(f"cell {cell.name!r} cannot set {key!r}: {remedy}.")
                if key in self.seeded:
                    raise SettingsError(f"cell {cell.name!r} cannot set {key!r}: it takes the seed of the run.")
            twin = folders.setdefault(cell.folder.lower(), cell.name)
            if twin != cell.name:
                raise SettingsError(f"cells {twin!r} and {cell.name!r} would share a folder; rename one of them.")
        baseline = self.baseline or next(iter(cells))
        if baseline not in cells:
            raise SettingsError(f"baseline {baseline!r} is no cell.{closest(baseline, cells)}")
        targets = self.targets or ([] if self.protocols else [ALL])
        return replace(self, cells=cells, grid={}, targets=targets, seeds=self.seeds or [0], baseline=baseline)


def expand(grid: Mapping[str, Sequence[str]]) -> list[Cell]:
    """Return the product of a grid, where the first setting varies slowest; cells are named after their settings."""
    if not grid:
        return []
    products = itertools.product(*grid.values())
    found = [dict(zip(grid, values, strict=True)) for values in products]
    return [Cell(" ".join(f"{key}={value}" for key, value in settings.items()), settings) for settings in found]


def parse_grid(texts: Iterable[str]) -> dict[str, list[str]]:
    """Read `aligner=none,dat,daa`, once or more.

    Raises:
        SettingsError: The text has another form, or a value or a setting is given twice.
    """
    grid: dict[str, list[str]] = {}
    for text in texts:
        key, values = _pair(text, f"--grid {text!r}: write a setting and its values, aligner=none,dat")
        if key in grid:
            raise SettingsError(f"--grid {key} is given twice; list all its values in one.")
        grid[key] = _distinct(_COMMA.split(values), f"--grid {key}")
    return grid


def parse_cells(texts: Iterable[str]) -> dict[str, Cell]:
    """Read `NAME: aligner=daa teachers=fr+fe`, once or more.

    Raises:
        SettingsError: The text has another form, or a name or a setting is given twice.
    """
    cells: dict[str, Cell] = {}
    for text in texts:
        name, colon, rest = (part.strip() for part in text.partition(":"))
        if not (name and colon):
            raise SettingsError(f"--cell {text!r}: write a name and settings, 'NAME: aligner=daa teachers=fr+fe'.")
        if name in cells:
            raise SettingsError(f"cell {name!r} is given twice; rename one of them.")
        cells[name] = Cell(name, _settings(name, rest))
    return cells


def parse_seeds(text: str) -> list[int]:
    """Read `3` (seeds 0, 1, 2) or `0,5,7` (these seeds).

    Raises:
        SettingsError: The text has another form.
    """
    words = [word.strip() for word in str(text).strip(",").split(",")]
    if not all(word.isdecimal() for word in words):
        raise SettingsError(f"--seeds {text!r}: write how many, 3, or which, 0,5,7; for one seed, write 5, (a comma).")
    if len(words) == 1 and not str(text).endswith(","):
        if int(text) < 1:
            raise SettingsError("--seeds 0: write at least 1.")
        return list(range(int(text)))
    return [int(word) for word in _distinct(words, "--seeds")]


def parse_targets(text: str) -> list[str]:
    """Read `all` or `office,hall`.

    Raises:
        SettingsError: None or one twice.
    """
    return _distinct([word.strip() for word in text.split(",")], "--targets")


def parse_protocols(text: str) -> list[str]:
    """Read `O&C&I->M,oulu-npu:3`.

    Raises:
        SettingsError: None or one twice.
    """
    return _distinct(protocol_names.split(text), "--protocols")


def parse_only(text: str) -> list[str]:
    """Read `plain,DTDA`.

    Raises:
        SettingsError: None or one twice.
    """
    return _distinct(text.split(","), "--only")


def parse_seeded(text: str) -> list[str]:
    """Read `data.seed`, or several settings.

    Raises:
        SettingsError: None or one twice.
    """
    return [key.removeprefix("--").replace("-", "_") for key in _distinct(text.split(","), "--seeded")]


def read_plan(path: Path) -> Plan:
    """Read a plan from YAML: `grid`, `cells`, `targets` or `protocols`, `seeds`, `baseline`, `options` and `seeded`.

    Cells are `NAME: {aligner: daa, teachers: fr+fe}` or `NAME: aligner=daa teachers=fr+fe`.

    Raises:
        SettingsError: The file cannot be read, is not YAML, or has an unknown key; the error names the closest key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror}; give a YAML file.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"--config {path} is not valid YAML: {' '.join(str(error).split())}.") from error
    keys = ("grid", "cells", "targets", "protocols", "seeds", "baseline", "options", "seeded")
    if not isinstance(content, dict):
        raise SettingsError(f"--config {path} must hold the keys {', '.join(keys)}.")
    if {"data", "student", "aligner"} & content.keys():
        raise SettingsError(f"--config {path} holds settings of dtda.py, no plan; write it after --.")
    for key in content:
        if key not in keys:
            raise SettingsError(f"--config {path}: unknown key {key!r}.{closest(str(key), keys)}")
    grid, cells = (_mapping(path, key, content.get(key)) for key in ("grid", "cells"))
    options = content.get("options") or []
    return Plan(
        grid={key: _distinct(map(text_of, _list(values)), f"grid {key}") for key, values in grid.items()},
        cells={name: Cell(name, _read_cell(name, settings)) for name, settings in cells.items()},
        targets=parse_targets(_joined(content["targets"])) if "targets" in content else (),
        protocols=parse_protocols(_joined(content["protocols"])) if "protocols" in content else (),
        seeds=_read_seeds(content["seeds"]) if "seeds" in content else (),
        baseline=str(content.get("baseline") or ""),
        seeded=parse_seeded(_joined(content["seeded"])) if "seeded" in content else (),
        options=shlex.split(options) if isinstance(options, str) else [text_of(word) for word in _list(options)],
    )


def find_plan(name: str, shipped: Path) -> Path:
    """Return the file `name`, or the file with that name in the folder `shipped`.

    Raises:
        SettingsError: Neither exists; the error names the closest shipped file.
    """
    known = {path.stem: path for path in shipped.glob("*.yaml")}
    if Path(name).is_file():
        return Path(name)
    if name.removesuffix(".yaml") not in known:
        raise SettingsError(f"--config {name}: no such file.{closest(name.removesuffix('.yaml'), known)}")
    return known[name.removesuffix(".yaml")]


def possible_targets(table: Columns) -> list[str]:
    """Return the domains that can be tested on, in the table's order: their test frames contain both classes.

    If a domain has no splits, all its frames are test frames.
    """
    domains, splits, labels = (table.column(name) for name in ("domain", "split", "label"))
    found = []
    for domain in dict.fromkeys(domains.tolist()):
        rows = np.flatnonzero(domains == domain)
        unsplit = set(splits[rows]) == {""}
        if {ATTACK, BONA_FIDE} <= set(labels[rows if unsplit else rows[splits[rows] == "test"]].tolist()):
            found.append(str(domain))
    return found


def resolve_targets(asked: Sequence[str], table: Columns) -> list[str]:
    """Return the domains to test on.

    Raises:
        SettingsError: A name is unknown, or that domain cannot be a target.
        DataError: No domain can be a target.
    """
    possible, known = possible_targets(table), set(table.column("domain").tolist())
    if list(asked) == [ALL]:
        if not possible:
            raise DataError("No domain of these data has test frames of both classes, so none can be a target.")
        return possible
    for name in asked:
        if name not in known:
            raise SettingsError(f"target {name!r} is not a domain of these data.{closest(name, possible)}")
        if name not in possible:
            raise SettingsError(
                f"target {name!r} lacks bona fide or attack test frames; choose from {', '.join(possible)}."
            )
    return list(asked)


def _settings(name: str, text: str) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"cell {name!r}: {str(error).lower()} in {text!r}.") from error
    settings: dict[str, str] = {}
    for word in words:
        key, value = _pair(word, f"cell {name!r}: {word!r} is no setting, write aligner=daa")
        if key in settings:
            raise SettingsError(f"cell {name!r} sets {key!r} twice; remove one of the two.")
        settings[key] = value
    return settings


def _read_cell(name: str, content: Any) -> dict[str, str]:
    if isinstance(content, str):
        return _settings(name, content)
    if content is not None and not isinstance(content, dict):
        raise SettingsError(f"cell {name!r} must hold settings, aligner: daa, not {content!r}.")
    flat = flatten(content or {})
    return {str(key).replace("-", "_"): text_of(value) for key, value in flat.items()}


def _read_seeds(content: Any) -> list[int]:
    # In YAML a list is a list: [5] is the seed 5, 5 is how many.
    return parse_seeds(_joined(content) + ",") if isinstance(content, list) else parse_seeds(str(content))


def _pair(text: str, problem: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise SettingsError(f"{problem}.")
    return key.removeprefix("--").replace("-", "_"), value


def _distinct(words: Iterable[str], what: str) -> list[str]:
    found = [word.strip() for word in words]
    if not found or not all(found) or len(set(found)) < len(found):
        raise SettingsError(f"{what} must list one or more values, each once, not {','.join(found)!r}.")
    return found


def _mapping(path: Path, key: str, content: Any) -> dict[str, Any]:
    if content is not None and not isinstance(content, dict):
        raise SettingsError(f"--config {path}: {key} must hold `name: value` lines.")
    return {str(name): value for name, value in (content or {}).items()}


def _list(content: Any) -> list[Any]:
    return content if isinstance(content, list) else _COMMA.split(text_of(content))


def _joined(content: Any) -> str:
    return ",".join(map(str, content)) if isinstance(content, list) else str(content)


def text_of(value: Any) -> str:
    """Return a YAML value as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
