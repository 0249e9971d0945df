"""The run folder: each file's name stands in one place, and a new run never takes the place of another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import padkit
from padkit.deploy import BUNDLE
from padkit.errors import DataError, TrainingError
from padkit.runs.folder import RunFolder, check_writable, read_step

NAMES = {path.name for path in vars(RunFolder("run")).values() if path.suffix} - {BUNDLE}  # the bundle names its own


def literals(file: Path) -> Iterator[str]:
    """Yield the texts in a module's code, docstrings aside."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def test_every_file_name_is_spelled_out_once() -> None:
    assert {"settings.yaml", "metrics.json", "log.jsonl", "data.json", "scores.parquet"} <= NAMES
    root = Path(padkit.__file__).parent
    found = {
        (file.relative_to(root).as_posix(), name)
        for file in root.rglob("*.py")
        for text in literals(file)
        for name in NAMES & {text, text.rpartition("/")[2]}
    }
    assert {file for file, _ in found} == {"runs/folder.py"}, found


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"seed": 1}, {})
    assert run.begun
    assert not run.finished
    assert run.read_settings() == {"seed": 1}
    with pytest.raises(TrainingError, match="already holds a run"):
        check_writable(tmp_path / "run")
    with pytest.raises(TrainingError, match=r"no settings\.yaml there"):
        RunFolder.reopen(tmp_path)


def test_the_log_is_rewound_to_a_step_and_survives_a_line_cut_short(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step in (1, 2, 3):
        run.log({"step": step})
    with run.log_file.open("a") as file:
        file.write('{"step": 4, "li')
    assert [record["step"] for record in run.read_log()] == [1, 2, 3]
    run.rewind_log(2)
    assert [record["step"] for record in run.read_log()] == [1, 2]


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.settings.write_text("a: [")
    with pytest.raises(DataError, match=r"settings\.yaml: cannot be read"):
        run.read_settings()


def test_weights_without_a_note_have_no_step(tmp_path: Path) -> None:
    assert read_step(tmp_path / "absent.safetensors") is None
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    assert read_step(tmp_path / "junk.safetensors") is None
