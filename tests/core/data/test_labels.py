"""What label values mean: words, numbers, stated values, columns whose names say it, and the line that tells."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.data.labels import WORDS, LabelCount, LabelValues, claim, path_label, plain, stated_values
from padkit.errors import DataError, SettingsError


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *(("live", 1), ("Bona-Fide", 1), ("bona fide ", 1), ("BONA_FIDE", 1), ("Real", 1), ("genuine", 1)),
        *(("spoof", 0), ("ATTACK", 0), ("fake", 0)),
        *((1, 1), (0, 0), ("1.0", 1), ("0.", 0), ("+1", 1), ("01", 1), (True, 1), (False, 0), ("TRUE", 1), (1.0, 1)),
        *(("-1", None), ("2", None), ("0.5", None), ("1_0", None), ("\u0661", None), ("", None), ("nan", None)),
        *(("negative", None), ("client", None), ("nonlive", None), ("not live", None)),
    ],
)
def test_default_values(value: object, label: int | None) -> None:
    assert LabelValues().meaning(value) == label


@pytest.mark.parametrize(
    ("stated", "meanings"),
    [
        (
            ["0"],
            {"0": 1, "1": 0, "2": 0, "10": 0, "-1": 0, "False": 1, "True": 0, "live": 1, "spoof": 0, "client": None},
        ),
        (["1"], {"1": 1, "-1": 0, "0": 0, "live": 1}),
        (["-1.0"], {"-1": 1, "1": 0, "0": 0}),
        (
            ["client"],
            {"client": 1, "Client": 1, "imposter": 0, "nonclient": 0, "live": 1, "fake": 0, "1": 1, "2": None},
        ),
        (["Real Person"], {"real-person": 1, "mask": 0, "real": 1}),
        (["a", "0"], {"a": 1, "0": 1, "b": 0, "7": 0}),
    ],
)
def test_stated_values(stated: list[str], meanings: dict[str, int | None]) -> None:
    values = stated_values(stated, "--bona-fide")
    assert {value: values.meaning(value) for value in meanings} == meanings


@pytest.mark.parametrize("slip", ["cleint", "clients", "lvie", "genuin"])
def test_a_slip_of_a_bona_fide_word_is_no_attack(slip: str) -> None:
    values = stated_values(["client"], "--bona-fide")
    with pytest.raises(DataError, match=f"x: unknown label '{slip}'. Did you mean"):
        values.read(slip, "x")


def test_what_cannot_be_stated() -> None:
    with pytest.raises(SettingsError, match="--bona-fide 'fake': this word means an attack"):
        stated_values(["Fake"], "--bona-fide")
    with pytest.raises(SettingsError, match="blank"):
        stated_values(["0", " "], "--bona-fide")
    with pytest.raises(SettingsError, match="blank"):
        stated_values([], "--bona-fide")
    assert stated_values([0, True, "Client "], "--bona-fide").stated == ("0", "1", "client")


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("-1", r"unknown label '-1'\. Known: .* State which value is bona fide: --bona-fide 1\."),
        ("negative", r"unknown label 'negative'\. Known: .*--bona-fide VALUE"),
        ("unreal", r"unknown label 'unreal'\. Known: "),
        ("lve", r"Did you mean 'live'\?"),
        (" ", r"row 3: the label is blank"),
    ],
)
def test_refusals(value: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        LabelValues().read(value, "row 3")


@pytest.mark.parametrize(
    ("column", "label"),
    [
        *(("is_spoof", 0), ("Is Attack", 0), ("spoof_label", 0), ("fake", 0), ("p_spoof", 0), ("spoofing-score", 0)),
        *(("is_live", 1), ("liveness_label", 1), ("isReal", None), ("bona_fide_label", 1), ("prob_live", 1)),
        *(
            ("not_live", 0),
            ("is_not_spoof", 1),
            ("label", None),
            ("attack_type", None),
            ("live_or_spoof", None),
            ("", None),
        ),
    ],
)
def test_what_a_name_of_a_column_claims(column: str, label: int | None) -> None:
    assert claim(column) == label


def test_a_column_that_says_attack_turns_numbers_round_but_not_words() -> None:
    values = LabelValues().said_by("is_spoof")
    assert [values.meaning(value) for value in ("1", "0", True, "live", "spoof")] == [0, 1, 0, 1, 0]
    assert stated_values(["1"], "--bona-fide").said_by("is_spoof").meaning("1") == 1


def counted(values: LabelValues, counts: dict[object, int]) -> LabelCount:
    count = LabelCount(values)
    for value, number in counts.items():
        count.read(value, "x", number)
    return count


@pytest.mark.parametrize(
    ("values", "column", "counts", "lines"),
    [
        (
            LabelValues(),
            "",
            {"real": 120, "fake": 240},
            ["labels: 'real' = bona fide (120), 'fake' = attack (240), by y."],
        ),
        (
            LabelValues(option="--data.bona_fide"),
            "label",
            {"1": 3, "0": 4},
            ["labels: '1' = bona fide (3), '0' = attack (4), by y; if 1 means attack, add --data.bona_fide 0."],
        ),
        (
            stated_values(["0"], "--bona-fide"),
            "label",
            {"0": 3, "1": 4, "2": 5},
            ["labels: '0' = bona fide (3), '2' = attack (5), '1' = attack (4), by y, as --bona-fide 0 states."],
        ),
        (LabelValues(), "", {"live": 2}, ["labels: 'live' = bona fide (2), no attack, by y."]),
        (
            stated_values(["1"], "--bona-fide"),
            "is_attack",
            {"1": 3, "0": 4},
            [
                "labels: '1' = bona fide (3), '0' = attack (4), by y, as --bona-fide 1 states.",
                "warning: the column is called 'is_attack', so 1 should mean attack, but --bona-fide 1 "  # noqa: ISC004
                "takes it for bona fide.",
            ],
        ),
        (
            stated_values(["0"], "--bona-fide"),
            "is_live",
            {"1": 3, "0": 4},
            [
                "labels: '0' = bona fide (4), '1' = attack (3), by y, as --bona-fide 0 states.",
                "warning: the column is called 'is_live', so 1 should mean bona fide, but --bona-fide 0 "  # noqa: ISC004
                "takes it for attack.",
            ],
        ),
        (
            LabelValues(),
            "label",
            {"1": 3, "spoof": 4},
            [
                "labels: '1' = bona fide (3), 'spoof' = attack (4), by y; if 1 means attack, add --bona-fide 0.",
                "warning: both words and numbers name labels; check that 1 means the same as the words.",
            ],
        ),
        (
            LabelValues().said_by("is_spoof"),
            "is_spoof",
            {"1": 3, "0": 4},
            [
                "labels: '0' = bona fide (4), '1' = attack (3), by y, whose name says what 1 means; "  # noqa: ISC004
                "if it is wrong, state the bona fide value with --bona-fide.",
            ],
        ),
    ],
)
def test_the_line(values: LabelValues, column: str, counts: dict[object, int], lines: list[str]) -> None:
    assert counted(values, counts).lines("y", column) == lines


@pytest.mark.parametrize(
    ("path", "label"),
    [
        *(
            ("a/live/1.png", 1),
            ("Spoof/1.png", 0),
            ("x\\fake\\1.png", 0),
            ("bona-fide/train/1.png", 1),
            ("real/live/1", 1),
        ),
        *(("live.png", None), ("1/x.png", None), ("real/spoof/1.png", None), ("alive/x.png", None), ("a/b", None)),
    ],
)
def test_what_a_path_says(path: str, label: int | None) -> None:
    assert path_label(path) == label


def test_paths_that_contradict_labels_are_counted() -> None:
    count = LabelCount(LabelValues())
    for path, label in (("live/1.png", 0), ("a/spoof/2.png", 1), ("spoof/3.png", 0), ("4.png", 1)):
        count.compare(path, label)
    assert count.lines("y")[1] == (
        "warning: 2 of 3 paths with a folder that names a label contradict their label, the first 'live/1.png'; check "
        "the labels."
    )


def test_the_line_is_short_where_there_are_many_values() -> None:
    (line,) = counted(stated_values(["a"], "-b"), {f"kind {number}": 1 for number in range(20)}).lines("y")
    assert "no bona fide" in line
    assert "and 12 other values (12)" in line
    assert len(line) < 400


@given(st.sampled_from(sorted(WORDS)), st.sampled_from([str.upper, str.title, str.lower]), st.sampled_from("_- "))
def test_spelling_never_changes_a_word(word: str, case: object, gap: str) -> None:
    assert LabelValues().meaning(f" {case(word).replace('_', gap)} ") == WORDS[word]  # type: ignore[operator]


@given(st.integers(-99, 99), st.integers(-99, 99), st.sampled_from(["{}", "{}.0", "{}."]))
def test_one_stated_number_decides_all_numbers(stated: int, value: int, form: str) -> None:
    assert stated_values([stated], "-b").meaning(form.format(value)) == int(value == stated)


@given(st.text(string.printable, max_size=12))
def test_a_text_is_the_same_label_however_often_it_is_read(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert LabelValues().meaning(text) == LabelValues().meaning(plain(text))
