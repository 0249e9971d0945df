"""Errors of users are one line and a status, and name the closest match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padkit.errors import MOST_NAMES, NEGATIONS, DataError, PadkitError, closest, nearest, one_line, run_as_command


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("da", ["daa", "dat", "moments"], " Did you mean 'dat'? Known: daa, dat, moments."),
        ("DAA", ["dat", "daa"], " Did you mean 'daa'? Known: daa, dat."),
        ("office", ["Office"], " Did you mean 'Office'? Known: Office."),
        ("rf", ["fr", "fe"], " Did you mean 'fr'? Known: fe, fr."),
        ("zzz", ["daa"], " Known: daa."),
        ("", ["daa"], " Known: daa."),
        ("daa", [], ""),
    ],
)
def test_closest(name, known, text):
    assert closest(name, known) == text


def test_closest_does_not_print_a_thousand_names():
    text = closest("n5000", [f"n{i:04d}" for i in range(1000)])
    assert text.endswith(f", n{MOST_NAMES - 1:04d} and {1000 - MOST_NAMES} more.")
    assert " Did you mean 'n" in text


def test_one_line():
    assert one_line(DataError("a\n  b\n")) == "a b"
    assert one_line(OSError("disk\nfull")) == "OSError: disk"
    assert one_line(OSError()) == "OSError"


def raising(error: BaseException):
    def main():
        raise error

    return main


def test_a_command_ends_with_a_line_and_a_status(capsys):
    assert run_as_command(lambda: None) == 0
    assert run_as_command(lambda: 3) == 3
    assert capsys.readouterr().err == ""
    assert run_as_command(raising(DataError("folder is empty;\nadd images"))) == 2
    assert capsys.readouterr().err == "error: folder is empty; add images\n"
    assert run_as_command(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_no_users_error():
    with pytest.raises(ZeroDivisionError):
        run_as_command(raising(ZeroDivisionError()))


def test_the_traceback_can_be_asked_for(monkeypatch):
    monkeypatch.setenv("PADKIT_TRACEBACK", "1")
    with pytest.raises(PadkitError):
        run_as_command(raising(DataError("x")))


def test_a_launcher_collects_the_lines_of_its_processes(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PADKIT_ERRORS", str(tmp_path / "errors"))
    assert run_as_command(raising(DataError("first"))) == 2
    assert run_as_command(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""
    assert (tmp_path / "errors").read_text() == "error: first\ninterrupted\n"
    monkeypatch.setenv("PADKIT_ERRORS", str(tmp_path / "gone" / "errors"))  # the launcher was killed
    assert run_as_command(raising(DataError("second"))) == 2
    assert capsys.readouterr().err == "error: second\n"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("live", ["live", "spoof"]),
        ("negative", ["live", "spoof", "fake"]),
        ("bogus", ["figures", "evaluate"]),
        ("nonlive", ["live"]),
        ("client", ["live", "spoof"]),
        ("not_live", ["live"]),
        ("live", ["non-live"]),
        ("unreal", ["real"]),
        ("positive", ["negative"]),
        ("female", ["Male"]),
        ("-1", ["1", "0"]),
        ("2", ["20"]),
        ("1.0", ["10"]),
        ("min_steps", ["max_steps"]),
        ("no_duplicates", ["duplicates"]),
    ],
)
def test_no_guess_that_is_far_off_or_the_opposite(name, known):
    assert closest(name, known) == f" Known: {', '.join(sorted(known))}."


@given(st.lists(st.text("abcdelivspoft_", min_size=1, max_size=8), min_size=1, unique=True), st.data())
def test_a_guess_is_never_the_name_itself(known, data):
    name = data.draw(st.sampled_from(known))
    assert nearest(name, known) != name


@given(st.text("abcdefghijklmnop", min_size=5, max_size=12), st.data())
def test_one_slip_is_found(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    slip = word[:at] + word[at + 1 :]
    assert nearest(slip, [word, "zzzzzz"]) == (None if word in {f"{no}{slip}" for no in NEGATIONS} else word)
