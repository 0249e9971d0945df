"""Tables of kept runs in the docs are what the kept runs say, by padkit and by an independent implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_runs import check_block

from padkit.ablation.blocks import BEGINS, Block, rewritten
from padkit.cli import run

ROOT = Path(__file__).parents[2]
PAGES = [
    page.relative_to(ROOT)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if any(line.startswith(BEGINS) for line in page.read_text(encoding="utf-8").splitlines())
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_published_tables_are_those_of_the_kept_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert run(["results", "--check", str(page)]) == 0


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_published_figures_again_from_the_scores(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text, blocks = page.read_text(encoding="utf-8"), []
    rewritten(text, str(page), lambda block: blocks.append(block) or "")
    parts = text.split(BEGINS)[1:]
    assert len(parts) == len(blocks)
    for part, block in zip(parts, blocks, strict=True):
        assert isinstance(block, Block)
        assert check_block(part, list(block.files)) > 0
