"""The public API that docs/api.md promises: every name exists, and what authors copy from us uses nothing else."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from padkit import testing
from padkit.catalog import BASES

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "tests" / "thirdparty").rglob("*.py"))
TEMPLATES = sorted((ROOT / "core" / "padkit" / "templates").glob("*.py.j2"))


def listed() -> dict[str, set[str]]:
    """The names of docs/api.md by module; a module may have a row in several tables."""
    found: dict[str, set[str]] = {}
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for module, names in re.findall(r"^\| `(padkit[\w.]*)` \| (.+) \|$", text, re.MULTILINE):
        found.setdefault(module, set()).update(re.findall(r"`(\w+)`", names))
    return found


PUBLIC = listed()


def test_the_page_lists_names():
    assert len(PUBLIC) > 15
    assert all(PUBLIC.values())


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_exists_and_is_no_private_one(module):
    found = importlib.import_module(module)
    assert not [name for name in PUBLIC[module] if not hasattr(found, name)]
    assert not [part for part in [*module.split("."), *PUBLIC[module]] if part.startswith("_")]


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_name_is_defined_where_it_is_listed_or_exported_there(module):
    """A name that a module merely imports could move without anybody noticing."""
    found = importlib.import_module(module)
    own = set(getattr(found, "__all__", ()))
    for node in ast.parse(Path(found.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            own |= {target.id for target in targets if isinstance(target, ast.Name)}
    assert PUBLIC[module] - own == set()


def test_the_base_of_every_role_and_every_suite_is_public():
    assert BASES
    for address in BASES.values():
        module, _, name = address.partition(":")
        assert not module.startswith("padkit") or name in PUBLIC[module]
    assert PUBLIC["padkit.testing"] == set(testing.__all__)


@pytest.mark.parametrize("source", [*EXAMPLES, *TEMPLATES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_authors_copy_uses_public_names_only(source):
    text = source.read_text(encoding="utf-8")
    imports = re.findall(r"^ *from (padkit(?:\.[\w.]+)?) import (?:\(([^)]*)\)|(.+))$", text, re.MULTILINE)
    for module, many, line in imports:
        names = {word.strip().partition(" as ")[0] for word in (many or line.partition("#")[0]).split(",")} - {""}
        if module == "padkit" or "{{" in "".join(names):
            continue
        assert names <= PUBLIC.get(module, set()), f"{module}: {sorted(names)}"


def test_authors_are_given_something_to_copy():
    assert len(EXAMPLES) > 5
    assert len(TEMPLATES) >= 5
