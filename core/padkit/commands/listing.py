"""`padkit plugins`: every component, where it comes from and whether it works."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from padkit.plugins import ROLES, Component, Discovery, discover


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    parser = argparse.ArgumentParser(prog="padkit plugins", description="List every component.")
    parser.add_argument("--role", choices=tuple(ROLES), help="only this role")
    return list_plugins(discover(), parser.parse_args(arguments).role)


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
    status = component.problem or f"ok: {component.summary}"
    return component.role, component.spec.name, owner.distribution, owner.version, status
