"""Typed options of a command, flat: `padkit prepare folder --root DIR --size 224`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonargparse import ArgumentParser

from padkit.errors import PluginError, SettingsError, closest
from padkit.settings.describe import add_settings, handed_parameters
from padkit.settings.layers import read_line
from padkit.settings.parser import make_parser, parse, print_help

Values = dict[str, Any]


def read_options(
    sections: Mapping[str, Callable[..., Any]], argv: Sequence[str], prog: str, *, hidden: Sequence[str] = ()
) -> dict[str, Values]:
    """Read the keyword-only parameters of several classes or functions from one command line.

    If an earlier section has an option of the same name, the section's name is put in front: `--data.size`. `--help`
    prints all of them, described by the docstrings, and exits.

    Args:
        sections: Sections by name; the docstring of the first describes the command.
        argv: The words.
        prog: What the help calls the command.
        hidden: Parameters that are not options.

    Returns:
        By section: parameter -> value.

    Raises:
        SettingsError: An option is unknown (the closest is named), missing or of the wrong type.
        PluginError: A section's signature cannot be read.
    """
    line = read_line(argv)
    described = next(iter(sections.values()))
    parser = make_parser(prog, "--NAME VALUE ...", described, "Dashes serve as underscores.")
    owners: dict[str, tuple[str, str]] = {}
    types: Values = {}
    for section, factory in sections.items():
        for key, name, hint in _add(parser, section, factory, {*owners}, {*hidden}):
            owners[key], types[key] = (section, name), hint
    if line.help:
        print_help(parser, types)
    if line.files:
        raise SettingsError(f"{prog} reads no --config file; write its options on the command line.")
    given = dict(line.entries)
    for key in given:
        if key not in owners:
            raise SettingsError(f"unknown option {key!r} of {prog}.{closest(key, owners)}")
    parsed = parse(parser, given, types)
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
        names = {*inspect.signature(factory).parameters} - hidden - handed_parameters(factory)
        clashing = names & taken
        plain = add_settings(group, None, factory, hidden | taken)
        nested = add_settings(group, section, factory, hidden | names - clashing) if clashing else {}
    except Exception as error:  # a plugin's signature may be anything
        reason = " ".join(str(error).split()).rstrip(".")
        raise PluginError(f"the settings of {section!r} cannot be read: {reason}.") from error
    found = [(key, key, hint) for key, hint in plain.items()]
    return found + [(key, key.removeprefix(f"{section}."), hint) for key, hint in nested.items()]
