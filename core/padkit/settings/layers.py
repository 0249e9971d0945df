"""Reads layers of settings from the command line and from YAML, and merges them.

A layer is a list of dotted keys with values. Merged layers form a tree in which every component is written out:
`{"aligner": {"name": "dat", "weight": "1"}, "teachers": {"fr": {"name": "none"}}, "lr": "1e-3"}`. Values are not
interpreted here.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from padkit.errors import SettingsError, closest
from padkit.settings.paths import settings_file

Tree = dict[str, Any]
Entry = tuple[str, Any]
NONE = "none"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a recipe for one component, or for several by name.

    Attributes:
        role: Role of the component (`teacher`, `aligner`, `student`, `dataset`, `augmentation`).
        default: Component used if the user chooses none, or `none`; for a slot of several components, name ->
            component.
        options: Dataclass of further settings that the recipe adds to the component's own, or None.
        required: Whether `none` is refused.
    """

    role: str
    default: str | Mapping[str, str]
    options: type | None = None
    required: bool = False


class Bare(str):
    """Stands for the value of an option that was written without one: `--strict`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line, split.

    Attributes:
        help: Whether `--help` was given.
        files: Values of `--config`, in order.
        entries: Everything else.
    """

    help: bool
    files: tuple[str, ...]
    entries: tuple[Entry, ...]


def read_line(argv: Sequence[str]) -> CommandLine:
    """Split `--a.b value`, `--a-b=value` and bare `--flag`; dashes in keys become underscores.

    Raises:
        SettingsError: A word belongs to no option.
    """
    entries: list[Entry] = []
    files: list[str] = []
    rest = list(argv)
    wants_help = False
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            wants_help = True
            continue
        key, equals, text = word[2:].partition("=")
        if not word.startswith("--") or not all(key.split(".")):
            raise SettingsError(f"unexpected argument {word!r}; settings are written --name value, lists --name a,b.")
        value: str = text if equals else Bare("true")
        if not equals and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        if key != "config":
            entries.append((key.replace("-", "_"), value))
        elif isinstance(value, Bare) or not value:
            raise SettingsError("--config needs a YAML file.")
        else:
            files.append(value)
    return CommandLine(wants_help, tuple(files), tuple(entries))


def read_file(path: str) -> list[Entry]:
    """Return the settings in a YAML file as dotted keys; the file may nest them or write dotted keys.

    Args:
        path: The file, or the name of one that padkit brings along (`padkit.settings.paths.settings_file`).

    Raises:
        SettingsError: The file cannot be read, is not YAML, holds no mapping or gives a setting twice.
    """
    try:
        loaded = yaml.load(settings_file(path).read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror}; give a YAML file.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"--config {path} is not valid YAML: {_yaml_problem(error)}.") from error
    if loaded is None:
        return []
    if not isinstance(loaded, dict):
        raise SettingsError(f"--config {path} must hold `name: value` lines, not a {type(loaded).__name__}.")
    entries = list(_dotted(loaded))
    seen: set[str] = set()
    for key, _ in entries:
        if not all(key.split(".")):
            raise SettingsError(f"--config {path}: {key!r} is no name of a setting.")
        if key in seen:
            raise SettingsError(f"--config {path} gives {key!r} twice; remove one of the two.")
        seen.add(key)
    return entries


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, which YAML forbids but PyYAML accepts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            text = str(getattr(key, "value", ""))
            if text in seen and text != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{text!r} is given twice", key.start_mark)
            seen.add(text)
        return super().construct_mapping(node, deep)


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"{problem} (line {mark.line + 1})" if mark else problem


