"""The run folder: each file's name stands in one place, and a new run never takes the place of another."""

from __future__ import annotations

import ast
import subprocess
import sys
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
    (run.checkpoints / "step-0000001").mkdir()
    with pytest.raises(TrainingError, match="already holds a run; continue it with --resume"):
        run.reserve()
    run.reserve(resumed=True)
    with pytest.raises(TrainingError, match=r"no settings\.yaml there"):
        RunFolder.reopen(tmp_path)


@pytest.mark.parametrize("left", ["metrics.json", "checkpoints/selected.safetensors", "checkpoints/step-0000001"])
def test_what_can_be_read_or_continued_is_kept(tmp_path: Path, left: str) -> None:
    run = RunFolder.create(tmp_path / "run", {}, {})
    (run.path / left).touch()
    with pytest.raises(TrainingError, match="already holds a run"):
        RunFolder.create(run.path, {}, {})


def test_what_an_early_failure_left_is_replaced(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"seed": 1}, {})
    run.log({"step": 1})
    (run.checkpoints / ".step-0000001").mkdir()
    run = RunFolder.create(tmp_path / "run", {"seed": 2}, {})
    assert run.read_settings() == {"seed": 2}
    assert run.read_log() == []


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    """The lock ends with its process, however that ends, and within one process no folder is locked against itself."""
    code = (
        "import sys, pathlib; from padkit.runs.folder import RunFolder; RunFolder(sys.argv[1]).reserve(resumed=True); "
    )
    line = [sys.executable, "-c", code + "print(flush=True); sys.stdin.read()", str(tmp_path / "run")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        for resumed in (False, True):
            with pytest.raises(TrainingError, match="another process trains in"):
                RunFolder(tmp_path / "run").reserve(resumed=resumed)
        other.kill()
    run = RunFolder(tmp_path / "run")
    run.reserve()
    run.reserve(resumed=True)
    run.release()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/none")):
        with pytest.raises(TrainingError, match="cannot be written"):
            check_writable(path)


def test_a_continued_run_says_where_it_went_on(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"epochs": 1}, {"command": ["a"], "python": "3"})
    run.extend({"epochs": 2}, {"command": ["b"], "python": "3"})
    run.extend({"epochs": 3}, {"command": ["c"], "python": "4"})
    assert run.read_settings() == {"epochs": 3}
    assert run.read_environment()["continued"] == [{"command": ["b"]}, {"command": ["c"], "python": "4"}]
    assert run.read_environment()["command"] == ["a"]


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
