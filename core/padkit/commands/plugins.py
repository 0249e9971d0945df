"""`padkit plugins`: lists every component, its origin and its status; `padkit plugins show` describes one in full."""

from __future__ import annotations

import argparse
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from padkit.catalog import Catalog
from padkit.commands.parser import Parser
from padkit.errors import PadkitError, PluginError, closest
from padkit.plugins import ROLES, Component, Discovery, discover

WIDTH = 110  # of a printed line, in characters


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    parser = Parser(
        prog="padkit plugins", description="List every component; `padkit plugins show NAME` tells all about one."
    )
    parser.add_argument("--role", choices=tuple(ROLES), help="only this role")
    actions = parser.add_subparsers(dest="action", metavar="show NAME")
    show = actions.add_parser("show", help="settings with types and defaults, licence and origin of a component")
    show.add_argument("name", help="the component's name, in any role")
    show.add_argument("--role", choices=tuple(ROLES), help="only this role", default=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.action == "show":
        return show_components(discover(), options.name, options.role)
    return list_plugins(discover(), options.role)


def list_plugins(found: Discovery, role: str | None = None) -> int:
    """Print one row per component and one per plugin that offers nothing; problems are rows, not errors."""
    rows = [_row(c) for c in found.components if role in (None, c.role)]
    rows += [("plugin", p.name, p.distribution, p.version, p.problem) for p in found.plugins if p.problem]
    heads = ("role", "name", "distribution", "version", "status")
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(4)]
    for row in [heads, *sorted(rows)]:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]))
    return 0


def _row(component: Component) -> tuple[str, str, str, str, str]:
    owner = component.plugin
    status = component.problem or f"ok: {component.summary}"
    return component.role, component.spec.name, owner.distribution, owner.version, status


def show_components(found: Discovery, name: str, role: str | None = None) -> int:
    """Import the components called `name` and print all that is known about them.

    Raises:
        PluginError: There is no such component.
    """
    roles = [c for c in found.components if role in (None, c.role)]
    chosen = [c for c in roles if c.spec.name == name]
    if not chosen:
        raise PluginError(f"unknown {role or 'component'} {name!r}.{closest(name, (c.spec.name for c in roles))}")
    for number, component in enumerate(chosen):
        print("\n" * bool(number) + "\n".join(_described(component, Catalog(found))))
    return 0


def _described(component: Component, catalog: Catalog) -> list[str]:
    """Return the lines about one component, including any problem that it has."""
    spec, owner = component.spec, component.plugin
    address = (
        spec.factory if isinstance(spec.factory, str) else f"{spec.factory.__module__}:{spec.factory.__qualname__}"
    )
    facts = {
        "from": " ".join(filter(None, (owner.distribution, owner.version))) + f", plugin {owner.name} = {owner.module}",
        "module": address,
        "licence": " ".join(spec.licence.split()) or "not stated",
    }
    lines = [f"{component.role} {spec.name}: {component.summary}"]
    try:
        factory = catalog.factory(component.role, spec.name)
    except PadkitError as error:
        return [*lines, *_table({**facts, "problem": str(error)})]
    lines += _table(facts)
    if component.role == "command":
        return [*lines, "", f"  Its options: padkit {spec.name} --help"]
    lines += [line for part in _explanation(factory) for line in ("", *_wrapped(part))]
    return [*lines, "", *_settings(component, factory)]


def _settings(component: Component, factory: Callable[..., Any]) -> list[str]:
    from padkit.settings.describe import described_settings

    try:
        settings = described_settings(factory)
    except Exception as error:  # noqa: BLE001 - a plugin's signature may be anything
        return [f"  Its settings cannot be read: {' '.join(str(error).split())}"]
    lines = ["  Settings:" if settings else f"  This {component.role} has no settings."]
    for setting in settings:
        default = "needed" if setting.default is None else f"default {setting.default}"
        lines.append(f"    {setting.name}: {setting.type or 'any type'}; {default}")
        lines += _wrapped(setting.text, "        ")
    return lines


def _explanation(factory: Callable[..., Any]) -> list[str]:
    """Return the paragraphs of the docstring before its sections."""
    text = re.split(r"^\w+:\n +", inspect.getdoc(factory) or "", maxsplit=1, flags=re.MULTILINE)[0]
    return [part for part in text.strip().split("\n\n") if part]


def _table(facts: dict[str, str]) -> list[str]:
    return [line for key, value in facts.items() for line in _wrapped(value, f"  {key:8} ", " " * 11)]


def _wrapped(text: str, first: str = "  ", following: str | None = None) -> list[str]:
    indent = first if following is None else following
    if text.startswith((" ", "- ")):  # a formula or a list keeps its lines
        return [indent + line for line in text.splitlines()]
    flat = " ".join(text.split())
    return textwrap.wrap(flat, WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
