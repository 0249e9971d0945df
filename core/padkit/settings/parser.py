"""The jsonargparse parser of recipes and commands: makes it, prints its help and parses values."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from padkit.errors import SettingsError
from padkit.settings.ranges import outside, range_of
from padkit.settings.values import interpret, wrong


def make_parser(prog: str, usage: str, described: object, epilog: str) -> ArgumentParser:
    """Return a parser without options, described by the first paragraph of a docstring."""
    return ArgumentParser(
        prog=prog,
        usage=f"{prog} {usage}",
        description=inspect.cleandoc(described.__doc__ or "").partition("\n\n")[0],
        epilog=epilog,
        exit_on_error=False,
        add_help=False,
        print_config="",
        parser_mode="json",  # read as YAML, `--out "# 1"` would be a comment and `--target ~` null
    )


def print_help(parser: ArgumentParser, types: Mapping[str, Any]) -> NoReturn:
    """Print every option with the range that its type declares, and exit."""
    for action in parser._actions:
        limits = range_of(types.get(action.dest))
        if limits is not None:
            action.help = f"{action.help or ''} Must be {limits}.".lstrip()
    # jsonargparse offers `--name+` to append to a list; here a list is always given completely.
    print(re.sub(r", --[\w.]+\+ \w+", "", parser.format_help()), end="")
    raise SystemExit(0)


def parse(parser: ArgumentParser, given: Mapping[str, Any], types: Mapping[str, Any]) -> Namespace:
    """Return the parsed values of dotted keys.

    Args:
        parser: Knows every key of `given`.
        given: Values from YAML or the command line.
        types: Type of every key; None if unknown.

    Raises:
        SettingsError: A value is missing, of the wrong type, out of its range or not a number (NaN).
    """
    values = {key: interpret(key, value, types[key]) for key, value in given.items()}
    try:
        parsed: Namespace = parser.parse_object(values)
    except ArgumentError as error:
        text = " ".join(str(error).split())
        missing = re.search(r"arguments are required: ([\w.]+)", text)
        if missing:
            raise SettingsError(f"setting {missing[1]!r} is missing; write --{missing[1]} VALUE.") from error
        found = re.search(r'Parser key "([^"]+)"', text)
        if found and types.get(found[1]) is not None and found[1] in values:
            raise wrong(found[1], values[found[1]], types[found[1]]) from error
        raise SettingsError(text) from error
    for key, value in values.items():
        read = parsed.get(key)
        unequal = any(each != each for each in (read if isinstance(read, list) else [read]))  # only NaN is
        if unequal or outside(read, types[key]):
            raise wrong(key, value, types[key])
    return parsed
