"""The wheel: what a plain `pip install` brings."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True, timeout=600)
    (built,) = folder.glob("padkit-*.whl")
    return zipfile.ZipFile(built)


def test_the_top_level_is_the_packages_alone(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist() if ".dist-info" not in name}
    plugins = {path.name for path in (ROOT / "plugins").glob("padkit_*")}
    assert plugins
    assert top == {"padkit"} | plugins


def test_recipes_types_and_weights_are_shipped(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    recipes = {f"padkit/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.py")}
    recipes |= {f"padkit/recipes/configs/{path.name}" for path in (ROOT / "recipes" / "configs").glob("*.yaml")}
    assert "padkit/recipes/configs/trial.yaml" in recipes
    weights = {str(path.relative_to(ROOT / "plugins")) for path in (ROOT / "plugins").glob("*/weights/*")}
    assert len(weights) >= 6
    model = {str(path.relative_to(ROOT / "plugins")) for path in (ROOT / "plugins/padkit_experimental/model").iterdir()}
    assert {"padkit_experimental/model/bundle.json", "padkit_experimental/model/model-int8.onnx"} < model
    templates = {f"padkit/templates/{path.name}" for path in (ROOT / "core/padkit/templates").iterdir()}
    assert "padkit/templates/pyproject.toml.j2" in templates
    page = {f"padkit/report/page/page.{kind}" for kind in ("html.j2", "css", "js")}
    assert recipes | weights | model | templates | page | {"padkit/py.typed"} <= names


def test_no_module_is_left_out(wheel: zipfile.ZipFile) -> None:
    """A line of .gitignore that fits a package, such as `runs/`, would take it out of the wheel."""
    roots = [ROOT / "core", ROOT / "plugins"]
    modules = {str(path.relative_to(root)) for root in roots for path in root.rglob("*.py")}
    assert {"padkit/runs/__init__.py", "padkit_daa/aligner.py"} <= modules <= set(wheel.namelist())
    assert not [
        folder for root in roots for folder in root.glob("**/") if has_modules(folder) and not is_package(folder)
    ]


def has_modules(folder: Path) -> bool:
    return any(folder.glob("*.py"))


def is_package(folder: Path) -> bool:
    return (folder / "__init__.py").exists()


def test_a_built_in_is_named_once_by_its_entry_point() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)
    registered = sorted(project["project"]["entry-points"]["padkit"].values())
    assert registered == sorted(path.name for path in (ROOT / "plugins").iterdir() if is_package(path))
    excepted = "\n".join(
        line for line in text.splitlines() if '"recipes.' in line
    )  # pretraining recipes and their plugins
    named, again = (re.findall(r"\bpadkit_[a-z]+", part) for part in (text, excepted))
    assert sorted(named) == sorted([*registered, *again])
    assert "plugins" in project["tool"]["mypy"]["files"]


def test_import_linter_is_given_every_built_in() -> None:
    """Where pyproject.toml says `padkit_*`; .ci/imports.py is what `make lint` runs."""
    expanded = runpy.run_path(str(ROOT / ".ci" / "imports.py"))["expanded"]
    settings = tomllib.loads(expanded((ROOT / "pyproject.toml").read_text()))
    plugins = [*settings["project"]["entry-points"]["padkit"].values()]
    linter = settings["tool"]["importlinter"]
    assert linter["root_packages"] == ["padkit", "recipes", *plugins]
    assert plugins in [contract.get("forbidden_modules") for contract in linter["contracts"]]
    assert plugins in [contract.get("modules") for contract in linter["contracts"]]


def test_constraints_are_plain_and_cover_the_dependencies() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines)
    assert all(name and version for name, version in pinned.items())
    known = {name.lower().replace("_", "-") for name in pinned}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    groups = [one for group in project["dependency-groups"].values() for one in group]
    wanted = [one for one in [*project["project"]["dependencies"], *extras, *groups] if not one.startswith("padkit[")]
    names = {entry.split(">=")[0].split("[")[0].lower().replace("_", "-") for entry in wanted}
    assert names
    assert names <= known
