"""The pages that lead through the code name what is there: architecture, decisions, contributing, changelog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "padkit"
MADE = {"site/", "site/index.html", "dist/"}
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def paths_in(text: str) -> set[str]:
    """What looks like a module, a file or a folder of ours: `a/b.py`, `errors.py`, `report/tables/`."""
    return {word for word in re.findall(r"`([\w./-]+)`", text) if re.search(r"\.(py|toml|cff)$|/$", word)}


def exists(path: str) -> bool:
    return (ROOT / path).exists() or (CORE / path).exists()


def test_every_answer_to_where_do_i_find_is_there():
    table = text_of("docs/architecture.md").partition("## Where do I find")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (wh.+|how.+) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) > 20
    for question, answer in rows:
        paths = re.findall(r"`([\w./]+)`", answer)
        assert paths, question
        assert not [path for path in paths if not exists(path)], question


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_is_there(page):
    named = {path for path in paths_in(text_of(page)) if path not in MADE}
    assert len(named) > 5
    assert not [path for path in named if not exists(path)]


def test_the_tree_in_contributing_has_the_folders_of_the_core():
    tree = text_of("CONTRIBUTING.md").partition("core/padkit/ ")[2].partition("plugins/padkit_*")[0]
    folders = {path.name for path in CORE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    modules = {path.stem for path in CORE.glob("*.py") if path.stem != "__init__"}
    assert folders
    assert folders == set(re.findall(r"^  (\w+)/", tree, re.MULTILINE))
    assert modules <= set(re.findall(r"\w+", tree))


def test_decisions_are_short_numbered_listed_and_complete():
    assert len(DECISIONS) >= 5
    listed = re.findall(r"\]\(decisions/([\w-]+\.md)\)", text_of("docs/architecture.md"))
    assert listed == [path.name for path in DECISIONS]
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert len(text.splitlines()) < 60
        assert not [part for part in ("Question", "Decision", "Consequences", "Look again") if part not in text]


def test_every_module_that_moved_is_where_the_changelog_says():
    table = text_of("CHANGELOG.md").partition("### Moved")[2]
    moved = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)`", table, re.MULTILINE)
    assert len(moved) > 80
    for old, new in moved:
        at = new.replace(".", "/")
        root = "core" if new.startswith("padkit.") else "plugins"
        assert (ROOT / root / f"{at}.py").is_file() or (ROOT / root / at / "__init__.py").is_file(), f"{old} -> {new}"
