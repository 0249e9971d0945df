"""Typed settings from YAML and the command line: a recipe's own options plus the settings of the components it names.

`--aligner dat` chooses a component, `--aligner.epsilon 4/255` sets one of its options, `--config FILE` reads YAML
of the same shape, which is what a run saves in `settings.yaml`. Later wins: defaults, files in order, command line.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from padkit.catalog import Catalog, Choice, handed_parameters
from padkit.errors import SettingsError, closest

Options = TypeVar("Options")
Tree = dict[str, Any]
NONE = "none"
_FRACTION = re.compile(r"([0-9.]+)/([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a recipe for one component, or for several by name.

    Attributes:
        role: Role of the component (`teacher`, `aligner`, `student`, `dataset`).
        default: Component chosen without being asked; for a slot of several, name -> component.
        options: Dataclass of further settings the recipe keeps beside the component's own, or None.
        required: Whether `none` is refused.
    """

    role: str
    default: str | Mapping[str, str]
    options: type | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Settings(Generic[Options]):
    """The resolved settings of a run.

    Attributes:
        recipe: The recipe's own options.
        chosen: Slot -> component, or slot -> name -> component; `none` leaves a slot empty (None).
        given: Dotted keys that a file or the command line set.
        tree: Everything as nested plain values, ready for YAML and for `--config`.
    """

    recipe: Options
    chosen: Mapping[str, Any]
    given: frozenset[str]
    tree: Tree

    def one(self, slot: str) -> Choice | None:
        """Return the component of a single slot, None where the user said `none`."""
        return typing.cast("Choice | None", self.chosen[slot])

    def many(self, slot: str) -> dict[str, Choice]:
        """Return the components of a slot of several, by name."""
        return dict(self.chosen[slot])


def read_settings(
    recipe: type[Options], slots: Mapping[str, Slot], argv: Sequence[str], catalog: Catalog, prog: str = "recipe"
) -> Settings[Options]:
    """Resolve defaults, `--config` files and command line into settings; `--help` prints every option and exits.

    Raises:
        SettingsError: Unknown key, wrong type, unreadable file; names the closest key.
        PluginError: Unknown or broken component.
    """
    wants_help, tokens = _tokens(argv)
    layers = [_file_tree(value) for key, value in tokens if key == "config"]
    layers.append(_line_tree([(key, value) for key, value in tokens if key != "config"]))
    tree: Tree = {}
    for layer in layers:
        tree = _merge(tree, _expand(layer, slots), slots)
    names = _component_names(tree, slots)
    parser, types = _parser(recipe, slots, names, catalog, prog)
    if wants_help:
        parser.print_help()
        raise SystemExit(0)
    given = _flatten(_drop_none(tree, slots))
    for key in given:
        if key not in types:
            group = key.rpartition(".")[0]
            near = [known for known in types if known.rpartition(".")[0] == group]
            raise SettingsError(f"unknown setting {key!r}.{closest(key, near or types)}")
    values = {k: _fraction(v) if types[k] in (float, "float") else v for k, v in given.items()}
    parsed = _parse(parser, values)
    return _resolve(recipe, slots, names, parsed, frozenset(given))


def _tokens(argv: Sequence[str]) -> tuple[bool, list[tuple[str, str]]]:
    """Split `--a.b value`, `--a-b=value` and bare `--flag` into key and value; dashes in keys mean underscores."""
    pairs: list[tuple[str, str]] = []
    rest = list(argv)
    wants_help = False
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            wants_help = True
            continue
        if not word.startswith("--") or word == "--":
            raise SettingsError(f"unexpected argument {word!r}; settings are written --name value.")
        key, equals, value = word[2:].partition("=")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        pairs.append((key.replace("-", "_"), value))
    return wants_help, pairs


def _file_tree(path: str) -> Tree:
    try:
        loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror}; give a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingsError(f"--config {path} must hold `name: value` lines, not a {type(loaded).__name__}.")
    return {str(key).replace("-", "_"): value for key, value in loaded.items()}


