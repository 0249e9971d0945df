"""The wheel: what a plain `pip install` brings."""

from __future__ import annotations

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
    assert "padkit/recipes/configs/evidence.yaml" in recipes
    weights = {str(path.relative_to(ROOT / "plugins")) for path in (ROOT / "plugins").glob("*/weights/*")}
    assert len(weights) >= 6
    templates = {f"padkit/templates/{path.name}" for path in (ROOT / "core/padkit/templates").iterdir()}
    assert "padkit/templates/pyproject.toml.j2" in templates
    page = {f"padkit/report/page/page.{kind}" for kind in ("html.j2", "css", "js")}
    assert recipes | weights | templates | page | {"padkit/py.typed"} <= names


def test_every_plugin_is_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    registered = set(project["project"]["entry-points"]["padkit"].values())
    assert registered == {path.name for path in (ROOT / "plugins").glob("padkit_*")}


def test_constraints_are_plain_and_cover_the_dependencies() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines)
    assert all(name and version for name, version in pinned.items())
    known = {name.lower().replace("_", "-") for name in pinned}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {entry.split(">=")[0].split("[")[0].lower().replace("_", "-") for entry in wanted}
    assert names
    assert names <= known
