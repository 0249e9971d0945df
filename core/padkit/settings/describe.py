"""Reads a component's settings from its constructor's signature, for `--help`, the parsers and the docs."""

from __future__ import annotations

import argparse
import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jsonargparse import ArgumentParser

from padkit.settings.ranges import describe


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a component.

    Attributes:
        name: Its name.
        type: Its type in words; "" if the constructor does not state it.
        default: The default as a user writes it; None if there is none and the setting must be given.
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
    """Return a setting's value as a user writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value) or "''"


def add_settings(
    group: Any, place: str | None, factory: Callable[..., Any], without: Iterable[str] = ()
) -> dict[str, Any]:
    """Add a factory's keyword-only parameters as options; return their keys and types (None: unknown).

    Args:
        group: A jsonargparse parser's group.
        place: Prefix of the names, as in `aligner.epsilon`; None adds no prefix.
        factory: A class or a function.
        without: Parameters that are no options.

    Raises:
        Exception: Whatever jsonargparse raises at a signature it cannot read.
    """
    hints = parameter_types(factory)
    add = group.add_class_arguments if isinstance(factory, type) else group.add_function_arguments
    keys: list[str] = add(factory, place, as_group=False, skip={*handed_parameters(factory), *without})
    return {key: hints.get(key.removeprefix(f"{place}.")) for key in keys}


def parameter_types(factory: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a function's or a class's parameters with their ranges, including those of base classes."""
    bases = factory.__mro__[::-1] if isinstance(factory, type) else (factory,)
    hints: dict[str, Any] = {}
    for base in bases:
        function = vars(base).get("__init__") if isinstance(base, type) else base
        if inspect.isfunction(function):
            hints |= typing.get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    return hints


def handed_parameters(factory: Callable[..., Any]) -> set[str]:
    """Return the names of the positional parameters, which padkit passes and which are not settings."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {p.name for p in inspect.signature(factory).parameters.values() if p.kind in kinds}
