"""The environment that a run records: versions, platform, source revision, command, plugins. Imports no torch."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from padkit.plugins import Discovery

LIBRARIES = ("padkit", "torch", "torchvision", "timm", "accelerate", "datasets", "safetensors", "numpy", "scikit-learn")


def describe_environment(discovery: Discovery, hardware: Mapping[str, Any]) -> dict[str, Any]:
    """Return versions, platform, source revision, command and plugin table; `hardware` comes from Accelerate."""
    return {
        "command": [sys.executable, *sys.argv],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "revision": _revision(),
        "hardware": dict(hardware),
        "plugins": [
            {"name": p.name, "distribution": p.distribution, "version": p.version, "problem": p.problem}
            for p in discovery.plugins
        ],
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _revision() -> str:
    """Return the git revision of the source tree, with `+` if it has changes; "" for an installed wheel."""
    folder = Path(__file__).parent
    try:
        head = _git("rev-parse", "HEAD", folder=folder)
        return head + ("+" if head and _git("status", "--porcelain", "--untracked-files=no", folder=folder) else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603, S607
    return done.stdout.strip()
