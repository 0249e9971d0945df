"""Files that any program wrote: names, words, parts, and errors that name the row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from padkit.errors import DataError, SettingsError
from padkit.evaluation.score_files import ColumnNames, read_score_file

ROWS = [
    ("clip1", "live", 0.9, "007", "", "dev"),
    ("clip1", "live", 0.7, "007", "", "dev"),
    ("clip2", "spoof", 0.2, "008", "print", "test"),
    ("clip3", "live", 0.6, "", "", "test"),
]


def written(path: Path, head: str, rows: list[tuple[object, ...]], separator: str = ",") -> Path:
    path.write_text("\n".join([head, *(separator.join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "head", "separator"),
    [
        ("a.csv", "presentation,label,score,subject,attack_type,part", ","),
        ("b.tsv", "Video ID\tClass\tP-live\tPerson\tSpoof Type\tSplit", "\t"),
        ("c.txt", "\ufefffile;gt;y_score;client;type;subset", ";"),
        ("d.csv", '"path","is_live","prob","identity","attack","partition"', ","),
    ],
)
def test_text_files_by_any_name(tmp_path: Path, name: str, head: str, separator: str) -> None:
    found = read_score_file(written(tmp_path / name, head, ROWS, separator))
    assert (sorted(found.parts), found.named, found.rows, found.unassigned) == (["dev", "test"], True, 4, 0)
    dev, test = found.parts["dev"], found.parts["test"]
    assert (dev.presentation.tolist(), dev.score.tolist(), dev.frames.tolist()) == (["clip1"], [0.8], [2])
    assert test.label.tolist() == [0, 1]
    assert test.subject.tolist() == ["008", ""]  # text, not numbers
    assert test.pai_species.tolist() == ["print", ""]
    assert set(test.split.tolist()) == {"test"}


def test_parquet_of_numbers(tmp_path: Path) -> None:
    table = {
        "label": pa.array([1, 0, 1]), "score": pa.array([0.9, 0.1, 0.5], pa.float32()),
        "subject": pa.array([7.0, None, 8.0]), "device": pa.array(["a", None, "b"]).dictionary_encode(),
        "embedding": pa.array([[1.0], [2.0], [3.0]]),
    }  # fmt: skip
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    found = read_score_file(tmp_path / "a.parquet")
    test = found.parts["test"]
    assert (found.named, test.presentation.tolist()) == (False, ["1", "2", "3"])
    assert test.subject.tolist() == ["7", "", "8"]
    assert test.device.tolist() == ["a", "", "b"]
    assert test.score == pytest.approx([0.9, 0.1, 0.5])


@pytest.mark.parametrize(
    "words", [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("Bona Fide", "ATTACK"), ("real", "fake")]
)
def test_words_of_labels(tmp_path: Path, words: tuple[str, str]) -> None:
    path = written(tmp_path / "a.csv", "label,score", [(words[0], 0.9), (words[1], 0.2)])
    assert read_score_file(path).parts["test"].label.tolist() == [1, 0]


def test_columns_by_name_and_scores_turned_round(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "label,score,logit,who", [("live", 0.1, 9, "x"), ("spoof", 0.8, 9, "y")])
    found = read_score_file(path, ColumnNames({"subject": "who"}, attack_scores=True)).parts["test"]
    assert found.score == pytest.approx([0.9, 0.2])
    assert found.subject.tolist() == ["x", "y"]
    with pytest.raises(DataError, match=r"no column 'whoo'. Did you mean 'who'"):
        read_score_file(path, ColumnNames({"subject": "whoo"}))
    with pytest.raises(SettingsError, match=r"'subjct' is no column.*'subject'"):
        ColumnNames({"subjct": "who"})


def test_parts_by_any_word(tmp_path: Path) -> None:
    parts = ["source-dev", "Target_Dev", "train", "EVAL", ""]
    path = written(tmp_path / "a.csv", "label,score,part", [("live", 0.5, part) for part in parts])
    found = read_score_file(path)
    assert set(found.parts) == {"source-dev", "target-dev", "train", "test"}
    assert found.unassigned == 1
    assert {str(found.parts[name].split[0]) for name in ("source-dev", "target-dev")} == {"dev"}


@pytest.mark.parametrize(
    ("head", "rows", "match"),
    [
        ("score,person", [(0.5, "a")], "no column 'label'.*columns: score, person. Name it with --column label=NAME"),
        ("label,logit", [("live", 0.5)], "no column 'score'"),
        ("label,score", [("live", 0.5), ("lives", 0.5)], "row 2: unknown label 'lives'. Did you mean 'live'"),
        ("label,score", [("live", 0.5), ("", 0.5)], "row 2: the label is blank"),
        ("label,score", [("live", 0.5), ("spoof", "high")], "row 2: score 'high' is no number"),
        ("label,score", [("live", 0.5), ("spoof", "nan")], "is NaN"),
        ("label,score", [("live", 3.5)], "is 3.5, outside"),
        ("label,score,part", [("live", 0.5, "tset")], "row 1: part 'tset' is unknown. Did you mean 'test'"),
        ("label,score", [("live", 0.5, 7)], "is no CSV of 2 columns"),
        ("label,score", [], "holds no scores"),
        ("label,score,presentation", [("live", 0.5, "a"), ("spoof", 0.5, "a")], "'a' has frames of both labels"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, head: str, rows: list[tuple[object, ...]], match: str) -> None:
    path = written(tmp_path / "a.csv", head, rows)
    with pytest.raises(DataError, match=match) as caught:
        read_score_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_score_file(tmp_path: Path) -> None:
    for name, content, match in (
        ("a.parquet", b"PAR1 not really", "cannot be read as Parquet"),
        ("a.csv", b"label,score\xff\xfe\n", "not UTF-8"),
        ("a.json", b"{}", "suffix '.json'"),
        ("b.csv", b"", "no column 'label'"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=match):
            read_score_file(tmp_path / name)
    lists = pa.table({"label": ["live"], "score": pa.array([[0.5]])})
    pq.write_table(lists, tmp_path / "list.parquet")
    with pytest.raises(DataError, match="scores are no numbers"):
        read_score_file(tmp_path / "list.parquet")


def test_numbers_survive_exactly(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(50)
    rows = [(number % 2, repr(float(value))) for number, value in enumerate(values)]
    assert read_score_file(written(tmp_path / "a.csv", "label,score", rows)).parts["test"].score.tolist() == [*values]
