"""What settings a component has, read from its constructor as `--help` reads it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jsonargparse import ArgumentParser

from padkit.settings.recipes import add_settings
from padkit.settings.values import describe


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a component.

    Attributes:
        name: Its name.
        type: What it admits, in words; "" where the constructor does not say.
        default: As one writes it; None where there is none and it must be given.
        text: Its description, on one line.
    """

    name: str
    type: str
    default: str | None
    text: str


def described_settings(factory: Callable[..., Any]) -> list[Setting]:
    """Return the settings of the component that `factory` (a class or function) makes, in their order.

    Raises:
        Exception: Whatever jsonargparse raises at a signature it cannot read.
    """
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    types = add_settings(parser.add_argument_group("settings"), "it", factory)
    found = []
    for action in parser._actions:
        hint = types.get(action.dest)
        if action.dest in types:
            known = "" if hint is None else describe(hint)
            text = "" if action.help in (None, argparse.SUPPRESS) else " ".join(str(action.help).split())
            default = None if action.required else shown(action.default)
            found.append(Setting(action.dest.removeprefix("it."), known, default, text))
    return found


def shown(value: Any) -> str:
    """Return a setting's value as one writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value) or "''"
