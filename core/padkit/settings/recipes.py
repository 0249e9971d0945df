"""Typed settings from YAML and the command line: a recipe's own options plus the settings of the components it names.

`--aligner dat` chooses a component, `--aligner.epsilon 4/255` sets one of its options, `--config FILE` reads YAML of
the same shape, which is what a run saves in `settings.yaml`. Later entries win: defaults, then files in order, then the
command line. Several aligners are joined by `--aligner daa+mixstyle`; `--aligner.daa.epsilon 4/255` then sets a
member's option.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jsonargparse import ArgumentParser, Namespace

from padkit.catalog import JOINED, Catalog, Chosen, members
from padkit.errors import PadkitError, PluginError, SettingsError, closest
from padkit.settings.describe import add_settings, parameter_types
from padkit.settings.layers import NONE, Slot, Tree, flatten, lay_over, read_file, read_line
from padkit.settings.parser import make_parser, parse, print_help
from padkit.settings.paths import absolute_paths

__all__ = ["NONE", "Settings", "Slot", "read_settings"]

Options = TypeVar("Options")
Names = Mapping[str, tuple[str, str]]


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

    def one(self, slot: str) -> Chosen | None:
        """Return the component of a single slot; None if the user chose `none`."""
        return typing.cast("Chosen | None", self.chosen[slot])

    def needed(self, slot: str) -> Chosen:
        """Return the component of a single slot that cannot be `none`."""
        chosen = self.one(slot)
        assert chosen is not None, "the slot is required"
        return chosen

    def many(self, slot: str) -> dict[str, Chosen]:
        """Return the components of a slot of several, by name."""
        return dict(self.chosen[slot])

    def without(self, slot: str) -> Settings[Options]:
        """Return these settings with one slot emptied, as if the user had chosen `none`."""
        chosen, tree = {**self.chosen, slot: None}, {**self.tree, slot: NONE}
        return dataclasses.replace(self, chosen=chosen, tree=tree)


def read_settings(
    recipe: type[Options], slots: Mapping[str, Slot], argv: Sequence[str], catalog: Catalog, prog: str = "recipe"
) -> Settings[Options]:
    """Resolve defaults, `--config` files and command line into settings; `--help` prints every option and exits.

    Args:
        recipe: Dataclass of the recipe's own options, described in its docstring; its class attribute `former` may
            name options that are gone, each with what to write instead.
        slots: The recipe's places for components.
        argv: The command line without the program's name.
        catalog: The components.
        prog: The program's name, for its help.

    Raises:
        SettingsError: Unknown key, wrong type, unreadable file; names the closest key.
        PluginError: Unknown or broken component.
    """
    line = read_line(argv)
    tree: Tree = {}
    for entries in [*map(read_file, line.files), line.entries]:
        tree = lay_over(tree, entries, slots)
    names = _component_names(tree, slots)
    parser, types = _parser(recipe, slots, names, catalog, prog)
    if line.help:
        print_help(parser, types)
    groups = _groups(names)
    given = {key: value for key, value in flatten(_drop_none(tree, slots)).items() if value != {} or key not in groups}
    for key in given:
        if key not in types:
            raise _unknown(key, recipe, types, slots, groups)
    return _resolve(recipe, slots, names, parse(parser, given, types), frozenset(given), catalog)


def _component_names(tree: Tree, slots: Mapping[str, Slot]) -> dict[str, tuple[str, str]]:
    """Return dotted place -> (role, component) in the recipe's order, without empty slots."""
    names: dict[str, tuple[str, str]] = {}
    for slot_name, slot in slots.items():
        asked = tree.get(slot_name, {})
        if isinstance(slot.default, str):
            names[slot_name] = (slot.role, str(asked.get("name", slot.default)))
            if slot.required and names[slot_name][1] == NONE:
                raise SettingsError(f"--{slot_name} cannot be none: this recipe needs a {slot.role}.")
            continue
        for member in [*slot.default, *sorted(asked.keys() - slot.default.keys())]:
            name = asked.get(member, {}).get("name", slot.default.get(member))
            if name is None:
                near = closest(member, slot.default)
                raise SettingsError(
                    f"{slot_name}.{member} names no component; write --{slot_name}.{member} NAME.{near}"
                )
            names[f"{slot_name}.{member}"] = (slot.role, str(name))
    return {place: found for place, found in names.items() if found[1] != NONE}


def _drop_none(tree: Tree, slots: Mapping[str, Slot]) -> Tree:
    """Remove emptied slots; settings for them would have no effect, so they are errors."""
    kept = dict(tree)
    for slot_name in slots.keys() & tree.keys():
        single = isinstance(slots[slot_name].default, str)
        members = {"": tree[slot_name]} if single else dict(tree[slot_name])
        for member, value in list(members.items()):
            place = f"{slot_name}.{member}".rstrip(".")
            if value.get("name") == NONE:
                if len(value) > 1:
                    extra = next(k for k in value if k != "name")
                    raise SettingsError(f"{place} is none, so {place}.{extra} has no effect; remove one of the two.")
                del members[member]
            elif not value:
                del members[member]
        kept[slot_name] = members.get("", {}) if single else members
    return {key: value for key, value in kept.items() if key not in slots or value}


