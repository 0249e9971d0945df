"""The hook reference: hooks, records and roles with their exact signatures, from the code."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import docstring_parser

from generator.prose import docstring, escaped
from padkit import hookspecs
from padkit.plugins import ROLES
from padkit.specs import ComponentSpec

# What a plugin's author implements or is handed, in the order of a batch's walk.
CLASSES = (
    "padkit.data.reader:DatasetReader",
    "padkit.data.native:NativeReader",
    "padkit.data.presentation:Presentation",
    "padkit.data.presentation:FaceHint",
    "padkit.data.presentation:Division",
    "padkit.data.augmentation:Augmentation",
    "padkit.roles:Student",
    "padkit.roles:Teacher",
    "padkit.roles:Aligner",
    "padkit.roles:Batch",
    "padkit.roles:Features",
    "padkit.roles:StudentFeatures",
)
INTRODUCTION = """\
# Hooks, records and roles

Made from the code when this site is built; a test compares it with the signatures. A plugin is an installed package
with an entry point in group `padkit`, whose module implements any of the hooks with `@padkit.hookspecs.hookimpl`:

```toml
[project.entry-points.padkit]
mine = "my_package"
```

Hooks take no arguments and return lists of records. A record names a component and where its class is; records grow by
fields with defaults only, so that yesterday's plugins work with tomorrow's padkit.
"""


class _Bare:
    """An annotation that is shown as it was written, without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Hooks"]
    for name, _ in ROLES.values():
        hook = getattr(hookspecs, name)
        parts += [f"### `{name}{signature(hook)}`", docstring(inspect.getdoc(hook) or "")]
    parts += ["## Records", "All of `padkit.specs`, all with the fields of `ComponentSpec`, all given by keyword."]
    parts += [f"### `ComponentSpec`\n\n{_fields(ComponentSpec)}"]
    for _, record in ROLES.values():
        parts += [f"### `{record.__name__}`", docstring(inspect.getdoc(record) or "")]
    parts.append("## Roles and what they are handed")
    for address in CLASSES:
        module, _, name = address.partition(":")
        parts += [f"### `{name}`", f"`{module}.{name}`", *_described(getattr(importlib.import_module(module), name))]
    return "\n\n".join(parts) + "\n"


def signature(function: Callable[..., Any]) -> str:
    """Return a function's parameters and result as its source writes them."""
    found = inspect.signature(function)
    parameters = [
        p.replace(annotation=_Bare(p.annotation)) if isinstance(p.annotation, str) else p
        for p in found.parameters.values()
    ]
    result = found.return_annotation
    bare = _Bare(result) if isinstance(result, str) else result
    return str(found.replace(parameters=parameters, return_annotation=bare))


def _fields(record: type) -> str:
    """Return a dataclass's fields, each with type, default and meaning."""
    parsed = docstring_parser.parse(inspect.getdoc(record) or "", docstring_parser.DocstringStyle.GOOGLE)
    meaning = {param.arg_name: " ".join((param.description or "").split()) for param in parsed.params}
    lines = []
    for field in dataclasses.fields(record):
        default = "needed" if field.default is dataclasses.MISSING else f"default `{field.default!r}`"
        lines.append(f"`{field.name}: {field.type}`\n:   {escaped(meaning.get(field.name, ''))} *({default})*")
    return "\n\n".join([escaped(parsed.short_description or ""), *lines])


def _described(found: type) -> Iterator[str]:
    """Yield a class's own text and each of its public methods."""
    if dataclasses.is_dataclass(found):
        yield _fields(found)
        return
    yield docstring(inspect.getdoc(found) or "")
    tree = ast.parse(inspect.getsource(found)).body[0]
    assert isinstance(tree, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__call__"):
            method = getattr(found, node.name)
            needed = " *Must be implemented.*" if getattr(method, "__isabstractmethod__", False) else ""
            shown = signature(method).replace("(self, ", "(", 1).replace("(self)", "()", 1)
            yield f"#### `{node.name}{shown}`\n\n{docstring(inspect.getdoc(method) or '')}{needed}"
