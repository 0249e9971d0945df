"""Interprets single values of settings by their type, and makes the error for a wrong value."""

from __future__ import annotations

import re
import typing
from typing import Any, Literal

import yaml

from padkit.errors import SettingsError, closest
from padkit.settings.layers import Bare
from padkit.settings.ranges import alternatives, bare, describe

_FRACTION = re.compile(r"\s*([-+]?\d*\.?\d+)\s*/\s*(\d*\.?\d+)\s*")


def interpret(key: str, value: Any, hint: Any) -> Any:
    """Return `value` as the parser reads it: `4/255` becomes a number; `a,b` and `[a, b]` a list if one is expected.

    Args:
        key: Dotted key, for errors.
        value: What YAML or the command line gave.
        hint: Type of the setting; None if unknown.

    Raises:
        SettingsError: No value, or null where the type does not admit it.
    """
    if hint is None:
        return str(value) if isinstance(value, Bare) else value
    options = _alternatives(hint)
    if isinstance(value, Bare):
        if bool not in options:
            raise SettingsError(f"--{key} needs a value: {describe(hint)}.")
        return True
    if value is None and type(None) not in options and Any not in options:
        raise wrong(key, value, hint)
    if isinstance(value, str) and float in options and str not in options:
        return _fraction(value)
    if isinstance(value, str) and any(typing.get_origin(option) is list for option in options):
        return _split(value)
    return value


def wrong(key: str, value: Any, hint: Any) -> SettingsError:
    """Return the error for a value that the type or its range does not allow."""
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    choices = [c for option in _alternatives(hint) if typing.get_origin(option) is Literal for c in option.__args__]
    guess = closest(value, map(str, choices)).partition(" Known:")[0] if choices and isinstance(value, str) else ""
    quote = str in _alternatives(hint) and not isinstance(value, (str, list, dict)) and value is not None
    remedy = "; put it in quotes" if quote else ""
    return SettingsError(f"setting {key!r}: expected {describe(hint)}, got {shown}{remedy}.{guess}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return tuple(bare(option) for option in alternatives(hint))


def _fraction(text: str) -> Any:
    """Read `4/255` as a number, the usual form of epsilon."""
    match = _FRACTION.fullmatch(text)
    return text if match is None or float(match[2]) == 0 else float(match[1]) / float(match[2])


def _split(text: str) -> Any:
    """Read `[a, b]`, `a,b` and `a` as lists of texts; their items are interpreted by the parser."""
    if text == "null":
        return None
    if text.lstrip().startswith("["):
        try:
            return yaml.load(text, yaml.BaseLoader)  # noqa: S506 - texts only, even safer than a SafeLoader
        except yaml.YAMLError:
            return text
    return [word.strip() for word in text.split(",")] if text.strip() else []
