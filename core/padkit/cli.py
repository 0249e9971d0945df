"""The `padkit` command. Imports no torch, because listing must be fast."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from padkit.catalog import Catalog
from padkit.commands.parser import Parser
from padkit.errors import run_as_command
from padkit.plugins import OWN_COMMANDS, Discovery, discover

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
    """Run the command that `argv` names, one of padkit or of a plugin; return the exit status.

    Raises:
        PluginError: No usable command has this name.
    """
    if not argv or argv[0].startswith("-"):
        parser = _parser(discover())
        parser.parse_args(argv)
        parser.print_help()
        return 0
    status: int | None
    if argv[0] in OWN_COMMANDS:
        status = importlib.import_module(OWN_COMMANDS[argv[0]][1]).main(argv[1:])
    else:
        status = Catalog(discover()).factory("command", argv[0])(argv[1:])
    return status or 0


def _parser(found: Discovery) -> argparse.ArgumentParser:
    """Return a parser that only prints the help: each command parses its own arguments."""
    parser = Parser(prog="padkit", description=HELP)
    parser.add_argument("--version", action="version", version=f"padkit {version('padkit')}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    rows = [(name, summary) for name, (summary, _) in OWN_COMMANDS.items()]
    rows += [
        (c.spec.name, f"{c.summary} ({c.plugin.distribution})")
        for c in found.components
        if c.role == "command" and not c.problem
    ]
    for name, text in rows:
        commands.add_parser(name, help=text.replace("%", "%%"), add_help=False)
    return parser
