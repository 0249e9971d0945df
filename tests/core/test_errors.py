"""Errors of users are one line and a status, and name the closest match."""

from __future__ import annotations

import pytest

from padkit.errors import MOST_NAMES, DataError, PadkitError, closest, one_line, run_as_command


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("da", ["daa", "dat", "moments"], " Did you mean 'dat'? Known: daa, dat, moments."),
        ("DAA", ["dat", "daa"], " Did you mean 'daa'? Known: daa, dat."),
        ("office", ["Office"], " Did you mean 'Office'? Known: Office."),
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
