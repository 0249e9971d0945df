"""The options of a command, read from the parser that its `--help` would print."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from padkit.catalog import Catalog
from padkit.plugins import OWN_COMMANDS

ROOT = Path(__file__).parents[2]
RECIPES = tuple(sorted(path.stem for path in (ROOT / "recipes").glob("*.py")))
_FACTS = re.compile(r" ?\((?P<needed>required, )?type: (?P<type>.+?)(?:, default: (?P<default>.*))?\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Option:
    """One option or positional argument.

    Attributes:
        flags: What it is called on the command line; none of a positional argument.
        written: Flags and the value's name, as the help writes them.
        type: Of its value, where the help tells it apart from the text.
        default: Likewise; `needed` where there is none.
        text: Its meaning.
    """

    flags: tuple[str, ...]
    written: str
    type: str
    default: str
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Options under one heading."""

    title: str
    description: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Manual:
    """What a parser's help says; `branches` are its subcommands' manuals."""

    usage: str
    description: str
    epilog: str
    groups: tuple[Group, ...]
    branches: dict[str, Manual]

    def flags(self) -> set[str]:
        """Return every option, those of the subcommands included."""
        own = {flag for group in self.groups for option in group.options for flag in option.flags}
        return own.union(*(branch.flags() for branch in self.branches.values()))


class _Asked(BaseException):
    """Carries the manual out of whatever catches exceptions on its way."""

    def __init__(self, manual: Manual) -> None:
        super().__init__()
        self.manual = manual


def manual_of(command: str, words: Sequence[str] = ()) -> Manual | str:
    """Return the manual of a command of padkit, or of a recipe by its file's stem; the help's text if it has no parser.

    Args:
        command: `prepare`, `dtda`, ...
        words: What chooses among parsers: a dataset of `prepare`, components of a recipe.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            _run_help(command, words)
    except _Asked as asked:
        return asked.manual
    return printed.getvalue().strip()


def _manual(parser: argparse.ArgumentParser) -> Manual:
    groups = []
    for group in parser._action_groups:
        shown = [a for a in group._group_actions if a.help != argparse.SUPPRESS and "--help" not in a.option_strings]
        options = tuple(_option(parser, action) for action in shown if _branches(action) is None)
        if options:
            groups.append(Group(group.title or "", group.description or "", options))
    branches = {name: _manual(sub) for a in parser._actions for name, sub in (_branches(a) or {}).items()}
    usage = parser.format_usage().removeprefix("usage: ").rstrip()
    return Manual(usage, parser.description or "", parser.epilog or "", tuple(groups), branches)


def _branches(action: argparse.Action) -> dict[str, argparse.ArgumentParser] | None:
    return dict(action.choices or {}) if isinstance(action, argparse._SubParsersAction) else None


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    formatter = parser._get_formatter()
    written = formatter._format_action_invocation(action)
    written = re.sub(r", --[\w.]+\+ \S+", "", written)  # jsonargparse's way to append; here a list is given whole
    text = " ".join(formatter._expand_help(action).split()) if action.help else ""
    facts = _FACTS.search(text)
    kind, default = (facts["type"], "needed" if facts["needed"] else facts["default"] or "") if facts else ("", "")
    return Option(tuple(action.option_strings), written, kind, default, text[: facts.start()] if facts else text)


def _run_help(command: str, words: Sequence[str]) -> None:
    """Run a command's `--help`; one with a parser raises `_Asked`."""
    line = [*words, "--help"]
    with _asking(), _environment(COLUMNS="88"), contextlib.suppress(SystemExit):
        if command in RECIPES:
            with _arguments([f"{command}.py", *line]):
                _recipe(command).main()
        elif command in OWN_COMMANDS:
            importlib.import_module(OWN_COMMANDS[command][1]).main(line)
        else:
            Catalog().factory("command", command)(line)


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    # Where jsonargparse formats its help it has set up what formatting needs: the manual is read there.
    def asked(parser: argparse.ArgumentParser) -> str:
        raise _Asked(_manual(parser))

    kept: Callable[..., Any] = argparse.ArgumentParser.format_help
    argparse.ArgumentParser.format_help = asked  # type: ignore[method-assign]
    try:
        yield
    finally:
        argparse.ArgumentParser.format_help = kept  # type: ignore[method-assign]


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    kept = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextlib.contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    kept, sys.argv = sys.argv, words
    try:
        yield
    finally:
        sys.argv = kept


def _recipe(stem: str) -> Any:
    name = f"padkit_recipe_{stem}"
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, ROOT / "recipes" / f"{stem}.py")
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
    return sys.modules[name]
