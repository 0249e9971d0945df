"""Tests for components of any role: it is found by name, its settings survive YAML, its plugin module is light."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml

from padkit.catalog import Catalog, members
from padkit.errors import PadkitError
from padkit.plugins import ROLES, Component, Discovery, Plugin
from padkit.settings.describe import described_settings
from padkit.settings.recipes import Settings, Slot, read_settings

_HEAVY = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
_HEAVY += "    if 'torch' in sys.modules:\n        sys.exit(name)\n"
_LIGHT_ROLES = ("dataset", "augmentation")  # the components' own modules must not import torch either


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A recipe with only one component."""


class ComponentSuite:
    """Base of the suites; inherit the one of your role.

    Attributes:
        name: The component's name, as in `--teachers.fr NAME`.
        factory: Its class, instead of an installed component of this name.
        settings: Its settings; small ones keep the tests quick.
    """

    role: ClassVar[str]
    name: ClassVar[str] = ""
    factory: ClassVar[Callable[..., Any] | None] = None
    settings: ClassVar[Mapping[str, Any]] = {}
    _resolved: ClassVar[Mapping[str, Any]]

    def make_settings(self, folder: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the settings; override it if the component reads files, and write them into `folder`."""
        return self.settings

    @pytest.fixture(autouse=True)
    def _resolve(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Make the settings once for the class, and keep torch on one thread."""
        cls = type(self)
        if "_resolved" not in vars(cls):
            cls._resolved = self.make_settings(tmp_path_factory.mktemp("component"))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)

    def catalog(self) -> Catalog:
        """Return the installed components, or only `factory`."""
        factory = type(self).factory
        return _installed() if factory is None else _alone(self.role, self.name or "mine", factory)

    def handed(self) -> tuple[Any, ...]:
        """Return the positional arguments that padkit passes in this role."""
        return ()

    def build(self, seed: int = 0) -> Any:
        """Return a new component, built by its name as a recipe does, after setting torch's seed."""
        torch.manual_seed(seed)
        return self.catalog().build(self.role, self.name or "mine", self._resolved, *self.handed())

    def test_a_recipe_finds_it_by_its_name(self) -> None:
        """The entry point, the record and the class lead to an object of the role."""
        try:
            self.build()
        except PadkitError as error:
            pytest.fail(
                f"{error} Is the distribution installed (pip install -e .), does `padkit plugins` list "
                f"{self.role} {self.name!r} as ok, and are `settings` of this test complete?"
            )

    def test_its_settings_survive_yaml_and_the_command_line(self, tmp_path: Path) -> None:
        """A run saves its settings and reads them back."""
        name = self.name or "mine"
        try:
            text = yaml.safe_dump({"part": {"name": name, **self._resolved}})
        except yaml.YAMLError as error:
            pytest.fail(f"settings must be numbers, texts, true/false, null and lists of them: {error}")
        first = self._read(tmp_path / "first.yaml", text)
        chosen = first.one("part")
        assert chosen is not None
        lost = _lost(self._resolved, chosen.settings)
        assert not lost, f"settings {lost} change on their way through YAML; annotate them in the constructor"
        again = self._read(tmp_path / "again.yaml", yaml.safe_dump(first.tree))
        assert again.tree == first.tree, "settings that a run saves are not those it reads back; use plain types"
        torch.manual_seed(0)
        self.catalog().build(self.role, name, chosen.settings, *self.handed())  # the defaults written out

    def _read(self, file: Path, text: str) -> Settings[_Recipe]:
        file.write_text(text, encoding="utf-8")
        slots = {"part": Slot(self.role, self.name or "mine")}
        return read_settings(_Recipe, slots, ["--config", str(file)], self.catalog())

    def test_its_settings_are_typed_and_described(self) -> None:
        """`--help` and `padkit plugins show` can describe each setting."""
        for part in members(self.role, self.name or "mine").values():
            for setting in described_settings(self.catalog().factory(self.role, part)):
                assert setting.type, f"setting {setting.name!r} has no type; annotate it in the constructor"
                assert setting.text, f"setting {setting.name!r} is not described; add it under `Args:` of the class"

    def test_listing_it_imports_no_torch(self) -> None:
        """`padkit plugins` imports the plugin's module; a reader is used in processes without torch."""
        if type(self).factory is not None:
            pytest.skip("there is no plugin module: the suite was given a factory")
        for part in members(self.role, self.name).values():
            found = self.catalog().component(self.role, part)
            guilty = _first_heavy(_light_modules(self.catalog(), found.plugin))
            remedy = "import torch where it is used" if found.role in _LIGHT_ROLES else "name the class 'module:Class'"
            assert not guilty, f"importing {guilty} imports torch, which makes `padkit plugins` slow; {remedy}"


def _lost(given: Mapping[str, Any], kept: Mapping[str, Any]) -> list[str]:
    """Return the keys whose value was not kept; those of a joined component's members are dotted."""
    lost = []
    for key, value in given.items():
        if isinstance(value, Mapping):
            lost += [f"{key}.{below}" for below in _lost(value, kept[key])]
        elif kept[key] != value:
            lost.append(key)
    return lost


@functools.cache
def _installed() -> Catalog:
    return Catalog()


def _alone(role: str, name: str, factory: Callable[..., Any]) -> Catalog:
    plugin = Plugin(name, getattr(factory, "__module__", ""), "this test", "")
    record = ROLES[role][1](name=name, summary="under test", factory=factory)
    return Catalog(Discovery((plugin,), (Component(role, record, plugin),)))


def _light_modules(catalog: Catalog, plugin: Plugin) -> tuple[str, ...]:
    """Return the modules of one plugin that must import no torch."""
    modules = [plugin.module.partition(":")[0]]
    for component in catalog.discovery.components:
        if component.plugin == plugin and component.role in _LIGHT_ROLES:
            factory = component.spec.factory
            modules.append(factory.partition(":")[0] if isinstance(factory, str) else factory.__module__)
    return tuple(dict.fromkeys(modules))


@functools.cache
def _first_heavy(modules: tuple[str, ...]) -> str:
    """Return the first of `modules` whose import also imports torch, or ""."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-c", _HEAVY, *modules]
    done = subprocess.run(  # noqa: S603
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return last if done.returncode else ""
