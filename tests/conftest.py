"""What every test needs: no network, no cache outside the test run, few threads, and installed-looking plugins."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Slow machines fail nothing, and what passes once passes again.
settings.register_profile("padkit", deadline=None, derandomize=True, database=None)
settings.load_profile("padkit")

# Set before any test module imports a library that reads them.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_OFFLINE="1", OMP_NUM_THREADS="1")
os.environ["PADKIT_THREADS"] = "1"  # also of recipes and commands that tests start
for variable in ("PADKIT_PLUGINS_ALLOW", "PADKIT_PLUGINS_DENY", "PADKIT_TRACEBACK"):
    os.environ.pop(variable, None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the processes of `make test`: one for each core that affinity and container allow, with one thread each.

    What else runs on the machine is left out: processes with one thread do not wait for each other.
    """
    from padkit.processes import cores

    return min(cores(), 8)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prepare datasets anew, in a folder that goes away."""
    before = os.environ.get("PADKIT_CACHE")
    os.environ["PADKIT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("PADKIT_CACHE")
    if before is not None:
        os.environ["PADKIT_CACHE"] = before


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Lay a distribution with one plugin module down as pip would, on `sys.path` for the time of the test.

    `install("padkit-good", "good", SOURCE)` is a distribution `padkit-good` 1.2 with the entry point `good = good`.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def lay_down(distribution: str, point: str, source: str, module: str = "") -> Path:
        module = module or point
        (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[padkit]\n{point} = {module}\n", encoding="utf-8")
        return site

    yield lay_down
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(site)):
            del sys.modules[name]
