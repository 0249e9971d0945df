"""Marked blocks of documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from padkit.ablation.blocks import Block, rewritten
from padkit.errors import DataError

TEXT = """# Title
<!-- results: a.jsonl, b.jsonl, plan trial, baseline my cell -->
old
<!-- end results -->
between
<!-- results: c.jsonl -->
<!-- end results -->
after
"""


def test_only_what_lies_in_blocks_is_made_anew() -> None:
    asked: list[Block] = []

    def make(block: Block) -> str:
        asked.append(block)
        return f"| table {len(asked)} |\n"

    made = rewritten(TEXT, "doc.md", make)
    assert asked == [Block((Path("a.jsonl"), Path("b.jsonl")), "trial", "my cell"), Block((Path("c.jsonl"),))]
    assert made.splitlines() == [
        "# Title", "<!-- results: a.jsonl, b.jsonl, plan trial, baseline my cell -->", "", "| table 1 |", "",
        "<!-- end results -->", "between", "<!-- results: c.jsonl -->", "", "| table 2 |", "", "<!-- end results -->",
        "after",
    ]  # fmt: skip
    asked.clear()
    assert rewritten(made, "doc.md", make) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing\n", "doc.md: holds no block of results"),
        ("x\n<!-- results: a.jsonl -->\n| table |\n", "doc.md, line 2: the block of results has no '<!-- end results"),
        ("<!-- results: plan trial -->\n<!-- end results -->\n", "doc.md, line 1: write '<!-- results: FILE, plan"),
        ("<!-- results: a.jsonl\n<!-- end results -->\n", "doc.md, line 1: write"),
    ],
)
def test_a_malformed_block_is_one_error(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rewritten(text, "doc.md", lambda block: "")
