"""`padkit new` writes distributions that pass their own tests at once and train beside each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from padkit.commands.new import ROLES, main, write_distribution
from padkit.errors import PluginError, SettingsError

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A distribution of every role."""
    parent = tmp_path_factory.mktemp("made")
    return {role: write_distribution(role, f"demo-{role}", parent) for role in ROLES}


@pytest.fixture(scope="module")
def environment(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Installed as pip would for an editable install: metadata on the path, and the source beside."""
    site = tmp_path_factory.mktemp("site")
    for folder in made.values():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        lines = [f"{name} = {target}" for name, target in project["entry-points"]["padkit"].items()]
        (info / "entry_points.txt").write_text("\n".join(["[padkit]", *lines]))
    path = [str(site), *map(str, made.values()), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}


def python(words: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_all_pass_their_own_tests(made, environment, tmp_path):
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *map(str, made.values())]
    text = python(words, environment, tmp_path)
    assert int(re.search(r"(\d+) passed", text)[1]) > 45
    assert "skipped" not in text


def test_all_train_together(environment, tmp_path):
    chosen = ["--data", "demo-dataset", "--student", "demo-student", "--aligner", "demo-aligner"]
    chosen += ["--teachers.fr", "demo-teacher", "--teachers.fe", "none", "--teachers.fr.channels", "8"]
    chosen += ["--data.image_size", "32", "--data.clips", "1", "--student.width", "4"]
    quick = ["--max-steps", "2", "--batch-size", "12", "--threads", "1", "--tracker", "none", "--out", "run"]
    python([str(ROOT / "recipes" / "dtda.py"), *chosen, *quick], environment, tmp_path)
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


@pytest.mark.parametrize("role", ROLES)
def test_the_project_names_its_entry_point(made, role):
    project = tomllib.loads((made[role] / "pyproject.toml").read_text())
    assert project["project"]["name"] == made[role].name == f"padkit-demo-{role}"
    assert project["project"]["entry-points"] == {"padkit": {f"demo-{role}": f"padkit_demo_{role}"}}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [f"padkit_demo_{role}"]
    files = {path.relative_to(made[role]).as_posix() for path in made[role].rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} == {
        "pyproject.toml",
        "README.md",
        ".gitignore",
        ".github/workflows/test.yaml",
        f"padkit_demo_{role}/__init__.py",
        f"padkit_demo_{role}/{role}.py",
        f"tests/test_padkit_demo_{role}.py",
    }


def test_nothing_of_the_templates_is_left(made):
    texts = [
        path.read_text()
        for folder in made.values()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    assert texts
    for text in texts:
        assert not re.search(r"\{%|(?<!\$)\{\{ ", text)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_the_command_says_what_comes_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["teacher", "demo"]) == 0
    said = capsys.readouterr().out
    for line in ("pip install pytest -e ./padkit-demo", "pytest padkit-demo", "padkit train dtda --teachers.fr demo"):
        assert line in said
    assert [path.name for path in tmp_path.iterdir()] == ["padkit-demo"]


@pytest.mark.parametrize("name", ["", "Demo", "3d", "a b", "a--b", "a-", "../a", "none", "padkit-demo", "é"])
def test_names_that_are_none_are_refused(tmp_path, name):
    with pytest.raises(SettingsError, match="is no name for a teacher; use a-z"):
        write_distribution("teacher", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_left_alone(tmp_path):
    (tmp_path / "padkit-demo").mkdir()
    with pytest.raises(SettingsError, match="padkit-demo exists already; choose another name"):
        write_distribution("teacher", "demo", tmp_path)
    assert list((tmp_path / "padkit-demo").iterdir()) == []


def test_names_that_are_taken_are_refused(tmp_path):
    with pytest.raises(PluginError, match="teacher 'insightface' is offered by padkit already"):
        write_distribution("teacher", "insightface", tmp_path)
    with pytest.raises(PluginError, match="a package padkit_folder is installed already"):
        write_distribution("teacher", "folder", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be written"):
        write_distribution("teacher", "demo", tmp_path / "file")
