"""Recipes as modules: they are scripts, found by their path."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@contextmanager
def recipe_module(stem: str) -> Iterator[Any]:
    """Execute recipes/<stem>.py; Python knows its module, as `recipe_<stem>`, until the block ends."""
    specification = importlib.util.spec_from_file_location(f"recipe_{stem}", ROOT / "recipes" / f"{stem}.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    try:
        specification.loader.exec_module(module)
        yield module
    finally:
        sys.modules.pop(specification.name, None)
        # The ablation's own.
        for name in ("dtda", "random_features"):
            sys.modules.pop(f"padkit_recipe_{name}", None)
