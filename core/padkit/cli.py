"""The `padkit` command. Imports no torch: listing must be instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from padkit.catalog import Catalog
from padkit.errors import run_as_command
from padkit.plugins import OWN_COMMANDS, ROLES, Component, Discovery, discover

HELP = "Plugin-based framework for face presentation attack detection."


def main() -> int:
    """Entry point of the console script."""
    try:
        status = run_as_command(lambda: run(sys.argv[1:]))
        sys.stdout.flush()
    except BrokenPipeError:  # `padkit plugins | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def run(argv: Sequence[str]) -> int:
    """Run the command that `argv` names, padkit's own or a plugin's; return the exit status.

    Raises:
        PluginError: No usable command has this name.
    """
    found = discover()
    if argv and not argv[0].startswith("-") and argv[0] not in OWN_COMMANDS:
        status: int | None = Catalog(found).factory("command", argv[0])(argv[1:])
        return status or 0
    parser = argparse.ArgumentParser(prog="padkit", description=HELP)
    parser.add_argument("--version", action="version", version=f"padkit {version('padkit')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    listing = commands.add_parser("plugins", help="list every component with its distribution, version and status")
    listing.add_argument("--role", choices=tuple(ROLES), help="only this role")
    for command in found.components:
        if command.role == "command" and not command.problem:  # here for the help alone: they read their own words
            text = f"{_summary(command)} ({command.plugin.distribution})"
            commands.add_parser(command.spec.name, help=text.replace("%", "%%"), add_help=False)
    arguments = parser.parse_args(argv)
    if arguments.command == "plugins":
        return list_plugins(found, arguments.role)
    parser.print_help()
    return 0


def list_plugins(found: Discovery, role: str | None = None) -> int:
    """Print one row a component and one a plugin that offers nothing; problems are rows, not errors."""
    rows = [_row(c) for c in found.components if role in (None, c.role)]
    rows += [("plugin", p.name, p.distribution, p.version, p.problem) for p in found.plugins if p.problem]
    heads = ("role", "name", "distribution", "version", "status")
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(4)]
    for row in [heads, *sorted(rows)]:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]))
    return 0


def _row(component: Component) -> tuple[str, str, str, str, str]:
    owner = component.plugin
    status = component.problem or f"ok: {_summary(component)}"
    return component.role, component.spec.name, owner.distribution, owner.version, status


def _summary(component: Component) -> str:
    return " ".join(component.spec.summary.split())