def _line_tree(tokens: list[tuple[str, str]]) -> Tree:
    """Nest dotted keys; `--aligner dat --aligner.weight 1` keeps the name beside the options, under the key ""."""
    tree: Tree = {}
    for key, value in tokens:
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


def _expand(layer: Tree, slots: Mapping[str, Slot]) -> Tree:
    """Write every shorthand (`aligner: dat`, `teachers: fr+fe`, `teachers: none`) out as `{name: ...}`."""
    expanded = dict(layer)
    for slot_name in slots.keys() & layer.keys():
        value, slot = layer[slot_name], slots[slot_name]
        if isinstance(slot.default, str):
            expanded[slot_name] = _named(slot_name, value)
            continue
        members = dict(value) if isinstance(value, dict) else {"": value}
        kept = members.pop("", None)
        entries: Tree = {name: _named(f"{slot_name}.{name}", member) for name, member in members.items()}
        if kept is not None or value is None:
            wanted = [] if kept in (None, NONE) else [w.strip() for w in re.split(r"[+,]", str(kept))]
            for word in wanted:
                if word not in slot.default:
                    raise SettingsError(f"{slot_name} {word!r} has no default.{closest(word, slot.default)}")
            for name in slot.default:
                entries.setdefault(name, {"name": slot.default[name] if name in wanted else NONE})
        expanded[slot_name] = entries
    return expanded


def _named(key: str, value: Any) -> Tree:
    if value is None or value is False:
        return {"name": NONE}
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict):
        named = {str(k).replace("-", "_"): v for k, v in value.items()}
        if "" in named:
            named["name"] = named.pop("")
        return named
    raise SettingsError(f"{key} must be a component's name or its settings, not {value!r}.")


def _merge(low: Tree, high: Tree, slots: Mapping[str, Slot]) -> Tree:
    """Overlay `high` on `low`; another component's name discards the settings of the one it replaces."""
    merged = dict(low)
    for key, value in high.items():
        slot = slots.get(key)
        old = merged.get(key)
        if slot is None or not isinstance(old, dict):
            merged[key] = value
        elif isinstance(slot.default, str):
            merged[key] = _overlay(old, value)
        else:
            merged[key] = old | {name: _overlay(old.get(name, {}), member) for name, member in value.items()}
    return merged


def _overlay(old: Tree, new: Tree) -> Tree:
    return new if new.get("name", old.get("name")) != old.get("name") else old | new


def _component_names(tree: Tree, slots: Mapping[str, Slot]) -> dict[str, tuple[str, str]]:
    """Return dotted place -> (role, component), empty slots left out."""
    names: dict[str, tuple[str, str]] = {}
    for slot_name, slot in slots.items():
        asked = tree.get(slot_name, {})
        if isinstance(slot.default, str):
            names[slot_name] = (slot.role, str(asked.get("name", slot.default)))
            if slot.required and names[slot_name][1] == NONE:
                raise SettingsError(f"--{slot_name} cannot be 'none': this recipe needs a {slot.role}.")
            continue
        for member in slot.default.keys() | asked.keys():
            name = asked.get(member, {}).get("name", slot.default.get(member))
            if name is None:
                raise SettingsError(f"{slot_name}.{member} names no component; write {slot_name}.{member} NAME.")
            names[f"{slot_name}.{member}"] = (slot.role, str(name))
    return {place: found for place, found in sorted(names.items()) if found[1] != NONE}


def _drop_none(tree: Tree, slots: Mapping[str, Slot]) -> Tree:
    """Remove emptied slots; settings given for them would silently do nothing, so those are errors."""
    kept = dict(tree)
    for slot_name in slots.keys() & tree.keys():
        single = isinstance(slots[slot_name].default, str)
        members = {"": tree[slot_name]} if single else dict(tree[slot_name])
        for member, value in list(members.items()):
            place = f"{slot_name}.{member}".rstrip(".")
            if value.get("name") == NONE:
                if len(value) > 1:
                    extra = next(k for k in value if k != "name")
                    raise SettingsError(f"{place} is 'none', so {place}.{extra} has no effect; remove one of the two.")
                del members[member]
        kept[slot_name] = members.get("", {}) if single else members
    return kept