def _groups(names: Names) -> dict[str, tuple[str, str]]:
    """Return `names`, and for joined components the places of their members."""
    return {
        f"{place}.{member}".rstrip("."): (role, component)
        for place, (role, name) in names.items()
        for member, component in {"": name, **members(role, name)}.items()
    }


def _unknown(
    key: str, recipe: type, types: Mapping[str, Any], slots: Mapping[str, Slot], groups: Names
) -> SettingsError:
    """Return the error of an unknown key, with the keys of the nearest group above it."""
    group = max((place for place in groups if key.startswith(f"{place}.")), key=len, default="")
    rest = key.removeprefix(f"{group}.")
    former: Mapping[str, str] = getattr(recipe, "former", {})
    if key in former:
        return SettingsError(f"setting {key!r} is gone; remove it and write {former[key]}.")
    if not group:
        near = [known for known in types if "." not in known]
        return SettingsError(f"unknown setting {key!r}.{closest(_misspelt(rest, [*near, *slots]), [*near, *slots])}")
    role, name = groups[group]
    near = [known.removeprefix(f"{group}.") for known in types if known.startswith(f"{group}.")]
    wanted = rest if "" not in members(role, name) else _misspelt(rest, near)
    return SettingsError(f"unknown setting {key!r} of {role} {name!r}.{closest(wanted, near, f'{group}.')}")


def _misspelt(key: str, known: Sequence[str]) -> str:
    """Return the part of a dotted key that is to be compared: its first, unless that one is known."""
    first = key.partition(".")[0]
    return key if first in known else first


def _parser(
    recipe: type, slots: Mapping[str, Slot], names: Names, catalog: Catalog, prog: str
) -> tuple[ArgumentParser, dict[str, Any]]:
    """Return the parser of exactly the chosen components and the type of every key."""
    epilog = "--config FILE reads the same settings from YAML; the command line wins. Dashes serve as underscores."
    parser = make_parser(prog, "[--config FILE] [--NAME VALUE ...]", recipe, epilog)
    own = parser.add_argument_group("settings of the recipe")
    own.add_class_arguments(recipe, None, as_group=False)
    types: dict[str, Any] = dict(parameter_types(recipe))
    for slot_name, slot in slots.items():
        places = {place: name for place, (_, name) in names.items() if place.partition(".")[0] == slot_name}
        for place, name in places.items():
            types |= _add_component(parser, place, slot, name, catalog)
        if not places:
            parser.add_argument_group(f"--{slot_name} {NONE}", _alternatives(slot, catalog))
    return parser, types


def _alternatives(slot: Slot, catalog: Catalog) -> str:
    several = ", or several joined by +" if slot.role in JOINED else ""
    return f"{slot.role}: one of {', '.join([*catalog.names(slot.role), *([] if slot.required else [NONE])])}{several}"


def _add_component(parser: ArgumentParser, place: str, slot: Slot, name: str, catalog: Catalog) -> dict[str, Any]:
    """Add the options of one component or of its joined members; return their keys and types (None: unknown)."""
    try:
        factories = {key: (part, catalog.factory(slot.role, part)) for key, part in members(slot.role, name).items()}
    except PadkitError as error:
        raise type(error)(f"--{place}: {error}") from error
    group = parser.add_argument_group(f"--{place} {name}", _alternatives(slot, catalog))
    group.add_argument(f"--{place}.name", type=str, default=name, help=f"the same as --{place}")
    types: dict[str, Any] = {f"{place}.name": str}
    if slot.options is not None:
        group.add_class_arguments(slot.options, place, as_group=False)
        types |= {f"{place}.{key}": hint for key, hint in parameter_types(slot.options).items()}
    for key, (part, factory) in factories.items():
        where = f"{place}.{key}".rstrip(".")
        if key:
            summary = catalog.component(slot.role, part).summary
            group = parser.add_argument_group(f"--{where}, of --{place} {name}", summary)
        try:
            types |= add_settings(group, where, factory)
        except Exception as error:  # a plugin's signature may be anything
            reason = " ".join(str(error).split()).rstrip(".")
            raise PluginError(f"--{place}: the settings of {slot.role} {part!r} cannot be read: {reason}.") from error
    return types


def _resolve(
    recipe: type[Options],
    slots: Mapping[str, Slot],
    names: Mapping[str, tuple[str, str]],
    parsed: Namespace,
    given: frozenset[str],
    catalog: Catalog,
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
        if "" in members(role, name):
            values = absolute_paths(catalog.factory(role, name), values)
        kept = slots[slot_name].options
        mine = {f.name: values[f.name] for f in dataclasses.fields(kept)} if kept else {}
        settings = {k: v for k, v in values.items() if k not in mine}
        choice = Chosen(role, name, settings, kept(**mine) if kept else None)
        if member:
            chosen[slot_name][member] = choice
            saved[slot_name][member] = {"name": name, **values}
        else:
            chosen[slot_name] = choice
            saved[slot_name] = {"name": name, **values}
    return Settings(recipe(**own), chosen, given, saved)
