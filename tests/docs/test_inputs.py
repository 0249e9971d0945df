"""The page of what each reader understands is made from the code, and its examples are what readers print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from generator.inputs import understood
from padkit.data.column_names import LIST_COLUMNS, SCORE_COLUMNS
from padkit.data.labels import WORDS, LabelCount, LabelValues
from padkit.data.media.formats import image_suffixes, video_suffixes
from padkit_folder.layout import Layout

PAGE = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text(encoding="utf-8")
MARKS = re.findall(r"<!-- understood (\w+) -->", PAGE)


@pytest.mark.parametrize("mark", MARKS)
def test_a_table_is_whole(mark: str) -> None:
    lines = understood(mark).splitlines()
    if lines[0].startswith("|"):
        assert len(lines) > 3
        assert len({line.count(" | ") for line in lines if line[:4] != "| --"}) == 1


def test_the_tables_name_every_word() -> None:
    text = "\n".join(map(understood, MARKS))
    words = {*WORDS, *image_suffixes(), *video_suffixes()}
    for columns in (LIST_COLUMNS, SCORE_COLUMNS):
        words |= {*columns, *(word for synonyms in columns.values() for word in synonyms)}
    assert {word for word in words if f"`{word}`" not in text} == set()
    for reader in (
        "`folder`",
        "`manifest`",
        "`huggingface`",
        "`oulu-npu`",
        "`padkit evaluate`",
        "`padkit simulate --faces`",
    ):
        assert reader in text


def test_the_lines_are_those_that_are_printed() -> None:
    words = LabelCount(LabelValues())
    words.read("real", "x", 120)
    words.read("fake", "x", 240)
    numbers = LabelCount(LabelValues(option="--data.bona_fide"))
    numbers.read("1", "x", 120)
    numbers.read("0", "x", 240)
    for line in (*words.lines("folder name"), *numbers.lines("column 'label'", "label")):
        assert f"\n{line}\n" in PAGE


def test_the_layouts_can_be_read() -> None:
    found = re.findall(r"--data\.layout '([^']+)'", PAGE)
    assert len(found) == 3
    assert all(Layout(text).parts for text in found)
