"""Files that any program wrote: names, words, parts, and errors that name the row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from padkit.data.labels import stated_values
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
        ("label,score,label", [("live", 0.5, "spoof")], "has column 'label' twice; rename one"),
        ("gt,Score,score", [("live", 0.5, 0.1)], "has column 'Score' twice; rename one"),
        ("label,score,Subject,subject", [("live", 0.5, "a", "b")], "has column 'Subject' twice; rename one"),
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


def polar(path: Path, head: str, values: tuple[object, object]) -> Path:
    """Write live scores 0.9 and 0.8, attack scores 0.3, labelled by the two values (live, attack)."""
    return written(path, head, [(values[0], 0.9), (values[0], 0.8), (values[1], 0.3)])


@pytest.mark.parametrize(
    ("head", "values", "stated"),
    [
        ("label,score", (1, 0), None),
        ("label,score", (0, 1), ["0"]),
        ("label,score", (1, -1), ["1"]),
        ("label,score", (0, 7), ["0"]),
        ("label,score", ("client", "imposter"), ["client"]),
        ("gt,score", ("True", "False"), None),
        ("is_spoof,score", (0, 1), None),
        ("Is Attack,score", ("False", "True"), None),
        ("is_fake,score", ("0.0", "1.0"), None),
    ],
)
def test_polarity_of_labels(tmp_path: Path, head: str, values: tuple[object, object], stated: list[str] | None) -> None:
    columns = ColumnNames(labels=stated_values(stated, "--bona-fide"))
    found = read_score_file(polar(tmp_path / "a.csv", head, values), columns)
    assert found.parts["test"].label.tolist() == [1, 1, 0]
    first, second, *rest = found.notes
    assert first.startswith(f"labels: '{values[0]}' = bona fide (2), '{values[1]}' = attack (1), by column ")
    assert second == "scores: column 'score' is P(bona fide); if it is P(attack), add --attack-scores."
    assert not rest


def test_presentations_whose_paths_say_the_other_label_are_doubted(tmp_path: Path) -> None:
    rows = [(0, 0.9, "live/a.mp4"), (0, 0.8, "live/b.mp4"), (1, 0.3, "spoof/a.mp4")]
    path = written(tmp_path / "a.csv", "label,score,video", rows)
    assert "warning: 3 of 3 paths" in read_score_file(path).notes[1]
    assert not any(
        "3 of 3" in note for note in read_score_file(path, ColumnNames(labels=stated_values("0", "-b"))).notes
    )


def test_a_column_named_by_the_user_says_its_polarity_too(tmp_path: Path) -> None:
    path = polar(tmp_path / "a.csv", "spoofing_label,score", (0, 1))
    found = read_score_file(path, ColumnNames({"label": "spoofing_label"}))
    assert found.parts["test"].label.tolist() == [1, 1, 0]
    assert "by column 'spoofing_label', whose name says what 1 means" in found.notes[0]


@pytest.mark.parametrize(
    ("column", "attack_scores", "warns"),
    [("p_spoof", False, True), ("attack_score", True, False), ("live_score", True, True), ("out", False, False)],
)
def test_a_score_column_whose_name_contradicts_is_doubted(
    tmp_path: Path, column: str, attack_scores: bool, warns: bool
) -> None:
    path = polar(tmp_path / "a.csv", f"label,{column}", ("live", "spoof"))
    note = read_score_file(path, ColumnNames({"score": column}, attack_scores)).notes[-1]
    assert note.startswith("warning: scores: " if warns else "scores: ")


def test_what_may_be_turned_round_below_chance(tmp_path: Path) -> None:
    numbers = polar(tmp_path / "a.csv", "label,score", (0, 1))
    text = read_score_file(numbers).below_chance
    assert "(add --attack-scores), or label 1 means an attack (--bona-fide 0). Both give the same AUC" in text
    stated = ColumnNames(attack_scores=True, labels=stated_values(["0"], "--bona-fide"))
    text = read_score_file(numbers, stated).below_chance
    assert "(leave out --attack-scores), or label 1 is bona fide (--bona-fide 1)" in text
    words = polar(tmp_path / "b.csv", "label,score", ("spoof", "live"))
    assert "--bona-fide" not in read_score_file(words).below_chance


@pytest.mark.parametrize("names", [{}, {"label": "1", "score": "0.9"}])
def test_a_file_without_a_header_loses_no_row(tmp_path: Path, names: dict[str, str]) -> None:
    path = written(tmp_path / "a.csv", "1,0.9", [(0, 0.2)])
    with pytest.raises(DataError, match=r"has no header: its first line, '1,0.9', holds values"):
        read_score_file(path, ColumnNames(names))


def test_columns_that_pandas_left_without_names(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "0,1", [("live", 0.9)])
    assert read_score_file(path, ColumnNames({"label": "0", "score": "1"})).rows == 1


def test_a_score_of_attacks_is_offered_with_its_option(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "label,spoof_prob", [("live", 0.1)])
    with pytest.raises(
        DataError, match=r"If 'spoof_prob' is P\(attack\), add --column score=spoof_prob --attack-scores"
    ):
        read_score_file(path)


def test_missing_values_are_unknown_and_missing_names_refused(tmp_path: Path) -> None:
    rows = [("live", 0.5, "nan", "None"), ("spoof", 0.5, "7", "NA")]
    found = read_score_file(written(tmp_path / "a.csv", "label,score,subject,species", rows)).parts["test"]
    assert (found.subject.tolist(), found.species.tolist()) == (["", "7"], ["", ""])
    path = written(tmp_path / "b.csv", "label,score,id", [("live", 0.5, "a"), ("live", 0.5, "nan")])
    with pytest.raises(DataError, match="row 2: column 'id' is blank"):
        read_score_file(path)


def test_decimal_commas(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "label;score", [(1, "0,9"), (0, "1")], ";")
    assert read_score_file(path).parts["test"].score.tolist() == [0.9, 1.0]
    with pytest.raises(DataError, match="row 1: score 'a,b' is no number"):
        read_score_file(written(tmp_path / "b.csv", "label;score", [(1, "a,b")], ";"))


def test_a_second_column_of_labels_and_names_written_almost_alike_are_told(tmp_path: Path) -> None:
    rows = [(1, 1, 0.9, "Anna", ""), (0, 0, 0.2, "anna", "Print"), (0, 0, 0.2, "b", "print")]
    notes = read_score_file(written(tmp_path / "a.csv", "is_live,is_spoof,score,person,pai", rows)).notes
    assert notes[1] == "warning: labels are read from column 'is_live', not from 'is_spoof'; do they agree?"
    assert notes[2].startswith("warning: subjects 'Anna' and 'anna' count as different")
    assert notes[3].startswith("warning: species 'Print' and 'print' count as different")
    named = ColumnNames({"label": "is_spoof"})
    assert "from column 'is_spoof', not from 'is_live'" in read_score_file(tmp_path / "a.csv", named).notes[1]


def test_a_score_just_outside_is_shown_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is 1.0000001, outside \[0, 1\]"):
        read_score_file(written(tmp_path / "a.csv", "label,score", [(1, 1.0000001)]))
