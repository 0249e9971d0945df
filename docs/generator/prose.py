"""Texts of help and docstrings as Markdown."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator

import docstring_parser


def escaped(text: str) -> str:
    """Return plain text, `code` in backticks kept, as Markdown that shows it unchanged."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    text = re.sub(r"([\\*_#\[\]])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cell(text: str) -> str:
    """Return plain text for a table's cell."""
    return escaped(text).replace("|", "&#124;")


def blocks(text: str) -> str:
    """Return a text whose indented lines stay as they are, as code, and whose others are paragraphs."""
    found = []
    for kind, marked in itertools.groupby(_marked(text), lambda pair: pair[0]):
        block = "\n".join(line for _, line in marked)
        if kind == "code":
            found.append(f"```text\n{textwrap.dedent(block)}\n```")
        elif kind == "list":
            found.append(escaped(block))
        elif kind == "prose":
            found.append(escaped(" ".join(block.split())))
    return "\n\n".join(found)


def _marked(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each line and the line."""
    kind = "empty"
    for line in text.strip("\n").splitlines():
        if not line.strip():
            kind = "empty"
        elif line.startswith("- "):
            kind = "list"
        elif line.startswith("  "):
            kind = "list" if kind == "list" else "code"  # an item goes on
        else:
            kind = "prose"
        yield kind, line


def docstring(text: str) -> str:
    """Return a Google-style docstring as Markdown: its text, then lists of what it takes, gives and raises."""
    parsed = docstring_parser.parse(text, docstring_parser.DocstringStyle.GOOGLE)
    parts = [blocks("\n\n".join(filter(None, (parsed.short_description, parsed.long_description))))]
    lists: dict[str, list[str]] = {}
    for param in parsed.params:
        title = "Attributes" if param.args[0] == "attribute" else "Arguments"
        names = ", ".join(f"`{name.strip()}`" for name in param.arg_name.split(","))
        lists.setdefault(title, []).append(f"{names}: {_flat(param.description)}")
    if parsed.returns:
        lists["Returns"] = [_flat(parsed.returns.description)]
    if parsed.raises:
        lists["Raises"] = [f"`{one.type_name}`: {_flat(one.description)}" for one in parsed.raises]
    parts += [f"{title}:\n\n" + "\n".join(f"- {item}" for item in items) for title, items in lists.items()]
    return "\n\n".join(filter(None, parts))


def _flat(text: str | None) -> str:
    return escaped(" ".join((text or "").split()))