def _dotted(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[Entry]:
    for name, value in tree.items():
        key = prefix + ("null" if name is None else str(name)).replace("-", "_")
        if isinstance(value, dict) and value:
            yield from _dotted(value, f"{key}.")
        else:
            yield key, value


def lay_over(tree: Tree, entries: Iterable[Entry], slots: Mapping[str, Slot]) -> Tree:
    """Return `tree` updated by `entries`, with every shorthand (`aligner: dat`, `teachers: none`) written out.

    If a component is replaced by another, the settings of the first are discarded.

    Raises:
        SettingsError: An entry lacks the name of a component.
    """
    layer = _nest((_canonical(key, slots), value) for key, value in entries)
    merged = dict(tree)
    for key, value in layer.items():
        slot = slots.get(key)
        if slot is None:
            merged[key] = value
        elif isinstance(slot.default, str):
            merged[key] = _overlay(merged.get(key, {}), _named(key, value), slot.default)
        else:
            merged[key] = _lay_members(key, merged.get(key, {}), value, slot.default)
    return merged


def _canonical(key: str, slots: Mapping[str, Slot]) -> str:
    """Write `aligner.name` as `aligner` and `teachers.fr.name` as `teachers.fr`, so that the later one wins."""
    slot = slots.get(key.partition(".")[0])
    depth = 0 if slot is None else 2 if isinstance(slot.default, str) else 3
    return key.removesuffix(".name") if len(key.split(".")) == depth else key


def _nest(entries: Iterable[Entry]) -> Tree:
    """Nest dotted keys; if a key has both a value and keys below it, the value is stored beside them under ""."""
    tree: Tree = {}
    for key, value in entries:
        *parents, leaf = key.split(".")
        node = tree
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                child = node[parent] = {"": child}
            node = child
        if isinstance(node.get(leaf), dict):
            node[leaf][""] = value
        else:
            node[leaf] = value
    return tree


def _named(place: str, value: Any) -> Tree:
    """Write out the entry of one component: a name, its settings, or both."""
    settings = dict(value) if isinstance(value, dict) else {"": value}
    if "" not in settings:
        return settings
    name = settings.pop("")
    if isinstance(name, Bare) or name == "":
        raise SettingsError(f"--{place} needs the name of a component, or none.")
    if name == {}:
        return settings
    if name is not None and not isinstance(name, str):
        raise SettingsError(f"{place} must be a component's name or its settings, not {name!r}.")
    # `daa + mixstyle` is `daa+mixstyle`
    return {"name": NONE if name is None else "+".join(part.strip() for part in name.split("+")), **settings}


def _overlay(old: Tree, new: Tree, default: str | None) -> Tree:
    current = old.get("name", default)
    return new if new.get("name", current) != current else _merge(old, new)


def _merge(old: Tree, new: Tree) -> Tree:
    """Return `old` updated by `new`, also within the members of a joined component."""
    merged = old | new
    for key in old.keys() & new.keys():
        if isinstance(old[key], dict) and isinstance(new[key], dict):
            merged[key] = _merge(old[key], new[key])
    return merged


def _lay_members(place: str, old: Tree, value: Any, default: Mapping[str, str]) -> Tree:
    given = dict(value) if isinstance(value, dict) else {"": value}
    kept = given.pop("", {})
    members = {name: _named(f"{place}.{name}", member) for name, member in given.items()}
    present = {name: settings for name, settings in old.items() if settings.get("name") != NONE}
    known = {name: {"name": component} for name, component in default.items()}
    known |= {name: known.get(name, {}) | settings for name, settings in present.items()}
    merged = dict(old)
    if kept != {}:
        wanted = _words(place, kept)
        for word in wanted:
            if word not in known and word not in members:
                raise SettingsError(f"--{place} {word!r} is unknown.{closest(word, [*known, *members, NONE])}")
        merged = {name: settings if name in wanted else {"name": NONE} for name, settings in known.items()}
    for name, member in members.items():
        if member.get("name") == NONE and name not in known:
            raise SettingsError(f"{place}.{name} is none already.{closest(name, known)}")
        merged[name] = _overlay(merged.get(name, {}), member, default.get(name))
    return merged


def _words(place: str, value: Any) -> list[str]:
    if isinstance(value, Bare) or value == "":
        raise SettingsError(f"--{place} needs names, for example {place} a,b, or none.")
    words = value if isinstance(value, list) else re.split(r"[+,]", str(value))
    return [] if value in (None, False, NONE) else [str(word).strip() for word in words]


def flatten(tree: Tree, prefix: str = "") -> Tree:
    """Return dotted key -> value."""
    flat: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}".removesuffix(".")] = value
    return flat
