"""`evaluation` computes and lays nothing out: none of its modules imports what prints, draws or learns."""

from __future__ import annotations

import ast
from pathlib import Path

import padkit.evaluation

LAYOUT = {"rich", "jinja2", "markupsafe", "matplotlib", "torch"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_no_module_of_evaluation_imports_what_lays_out_or_learns() -> None:
    modules = sorted(Path(padkit.evaluation.__file__).parent.rglob("*.py"))
    assert len(modules) > 15
    for path in modules:
        wrong = {name for name in imported(path) if name.split(".")[0] in LAYOUT or name.startswith("padkit.report")}
        assert wrong == set(), path.name