def _parser(
    recipe: type, slots: Mapping[str, Slot], names: Mapping[str, tuple[str, str]], catalog: Catalog, prog: str
) -> tuple[ArgumentParser, dict[str, Any]]:
    """Return the parser of exactly the chosen components and the type of every key."""
    parser = ArgumentParser(
        prog=prog,
        description=inspect.cleandoc(recipe.__doc__ or "").split("\n\n")[0],
        exit_on_error=False,
        add_help=False,
        print_config="",
    )
    parser.add_class_arguments(recipe, None)
    types: dict[str, Any] = dict(typing.get_type_hints(recipe))
    for place, (role, name) in names.items():
        factory = catalog.factory(role, name)
        known = ", ".join(catalog.names(role))
        parser.add_argument(f"--{place}.name", type=str, default=name, help=f"{role}: one of {known}")
        types[f"{place}.name"] = str
        options = slots[place.split(".")[0]].options
        skip = handed_parameters(factory)
        if options is not None:
            parser.add_class_arguments(options, place, as_group=False)
            types |= {f"{place}.{f.name}": t for f, t in _field_types(options)}
        parser.add_class_arguments(typing.cast("type", factory), place, skip=skip)
        types |= {f"{place}.{k}": t for k, t in _parameter_types(factory).items() if k not in skip}
    return parser, types


def _field_types(options: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(options)
    return [(f, hints[f.name]) for f in dataclasses.fields(options)]


def _parameter_types(factory: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(vars(factory)["__init__"] if isinstance(factory, type) else factory)
    hints.pop("return", None)
    return hints


def _flatten(tree: Tree, prefix: str = "") -> Tree:
    flat: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _nest(flat: Tree) -> Tree:
    """Undo `_flatten`."""
    nested: Tree = {}
    for key, value in flat.items():
        *parents, leaf = key.split(".")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return nested


def _fraction(value: Any) -> Any:
    """Read `4/255` as a number; epsilon is always written so."""
    match = _FRACTION.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[2]) == 0:
        return value
    return float(match[1]) / float(match[2])


def _parse(parser: ArgumentParser, values: Tree) -> Namespace:
    try:
        parsed: Namespace = parser.parse_object(_nest(values))
    except ArgumentError as error:
        text = " ".join(str(error).split())
        found = re.search(r'Parser key "([^"]+)": (.*)', text)
        if found:
            wanted = re.sub(r"<class '(\w+)'>|typing\.", lambda m: m[1] or "", found[2])
            raise SettingsError(f"setting {found[1]!r}: {wanted}") from error
        raise SettingsError(text) from error
    return parsed


def _resolve(
    recipe: type[Options],
    slots: Mapping[str, Slot],
    names: Mapping[str, tuple[str, str]],
    parsed: Namespace,
    given: frozenset[str],
) -> Settings[Options]:
    tree = parsed.as_dict()
    own = {f.name: tree[f.name] for f in dataclasses.fields(typing.cast("Any", recipe))}
    chosen: dict[str, Any] = {name: None if isinstance(slot.default, str) else {} for name, slot in slots.items()}
    saved: Tree = dict(own)
    for slot_name, slot in slots.items():
        saved[slot_name] = NONE if isinstance(slot.default, str) else dict.fromkeys(slot.default, NONE)
    for place, (role, name) in names.items():
        slot_name, _, member = place.partition(".")
        values = dict(tree[slot_name][member] if member else tree[slot_name])
        values.pop("name")
        kept = slots[slot_name].options
        mine = {f.name: values[f.name] for f in dataclasses.fields(kept)} if kept else {}
        settings = {k: v for k, v in values.items() if k not in mine}
        choice = Choice(role, name, settings, kept(**mine) if kept else None)
        if member:
            chosen[slot_name][member] = choice
            saved[slot_name][member] = {"name": name, **values}
        else:
            chosen[slot_name] = choice
            saved[slot_name] = {"name": name, **values}
    return Settings(recipe(**own), chosen, given, saved)
