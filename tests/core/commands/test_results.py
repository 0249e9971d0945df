"""`padkit results` prints, writes and checks; a figure that was edited by hand is caught."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kept_runs import kept_run, write_kept

from padkit.cli import run
from padkit.errors import DataError, SettingsError

DOCUMENT = "# Trial\n\n<!-- results: runs.jsonl, baseline plain -->\n<!-- end results -->\n\nRead on.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_kept(
        tmp_path / "runs.jsonl",
        *(kept_run(cell, "hall", s, m) for cell, m in (("plain", 1.0), ("DAA", 1.4)) for s in (0, 1)),
    )
    (tmp_path / "doc.md").write_text(DOCUMENT)
    return tmp_path


def test_tables_are_printed_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["results", "runs.jsonl", "--markdown", "table.md", "--latex", "table.tex"]) == 0
    assert "AUC minus that of plain" in capsys.readouterr().out
    assert "- Made by: `padkit results runs.jsonl`" in (folder / "table.md").read_text()
    assert r"\toprule" in (folder / "table.tex").read_text()


def test_an_edit_by_hand_is_caught(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["results", "--check", "doc.md"]) == 1
    assert run(["results", "--write", "doc.md"]) == 0
    assert run(["results", "--check", "doc.md"]) == 0
    text = (folder / "doc.md").read_text()
    assert text.endswith("<!-- end results -->\n\nRead on.\n")
    capsys.readouterr()
    at = text.index("| plain | ") + len("| plain | ")
    (folder / "doc.md").write_text(f"{text[:at]}99{text[at + 2 :]}")
    assert run(["results", "--check", "doc.md"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: doc.md, line {text[:at].count(chr(10)) + 1}: is not what the kept runs say")
    assert told.count("\n") == 1
    (folder / "doc.md").write_text(text.replace("Read on.", "Read more."))  # outside of the block
    assert run(["results", "--check", "doc.md"]) == 0


def test_a_plan_by_name(folder: Path) -> None:
    (folder / "recipes" / "configs").mkdir(parents=True)
    (folder / "recipes" / "configs" / "mine.yaml").write_text(
        "cells: {DAA: {aligner: daa}, plain: {aligner: none}}\nbaseline: plain\ntargets: hall\nseeds: 2\n"
    )
    (folder / "doc.md").write_text(DOCUMENT.replace("baseline plain", "plan mine"))
    assert run(["results", "--write", "doc.md"]) == 0
    text = (folder / "doc.md").read_text()
    assert text.index("| DAA |") < text.index("| plain |")
    assert "`padkit results runs.jsonl --plan mine`" in text


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ([], SettingsError, "name files of kept runs, or documents"),
        (["runs.jsonl", "--check", "doc.md"], SettingsError, "name files of kept runs, or documents"),
        (["--check", "doc.md", "--plan", "x"], SettingsError, "--plan does not go with"),
        (["missing.jsonl"], DataError, "missing.jsonl: does not exist"),
        (["runs.jsonl", "--plan", "trail"], SettingsError, "trail: no such file"),
        (["runs.jsonl", "--baseline", "DAB"], SettingsError, "Did you mean 'DAA'"),
        (["--check", "missing.md"], DataError, "missing.md: cannot be read"),
    ],
)
def test_mistakes_are_one_line(folder: Path, line: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        run(["results", *line])
    assert "\n" not in str(caught.value)


def test_it_needs_no_torch(folder: Path) -> None:
    code = "import sys; from padkit.cli import run; run(['results', 'runs.jsonl']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=folder).returncode == 0
