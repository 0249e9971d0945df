"""Discovery of plugins by entry point: a broken plugin is a row in the list, not a crash; nothing imports torch."""

from __future__ import annotations

import importlib.util
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from padkit import hookspecs
from padkit.specs import AlignerSpec, ComponentSpec, DatasetSpec, StudentSpec, TeacherSpec

ALLOW_VARIABLE = "PADKIT_PLUGINS_ALLOW"
DENY_VARIABLE = "PADKIT_PLUGINS_DENY"
ROLES: dict[str, tuple[str, type[ComponentSpec]]] = {
    "teacher": ("padkit_teachers", TeacherSpec),
    "aligner": ("padkit_aligners", AlignerSpec),
    "student": ("padkit_students", StudentSpec),
    "dataset": ("padkit_datasets", DatasetSpec),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of group `padkit`.

    Attributes:
        name: Entry-point name.
        module: What the entry point refers to.
        distribution: Name of the installed distribution that declares it.
        version: Version of that distribution.
        problem: Why it offers nothing ("" when it loaded).
    """

    name: str
    module: str
    distribution: str
    version: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """One record of one plugin, with its role and whatever forbids its use ("" when nothing does)."""

    role: str
    spec: ComponentSpec
    plugin: Plugin
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Everything found: all plugins, loaded or not, and all components, usable or not."""

    plugins: tuple[Plugin, ...]
    components: tuple[Component, ...]


def discover(points: Iterable[EntryPoint] | None = None) -> Discovery:
    """Load the plugins of all installed distributions.

    Comma-separated names of entry points or distributions in PADKIT_PLUGINS_ALLOW (only these) and
    PADKIT_PLUGINS_DENY (none of these) are honoured before anything is imported.

    Args:
        points: Entry points to use in place of the installed ones.
    """
    found = entry_points(group=hookspecs.GROUP) if points is None else points
    allowed, denied = _names(ALLOW_VARIABLE), _names(DENY_VARIABLE)
    plugins: list[Plugin] = []
    components: list[Component] = []
    for point in sorted(found, key=lambda p: (p.name, p.value)):
        plugin = _describe(point)
        keys = {plugin.name, plugin.distribution}
        if keys & denied:
            plugin = replace(plugin, problem=f"denied by {DENY_VARIABLE}")
        elif allowed and not keys & allowed:
            plugin = replace(plugin, problem=f"not allowed by {ALLOW_VARIABLE}")
        else:
            plugin, records = _load(point, plugin)
            components += [Component(role, spec, plugin, _unreachable(spec)) for role, spec in records]
        plugins.append(plugin)
    return Discovery(tuple(plugins), tuple(_mark_clashes(components)))


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def _describe(point: EntryPoint) -> Plugin:
    distribution = point.dist.name if point.dist else "unknown"
    version = point.dist.version if point.dist else ""
    return Plugin(point.name, point.value, distribution, version)


def _load(point: EntryPoint, plugin: Plugin) -> tuple[Plugin, list[tuple[str, ComponentSpec]]]:
    """Import one plugin and collect its records; whatever it raises becomes its `problem`."""
    try:
        module = point.load()
        records = list(_records(module, plugin))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything and must not stop the others
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
        return replace(plugin, problem=reason), []
    return plugin, records


def _records(module: ModuleType, plugin: Plugin) -> Iterator[tuple[str, ComponentSpec]]:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=plugin.name)
    manager.check_pending()
    for role, (hook, record_type) in ROLES.items():
        for records in _call(manager, hook):
            for record in records:
                if not isinstance(record, record_type):
                    raise TypeError(f"{hook}() must return {record_type.__name__} records, not {record!r}")
                if not _NAME.fullmatch(record.name) or record.name == "none":
                    raise ValueError(f"{hook}() offers the name {record.name!r}; use a-z, 0-9, - and _, not 'none'")
                yield role, record


def _call(manager: pluggy.PluginManager, hook: str) -> list[list[Any]]:
    results: list[list[Any]] = getattr(manager.hook, hook)()
    return results


def _unreachable(spec: ComponentSpec) -> str:
    """Say why a lazy address cannot be right, importing at most its parent package."""
    if not isinstance(spec.factory, str):
        return ""
    module, _, attribute = spec.factory.partition(":")
    if not module or not attribute:
        return f"factory {spec.factory!r} is not of the form 'module:Class'"
    try:
        missing = importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        missing = True
    return (
        f"module {module} is not installed" + (f"; pip install {spec.extra}" if spec.extra else "") if missing else ""
    )


def _mark_clashes(components: list[Component]) -> list[Component]:
    groups: dict[tuple[str, str], list[Component]] = defaultdict(list)
    for component in components:
        groups[component.role, component.spec.name].append(component)
    marked = []
    for component in components:
        rivals = groups[component.role, component.spec.name]
        if len(rivals) > 1:
            owners = " and ".join(f"{c.plugin.distribution} ({c.plugin.name})" for c in rivals)
            remedy = f"uninstall one or name one in {DENY_VARIABLE}"
            marked.append(replace(component, problem=f"name offered by {owners}; {remedy}"))
        else:
            marked.append(component)
    return marked
