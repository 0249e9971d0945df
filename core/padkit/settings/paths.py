"""Settings that name files: what is there is named from the root of the file system, so that any folder can use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Every component's; others are named by the class attribute `path_settings`.
ALWAYS = ("weights",)


def absolute_paths(factory: Callable[..., Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which relative paths to existing files and folders are absolute; links stay links.

    A run records its settings, and `--resume` and `padkit figures` may be called from another folder. What does not
    exist stays as it was written: an error should show it so, and it may be the name of something else.

    Args:
        factory: The component's class; its attribute `path_settings` names the settings that are paths.
        settings: By name: texts, lists of texts, or anything else.
    """
    named = {*ALWAYS, *getattr(factory, "path_settings", ())}
    return {name: _absolute(value) if name in named else value for name, value in settings.items()}


def _absolute(value: Any) -> Any:
    if isinstance(value, list):
        return [_absolute(one) for one in value]
    if not isinstance(value, str) or not value:
        return value
    try:
        path = Path(value).expanduser()
        return str(path.absolute()) if path.exists() else value
    # A home that is unknown, a name that is too long, or one with a null byte.
    except (OSError, RuntimeError, ValueError):
        return value
