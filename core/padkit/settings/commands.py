"""Typed options of a command, flat: `padkit prepare folder --root DIR --size 224`."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonargparse import ArgumentParser

from padkit.catalog import handed_parameters
from padkit.errors import PluginError, SettingsError, closest
from padkit.settings.layers import read_line
from padkit.settings.recipes import parameter_types, parse_values, print_help
from padkit.settings.values import final, interpret

Values = dict[str, Any]


def read_options(
    sections: Mapping[str, Callable[..., Any]], argv: Sequence[str], prog: str, *, hidden: Sequence[str] = ()
) -> dict[str, Values]:
    """Read the keyword-only parameters of several classes or functions from one command line.

    A name that an earlier section has already is written with its section before it: `--data.size`. `--help` prints all
    of them, described by the docstrings, and exits.

    Args:
        sections: By name, the first one's docstring describes the command.
        argv: The words.
        prog: What the help calls the command.
        hidden: Parameters that are no options.

    Returns:
        By section: parameter -> value.

    Raises:
        SettingsError: An option is unknown (the closest is named), missing or of the wrong type.
        PluginError: A section's signature cannot be read.
    """
    line = read_line(argv)
    parser = ArgumentParser(
        prog=prog,
        usage=f"{prog} --NAME VALUE ...",
        description=inspect.cleandoc(next(iter(sections.values())).__doc__ or "").partition("\n\n")[0],
        epilog="Dashes serve as underscores.",
        exit_on_error=False,
        add_help=False,
        print_config="",
    )
    owners: dict[str, tuple[str, str]] = {}
    types: Values = {}
    for section, factory in sections.items():
        for key, name, hint in _add(parser, section, factory, {*owners}, {*hidden}):
            owners[key], types[key] = (section, name), hint
    if line.help:
        print_help(parser)
    if line.files:
        raise SettingsError(f"{prog} reads no --config file; write its options on the command line.")
    given = dict(line.entries)
    for key in given:
        if key not in owners:
            raise SettingsError(f"unknown option {key!r} of {prog}.{closest(key, owners)}")
    parsed = parse_values(parser, {key: interpret(key, value, types[key]) for key, value in given.items()}, types)
    for key, value in given.items():
        parsed[key] = final(key, value, parsed[key], types[key])
    values: dict[str, Values] = {section: {} for section in sections}
    for key, (section, name) in owners.items():
        values[section][name] = parsed[key]
    return values


def _add(
    parser: ArgumentParser, section: str, factory: Callable[..., Any], taken: set[str], hidden: set[str]
) -> list[tuple[str, str, Any]]:
    """Add a section's options; return key, parameter and type of each."""
    group = parser.add_argument_group(section)
    try:
        hints = parameter_types(factory)
        add = group.add_class_arguments if isinstance(factory, type) else group.add_function_arguments
        names = {name for name in inspect.signature(factory).parameters if name not in hidden}
        skipped = {*handed_parameters(factory), *hidden}
        plain = add(typing.cast("Any", factory), None, as_group=False, skip={*skipped, *taken})
        clashing = names & taken - skipped
        nested = (
            add(typing.cast("Any", factory), section, as_group=False, skip={*skipped, *(names - clashing)})
            if clashing
            else []
        )
    except Exception as error:  # a plugin's signature may be anything
        reason = " ".join(str(error).split()).rstrip(".")
        raise PluginError(f"the settings of {section!r} cannot be read: {reason}.") from error
    found = [(key, key.removeprefix(f"{section}.") if key in nested else key) for key in [*plain, *nested]]
    return [(key, name, hints.get(name)) for key, name in found]
