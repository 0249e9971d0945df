"""Names that are probably one person, species or domain are told."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.data.alike import alike, folded_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "anna"),
        ("001", "1"),
        ("s07", "S7"),
        ("print 1", "print-1"),
        ("print_1", "Print-01"),
        (unicodedata.normalize("NFC", "Zo\u00e9"), unicodedata.normalize("NFD", "Zo\u00e9")),
        ("anna", "anna_"),
        ("\uff11\uff12", "12"),  # digits as Asian keyboards write them
    ],
)
def test_alike(one: str, other: str) -> None:
    (line,) = alike({"subject": [one, other, "ben", "", one]})
    assert line.startswith("warning: subjects ")
    assert "count as different" in line


@pytest.mark.parametrize(
    ("one", "other"), [("1", "10"), ("100", "1"), ("s1", "s11"), ("a", "b"), ("1_0", "10"), ("0", "00x"), ("", "_")]
)
def test_not_alike(one: str, other: str) -> None:
    assert alike({"subject": [one, other], "species": [], "domain": [""]}) == []


def test_other_cases_are_counted() -> None:
    lines = alike({"species": ["Print", "print", "x"], "domain": ["a", "A", "b", "B", "7", "07"]})
    assert lines[0].startswith("warning: species 'Print' and 'print' count")
    assert "domains '07' and '7' count as different and are written almost alike (and so in 2 other cases);" in lines[1]


@given(st.text())
def test_folding_twice_is_folding_once(name: str) -> None:
    assert folded_name(name.upper()) == folded_name(name) or name.upper().lower() != name.lower()
    assert alike({"subject": [name, name]}) == []
