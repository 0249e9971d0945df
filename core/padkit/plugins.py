"""Discovery of plugins by entry point: a broken plugin is a row in the list, not a crash; nothing imports torch."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from padkit import hookspecs
from padkit.errors import PluginError, closest, one_line, pip_install
from padkit.specs import (
    AlignerSpec,
    AugmentationSpec,
    CommandSpec,
    ComponentSpec,
    DatasetSpec,
    ModelSpec,
    PeerSpec,
    StudentSpec,
    TeacherSpec,
)

ALLOW_VARIABLE = "PADKIT_PLUGINS_ALLOW"
DENY_VARIABLE = "PADKIT_PLUGINS_DENY"
ROLES: dict[str, tuple[str, type[ComponentSpec]]] = {
    "teacher": ("padkit_teachers", TeacherSpec),
    "aligner": ("padkit_aligners", AlignerSpec),
    "student": ("padkit_students", StudentSpec),
    "dataset": ("padkit_datasets", DatasetSpec),
    "augmentation": ("padkit_augmentations", AugmentationSpec),
    "peer": ("padkit_peers", PeerSpec),
    "model": ("padkit_models", ModelSpec),
    "command": ("padkit_commands", CommandSpec),
}
# Subcommands of padkit itself, which no plugin may take: summary and module, whose `main(arguments)` runs it.
OWN_COMMANDS: dict[str, tuple[str, str]] = {
    "adapt": ("fine-tune a model on a few captures of your own, with old data as a check", "padkit.commands.adapt"),
    "bench": ("measure how fast every form of a model is, with and without finding the face", "padkit.commands.bench"),
    "calibrate": ("set a model's threshold and temperature on your own data", "padkit.commands.calibrate"),
    "data": ("show what a prepared table or a dataset holds, and what is wrong with it", "padkit.commands.data"),
    "evaluate": ("assess runs and score files: rates, intervals, comparisons", "padkit.commands.evaluate"),
    "export": ("write a model as ONNX, OpenVINO or torch.export, compared with its weights", "padkit.commands.export"),
    "new": ("write a distribution of your own: a teacher, aligner, student or dataset", "padkit.commands.new"),
    "figures": ("ROC, DET, t-SNE, Grad-CAM and more of runs and ablations", "padkit.commands.figures"),
    "prepare": ("choose frames, find and crop faces, store a dataset as a table", "padkit.commands.prepare"),
    "predict": ("judge the faces in photographs, videos or before a webcam", "padkit.commands.predict"),
    "plugins": ("list every component with its distribution, version and status", "padkit.commands.plugins"),
    "report": ("write the page of a finished run again, from its folder alone", "padkit.commands.report"),
    "results": ("make the tables of an ablation from its kept runs", "padkit.commands.results"),
    "selftest": ("test a model before your own webcam: live, print, phone, tablet", "padkit.commands.selftest"),
    "serve": ("judge pictures over HTTP, with a page to try it on", "padkit.commands.serve"),
    "train": ("start a recipe under Accelerate's launcher; what goes wrong is one line", "padkit.commands.train"),
    "teachers": ("ask teachers what they know of your crops, before training with them", "padkit.commands.teachers"),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of group `padkit`.

    Attributes:
        name: Entry-point name.
        module: Module that the entry point refers to.
        distribution: Name of the installed distribution that declares it.
        version: Version of that distribution.
        problem: Why it offers no components ("" if it was loaded).
    """

    name: str
    module: str
    distribution: str
    version: str
    problem: str = ""

    @property
    def address(self) -> str:
        """Name of this plugin that no other has, for example for PADKIT_PLUGINS_DENY."""
        return f"{self.distribution}:{self.name}"


@dataclass(frozen=True, slots=True)
class Component:
    """One record of one plugin, with its role and the problem that prevents its use ("" if there is none)."""

    role: str
    spec: ComponentSpec
    plugin: Plugin
    problem: str = ""

    @property
    def summary(self) -> str:
        """What it is, on one line."""
        return " ".join(self.spec.summary.split())


@dataclass(frozen=True, slots=True)
class Discovery:
    """Everything found: all plugins, loaded or not, and all components, usable or not."""

    plugins: tuple[Plugin, ...]
    components: tuple[Component, ...]


