"""Lists of media: every synonym of a column, missing values, and files without a header."""

from __future__ import annotations

from pathlib import Path

import pytest

from padkit.data.column_names import COMMON, LIST_COLUMNS, SCORE_COLUMNS, choose, is_data, present
from padkit.data.lists import open_list
from padkit.errors import DataError


def written(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("columns", [LIST_COLUMNS, SCORE_COLUMNS])
def test_a_synonym_names_one_column(columns: dict[str, tuple[str, ...]]) -> None:
    # A list's video is its path, or its presentation where another column is the path.
    words = [word for column, words in columns.items() for word in (column, *words) if word != "video"]
    assert len(set(words)) == len(words)
    for column, synonyms in columns.items():
        for word in synonyms:
            assert choose([word.replace("_", " ").title()], columns) in (
                {column: word.replace("_", " ").title()},
                {"path": "Video"},
            )
    assert choose(["video", "image"], LIST_COLUMNS) == {"path": "image", "presentation": "video"}


def test_lists_and_score_files_share_synonyms() -> None:
    for column, words in COMMON.items():
        assert LIST_COLUMNS[column] == SCORE_COLUMNS[column] == words
    assert {*LIST_COLUMNS["split"], "split"} == {*SCORE_COLUMNS["part"], "part"}


def test_own_names_go_before_synonyms() -> None:
    assert choose(["class", "label", "Person"], LIST_COLUMNS) == {"label": "label", "subject": "Person"}


def test_rows_by_column(tmp_path: Path) -> None:
    path = written(tmp_path, "File Name;Ground Truth;Person-ID;note\na.png;live;nan;x\n\nb.png;0;None;y\nnan;1;7;z\n")
    _, rows, about = open_list(path, ["path", "label"])
    assert list(rows) == [
        (2, {"path": "a.png", "label": "live", "subject": ""}),
        (4, {"path": "b.png", "label": "0", "subject": ""}),
        (5, {"path": "nan", "label": "1", "subject": "7"}),
    ]
    assert about == ["columns: path = 'File Name', label = 'Ground Truth', subject = 'Person-ID'."]
    assert open_list(written(tmp_path, "path,Label\na,1\n"))[2] == []


@pytest.mark.parametrize(
    ("head", "others"),
    [("label,is_spoof", "'is_spoof'"), ("Label,gt,Is Live", "'gt', 'Is Live'"), ("is_attack,y_true", "'is_attack'")],
)
def test_a_second_column_of_labels_is_told(tmp_path: Path, head: str, others: str) -> None:
    _, _, about = open_list(written(tmp_path, f"path,{head}\n"), ["path", "label"])
    assert about[-1].startswith("warning: labels are read from column ")
    assert about[-1].endswith(f"not from {others}; do they agree?")


@pytest.mark.parametrize("value", ["nan", "NaN", "None", "null", "NA", "n/a", "<NA>", " NaT ", ""])
def test_missing_values(value: str) -> None:
    assert present(value) == ""


def test_values_that_are_there() -> None:
    assert [present(value) for value in ("nana", " anna ", "0", "no")] == ["nana", "anna", "0", "no"]


@pytest.mark.parametrize(
    "first",
    ["a.png,live", "1,0.93", "data/x/7.JPG,1", "clip.mp4,spoof", "live,1e-3", "-0.5,b", "0,0.5", "a.jp2,b"],
)
def test_a_first_line_of_values_is_no_header(tmp_path: Path, first: str) -> None:
    assert is_data(first.split(","))
    with pytest.raises(DataError, match=f"has no header: its first line, '{first}', holds values.*path,label"):
        open_list(written(tmp_path, f"{first}\n{first}\n"), ["path", "label"])


@pytest.mark.parametrize("first", ["path,label", "file,live,spoof", "path,live/spoof", "0,1,2", "id,p1", "", "a,b"])
def test_a_header_is_no_first_line_of_values(first: str) -> None:
    assert not is_data(first.split(","))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("label\nlive\n", "no column 'path', or synonym; columns: label"),
        ("path,lable\na,live\n", "no column 'label', or synonym"),
        ("path,label,Label\na,live,x\n", "column 'label' twice"),
        ("path,label,subjects\na,live,x\n", "unknown column 'subjects'. Did you mean 'subject'"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        open_list(written(tmp_path, text), ["path", "label"])


def test_a_path_with_a_zero_byte_is_one_line(tmp_path: Path) -> None:
    _, rows, _ = open_list(written(tmp_path, "path,label\na\0b.png,live\n"))
    with pytest.raises(DataError, match=r"line 2: the path .* has a zero byte"):
        list(rows)


def test_a_misspelt_column_is_no_mistake_where_the_right_one_is_there(tmp_path: Path) -> None:
    chosen, _, _ = open_list(written(tmp_path, "path,label,subject,subjects\na,live,x,y\n"))
    assert set(chosen) == {"path", "label", "subject"}
