"""The help of padkit's commands and of the recipes: its text, its options, and how it looks on a page."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from padkit import cli

RECIPES = {path.stem: path for path in sorted((Path(__file__).parents[2] / "recipes").glob("*.py"))}
WIDTH = "88"  # characters that a page of the site has room for


def help_of(command: str, words: Sequence[str] = ()) -> str:
    """Return what `--help` prints.

    Args:
        command: A command of padkit or the stem of a recipe's file: `prepare`, `dtda`, ...
        words: What decides which help it is: a dataset of `prepare`, components of a recipe.
    """
    printed, line = io.StringIO(), [*words, "--help"]
    with (
        mock.patch.dict(os.environ, COLUMNS=WIDTH),
        mock.patch.object(sys, "argv", [f"{command}.py", *line]),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        if command in RECIPES:
            runpy.run_path(str(RECIPES[command]), run_name="__main__")
        else:
            cli.run([command, *line])
    return printed.getvalue()


def flags(help_text: str) -> set[str]:
    """Return the options that a help lists."""
    return set(re.findall(r"^ {2,4}(?:-\w, )?(--[\w.-]+)", help_text, re.MULTILINE)) - {"--help"}


def as_markdown(help_text: str, level: int = 2) -> str:
    """Return a help with its headings as headings, its indented lines as they are and the others as prose."""
    parts = []
    for part in re.split(r"\n\s*\n", help_text.strip()):
        heading, colon, rest = part.partition(":\n")
        if colon and "\n" not in heading and rest.startswith(" "):
            parts.append(f"{'#' * level} " + (f"`{heading}`" if heading.startswith("-") else heading.capitalize()))
            part = rest
        indented = part.startswith((" ", "usage: "))
        parts.append(f"```text\n{textwrap.dedent(part.rstrip())}\n```" if indented else plain(part))
    return "\n\n".join(parts).replace("\n```\n\n```text\n", "\n\n")


def plain(text: str) -> str:
    """Return a text of docstrings or helps, Markdown but for its `<name>` outside of backticks, as Markdown."""
    return re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", text)