def discover(points: Iterable[EntryPoint] | None = None) -> Discovery:
    """Load the plugins of all installed distributions.

    Comma-separated names of entry points, of distributions, or of both as `distribution:entry-point`, in
    PADKIT_PLUGINS_ALLOW (only these) and PADKIT_PLUGINS_DENY (none of these) are applied before anything is imported.

    Args:
        points: Entry points to use in place of the installed ones.
    """
    found = entry_points(group=hookspecs.GROUP) if points is None else points
    allowed, denied = _names(ALLOW_VARIABLE), _names(DENY_VARIABLE)
    plugins: list[Plugin] = []
    components: list[Component] = []
    described = [(_describe(point), point) for point in found]
    for plugin, point in sorted(described, key=lambda pair: (pair[0].name, pair[0].distribution, pair[0].module)):
        keys = {_fold(plugin.name), _fold(plugin.distribution), _fold(plugin.address)}
        records: list[tuple[str, ComponentSpec]] = []
        problem = ""
        if keys & denied:
            problem = f"denied by {DENY_VARIABLE}"
        elif allowed and not keys & allowed:
            problem = f"not allowed by {ALLOW_VARIABLE}"
        else:
            problem, records = _load(point)
        owner = replace(plugin, problem=problem)
        plugins.append(owner)
        components += [Component(role, spec, owner, _unreachable(spec)) for role, spec in records]
    return Discovery(tuple(plugins), tuple(_mark_clashes(components)))


def _names(variable: str) -> set[str]:
    return {_fold(name) for name in os.environ.get(variable, "").split(",") if name.strip()}


def _fold(name: str) -> str:
    """Write a name as package indices compare them (PyPA name normalisation)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _describe(point: EntryPoint) -> Plugin:
    # A damaged .dist-info has neither.
    name = getattr(point.dist, "name", None) or "unknown"
    version = getattr(point.dist, "version", None) or ""
    return Plugin(point.name, point.value, name, version)


def _load(point: EntryPoint) -> tuple[str, list[tuple[str, ComponentSpec]]]:
    """Import one plugin; return its records, or the problem if any error was raised."""
    try:
        records = list(_records(point.load(), point.name))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything and must not stop the others
        return one_line(error), []
    if not records:
        return "offers nothing: no function marked @hookimpl returned a record", []
    return "", records


def _records(plugin: object, name: str) -> Iterator[tuple[str, ComponentSpec]]:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name=name)
    hooks = [hook for hook, _ in ROLES.values()]
    for caller in manager.get_hookcallers(plugin) or []:
        if not caller.has_spec():
            raise PluginError(f"unknown hook {caller.name!r}.{closest(caller.name, hooks)}")
    for role, (hook, record_type) in ROLES.items():
        results: list[Any] = getattr(manager.hook, hook)()
        for records in results:
            if not isinstance(records, list | tuple):
                raise PluginError(f"{hook}() must return a list of {record_type.__name__}, not {records!r}")
            for record in records:
                _check(hook, record, record_type)
                yield role, record


def _check(hook: str, record: Any, record_type: type[ComponentSpec]) -> None:
    if not isinstance(record, record_type):
        raise PluginError(f"{hook}() must return {record_type.__name__} records, not {record!r}")
    if not isinstance(record.name, str) or not _NAME.fullmatch(record.name) or record.name == "none":
        raise PluginError(f"{hook}() offers the name {record.name!r}; use a-z, 0-9, - and _, not 'none'")
    if not callable(record.factory) and not isinstance(record.factory, str):
        raise PluginError(f"{hook}() gives {record.name!r} the factory {record.factory!r}, not a class or its address")


def _unreachable(spec: ComponentSpec) -> str:
    """Return why a lazy address cannot be right, without importing it; other faults show when it is used."""
    if not isinstance(spec.factory, str):
        return ""
    module, _, attribute = spec.factory.partition(":")
    if not all((*module.split("."), *attribute.split("."))):
        return f"factory {spec.factory!r} is not of the form 'module:Class'"
    if _exists(module):
        return ""
    remedy = pip_install(spec.extra) if spec.extra else "reinstall the plugin"
    return f"module {module} is not installed; {remedy}"


def _exists(module: str) -> bool:
    """Return whether a module may exist; packages that are not loaded yet are not imported to look inside them."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        parent = ".".join(parts[: depth - 1])
        if parent and parent not in sys.modules:
            return True
        try:
            if importlib.util.find_spec(".".join(parts[:depth])) is None:
                return False
        except (ImportError, ValueError):
            return False
    return True


def _mark_clashes(components: list[Component]) -> list[Component]:
    groups: dict[tuple[str, str], list[Component]] = defaultdict(list)
    for component in components:
        groups[component.role, component.spec.name].append(component)
    marked = []
    for component in components:
        rivals = groups[component.role, component.spec.name]
        owners = list(dict.fromkeys(rival.plugin.address for rival in rivals))
        problem = component.problem
        if component.role == "command" and component.spec.name in OWN_COMMANDS:
            problem = (
                f"padkit itself has a command of this name; report it to the authors of {component.plugin.address}"
            )
        elif len(owners) > 1:
            remedy = f"uninstall one or put one of these in {DENY_VARIABLE}"
            problem = f"name offered by {' and by '.join(owners)}; {remedy}"
        elif len(rivals) > 1:
            problem = f"name offered {len(rivals)} times by {owners[0]}; report it to its authors"
        marked.append(replace(component, problem=problem))
    return marked
