"""A built-in is a plugin like anybody's: without its entry point it is gone, and copied elsewhere it works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from padkit.catalog import Catalog
from padkit.errors import PluginError
from padkit.plugins import DENY_VARIABLE, discover
from padkit.roles import Aligner

PLUGINS = Path(__file__).parents[1] / "plugins"
POINTS = [point for point in entry_points(group="padkit") if point.dist is not None and point.dist.name == "padkit"]


@pytest.mark.parametrize("removed", POINTS, ids=lambda point: point.name)
def test_without_its_entry_point_a_built_in_is_gone_and_nothing_else(removed: EntryPoint) -> None:
    whole, rest = discover(POINTS), discover([point for point in POINTS if point != removed])
    mine = [found for found in whole.components if found.plugin.name == removed.name]
    assert mine
    assert rest.components == tuple(found for found in whole.components if found not in mine)
    assert [plugin.name for plugin in rest.plugins] == [p.name for p in whole.plugins if p.name != removed.name]
    assert all(plugin.problem == "" for plugin in rest.plugins)
    catalog = Catalog(rest)
    for found in mine:
        assert found.spec.name not in catalog.names(found.role)
        with pytest.raises(PluginError, match=f"unknown {found.role} '{found.spec.name}'"):
            catalog.component(found.role, found.spec.name)


def lay_down(site: Path, package: str) -> None:
    info = site / "padkit_foreign-7.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: padkit-foreign\nVersion: 7.0\n")
    (info / "entry_points.txt").write_text(f"[padkit]\nforeign = {package}\n")
    shutil.copytree(PLUGINS / "padkit_mixstyle", site / package, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A foreign distribution that holds a copy under another package's name, and no word of it changed but that."""
    lay_down(tmp_path, "foreign_styles")
    for path in (tmp_path / "foreign_styles").glob("*.py"):
        path.write_text(path.read_text().replace("padkit_mixstyle", "foreign_styles"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "foreign_styles"
    for name in [name for name in sys.modules if name.partition(".")[0] == "foreign_styles"]:
        del sys.modules[name]


def test_a_copy_in_a_foreign_distribution_works(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DENY_VARIABLE, "padkit:mixstyle")
    catalog = Catalog(discover())
    component = catalog.component("aligner", "mixstyle")
    assert (component.plugin.distribution, component.plugin.version) == ("padkit-foreign", "7.0")
    built = catalog.build("aligner", "mixstyle", {"probability": 1.0}, 3, 6)
    assert isinstance(built, Aligner)
    assert type(built).__module__ == f"{foreign}.aligner"


def test_beside_the_original_a_copy_of_its_name_is_refused(foreign: str) -> None:
    with pytest.raises(PluginError, match="name offered by padkit-foreign:foreign and by padkit:mixstyle"):
        Catalog(discover()).component("aligner", "mixstyle")


def test_a_copy_with_not_a_byte_changed_works(tmp_path: Path) -> None:
    lay_down(tmp_path, "padkit_mixstyle")
    code = "from padkit.catalog import Catalog\nc = Catalog()\na = c.build('aligner', 'mixstyle', {}, 3, 6)\n"
    code += "import inspect\nprint(c.component('aligner', 'mixstyle').plugin.distribution, inspect.getfile(type(a)))"
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path, DENY_VARIABLE: "padkit:mixstyle"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.stdout.split() == ["padkit-foreign", str(tmp_path / "padkit_mixstyle" / "aligner.py")], done.stderr
