"""import-linter over padkit and every built-in: where pyproject.toml says `padkit_*`, its entry points are meant."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from pathlib import Path

from importlinter.cli import lint_imports

SETTINGS = Path(__file__).parents[1] / "pyproject.toml"


def expanded(settings: str) -> str:
    """Return pyproject.toml's text with the names of all built-in plugins for the wildcard `padkit_*`."""
    plugins = tomllib.loads(settings)["project"]["entry-points"]["padkit"].values()
    return settings.replace('"padkit_*"', ", ".join(f'"{name}"' for name in plugins))


if __name__ == "__main__":
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".toml") as file:
        file.write(expanded(SETTINGS.read_text(encoding="utf-8")))
        file.flush()
        sys.exit(lint_imports(config_filename=file.name, no_logo=True))
