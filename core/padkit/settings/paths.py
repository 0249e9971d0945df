"""Settings that name files: what is there is named from the root of the file system, so that any folder can use it.

Files of settings that padkit brings along have names of their own: `--config photographs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from padkit.errors import SettingsError, closest

PACKAGE = Path(__file__).resolve().parents[1]
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


def recipe_folder() -> Path:
    """Return the folder of the recipes: of the installed package, or of the checkout that it is used from."""
    places = (PACKAGE / "recipes", PACKAGE.parents[1] / "recipes")
    return next((place for place in places if (place / "dtda.py").exists()), places[0])


def settings_file(name: str) -> Path:
    """Return a file of settings by its path, or by the name of one in `recipes/configs`.

    Raises:
        SettingsError: `name` is no path of a file, and none of these names; names the closest.
    """
    path = Path(name).expanduser()
    if path.suffix or len(path.parts) != 1 or path.exists():
        return path
    # Plans of ablations lie there too; only files of settings name no cells.
    known = {file.stem: file for file in sorted((recipe_folder() / "configs").glob("*.yaml")) if _is_settings(file)}
    if name not in known:
        raise SettingsError(f"--config {name} is neither a file nor settings of padkit.{closest(name, known)}")
    return known[name]


def _is_settings(file: Path) -> bool:
    return not any(line.startswith("cells:") for line in file.read_text(encoding="utf-8").splitlines())


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
