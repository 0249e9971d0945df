"""The `padkit` command. Imports no torch: listing must be instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from padkit.errors import run_as_command
from padkit.plugins import Component, discover

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
    """Parse `argv` and run the command it names; return the exit status."""
    parser = argparse.ArgumentParser(prog="padkit", description=HELP)
    parser.add_argument("--version", action="version", version=f"padkit {version('padkit')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    listing = commands.add_parser("plugins", help="list every component with its distribution, version and status")
    listing.add_argument("--role", choices=("teacher", "aligner", "student", "dataset"), help="only this role")
    arguments = parser.parse_args(argv)
    if arguments.command == "plugins":
        return list_plugins(arguments.role)
    parser.print_help()
    return 0


def list_plugins(role: str | None = None) -> int:
    """Print one row a component and one a plugin that offers nothing; problems are rows, not errors."""
    found = discover()
    rows = [_row(c) for c in found.components if role in (None, c.role)]
    rows += [("plugin", p.name, p.distribution, p.version, p.problem) for p in found.plugins if p.problem]
    heads = ("role", "name", "distribution", "version", "status")
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(4)]
    for row in [heads, *sorted(rows)]:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]))
    return 0


def _row(component: Component) -> tuple[str, str, str, str, str]:
    owner = component.plugin
    status = component.problem or f"ok: {' '.join(component.spec.summary.split())}"
    return component.role, component.spec.name, owner.distribution, owner.version, status
