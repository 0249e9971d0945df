"""Finds and builds components by name; errors list the alternatives and name the responsible distribution."""

from __future__ import annotations

import functools
import importlib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from padkit.errors import PluginError, SettingsError, closest, one_line, pip_install
from padkit.plugins import OWN_COMMANDS, Component, Discovery, discover

# Addresses, because the roles import torch and listing must not. A command is a function and has no base class.
BASES = {
    "teacher": "padkit.roles:Teacher",
    "aligner": "padkit.roles:Aligner",
    "student": "padkit.roles:Student",
    "dataset": "padkit.data.reader:DatasetReader",
    "augmentation": "padkit.data.augmentation:Augmentation",
    "peer": "padkit.deploy.peer:Peer",
    "model": "pathlib:Path",
}
# Roles of which several components may be joined by `+`, with what makes one factory of several.
JOINED = {"aligner": "padkit.alignment.joined:Joined", "augmentation": "padkit.data.joined_augmentation:joined"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A chosen component with its resolved settings (keyword arguments) and the recipe's own options for its slot."""

    role: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    options: Any = None


class Catalog:
    """All components of all installed plugins, by role and name."""

    def __init__(self, discovery: Discovery | None = None) -> None:
        self.discovery = discover() if discovery is None else discovery

    def names(self, role: str) -> list[str]:
        """Return the names usable in `role`, sorted."""
        return sorted(c.spec.name for c in self.discovery.components if c.role == role and not c.problem)

    def component(self, role: str, name: str) -> Component:
        """Return the usable component `name`.

        Raises:
            PluginError: No plugin offers it, two plugins offer it, or its plugin could not be loaded.
        """
        for component in self.discovery.components:
            if component.role == role and component.spec.name == name:
                if component.problem:
                    owner = component.plugin
                    raise PluginError(f"{role} {name!r} of {owner.distribution} is not usable: {component.problem}.")
                return component
        failed = [p for p in self.discovery.plugins if p.problem]
        for plugin in failed:
            if name in (plugin.name, plugin.distribution):
                raise PluginError(f"{role} {name!r}: plugin {plugin.name} of {plugin.distribution}: {plugin.problem}.")
        others = [c.role for c in self.discovery.components if c.spec.name == name]
        known = [*self.names(role), *(OWN_COMMANDS if role == "command" else ())]
        kind = f" {name!r} is {_article(others[0])} {others[0]}." if others else closest(name, known)
        more = f" Plugins not loaded: {', '.join(p.name for p in failed)}; see `padkit plugins`." if failed else ""
        raise PluginError(f"unknown {role} {name!r}.{kind}{more}")

    def factory(self, role: str, name: str) -> Callable[..., Any]:
        """Import and return the class (or function) of component `name`; for joined names, the factory that joins them.

        Raises:
            PluginError: Unknown component, or its import fails (the remedy names the extra to install).
            SettingsError: See `members`.
        """
        parts = members(role, name)
        if len(parts) > 1:
            factories = {key: self.factory(role, part) for key, part in parts.items()}
            return typing.cast("Callable[..., Any]", _attribute(JOINED[role])(factories))
        return _import(self.component(role, name))

    def build(self, role: str, name: str, settings: Mapping[str, Any], *handed: Any) -> Any:
        """Build the component from its settings; `handed` are the positional arguments its role defines.

        Raises:
            PluginError: See `factory`; or the component is not an instance of its role's class.
        """
        built = self.factory(role, name)(*handed, **settings)
        if not isinstance(built, _attribute(BASES[role])):
            owner, base = self.component(role, name).plugin.distribution, BASES[role].replace(":", ".")
            raise PluginError(f"{role} {name!r} of {owner} is a {type(built).__name__}, which is no {base}.")
        return built

    def build_chosen(self, chosen: Chosen | None, *handed: Any) -> Any:
        """Build a chosen component; return None for an empty slot (None)."""
        return None if chosen is None else self.build(chosen.role, chosen.name, chosen.settings, *handed)


def members(role: str, name: str) -> dict[str, str]:
    """Return the components that a name joins, by the key of their settings; {"": name} for a single component.

    `daa+mixstyle` is {"daa": "daa", "mixstyle": "mixstyle"}; in keys, dashes are underscores.

    Raises:
        SettingsError: A member has no name, is `none`, or is named twice.
    """
    if role not in JOINED or "+" not in name:
        return {"": name}
    found: dict[str, str] = {}
    for part in name.split("+"):
        key = part.replace("-", "_")
        if part in ("", "none"):
            raise SettingsError(f"{role} {name!r} joins {repr(part) if part else 'nothing'}; write names only.")
        if key in found:
            raise SettingsError(f"{role} {name!r} names {part!r} twice; name each once.")
        found[key] = part
    return found


def _attribute(address: str) -> Any:
    """Import the object that `module:attribute` names."""
    module, _, attribute = address.partition(":")
    return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _import(component: Component) -> Callable[..., Any]:
    spec, plugin = component.spec, component.plugin
    if not isinstance(spec.factory, str):
        return spec.factory
    who = f"{component.role} {spec.name!r} of {plugin.distribution}"
    try:
        target = _attribute(spec.factory)
    except (Exception, SystemExit) as error:  # a plugin's module may raise anything while it is imported
        installable = spec.extra and isinstance(error, ImportError)
        remedy = pip_install(spec.extra) if installable else f"report it to the authors of {plugin.distribution}"
        raise PluginError(f"{who}: {one_line(error)}; {remedy}.") from error
    if not callable(target):
        kind = "function" if component.role == "command" else "class"
        raise PluginError(f"{who}: {spec.factory} is not a {kind}.")
    return typing.cast("Callable[..., Any]", target)
