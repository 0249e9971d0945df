"""Guesses what the levels of a folder tree mean, as `<domain>/<split>/<label>[/<attack type>]/...`, or refuses it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from padkit.data.labels import LabelValues, is_number, plain
from padkit.data.presentation import ATTACK
from padkit.errors import DataError, closest
from padkit_folder.layout import suggested
from padkit_folder.names import SPLIT_NAMES

ABOVE = 2  # most levels above a label: domain and split
MOST = 3  # names that a warning shows


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders above a file say: `value` is the label's folder; "" where nothing is said."""

    value: str
    label: int
    domain: str = ""
    split: str = ""
    attack_type: str = ""


def guess(root: Path, paths: Sequence[Path], values: LabelValues) -> tuple[list[Place], list[str]]:
    """Return the place of every file, and warnings.

    Words go before numbers: if any path has a label word, or the user states words, numbers name no labels. Names that
    stand below both labels (persons, sessions) are no attack types.

    Raises:
        DataError: A path has no label, or several folders that may be it; the error shows how to state the layout.
    """
    trees = [path.relative_to(root).parts[:-1] for path in paths]
    places, below = [], []
    for path, folders, level in zip(paths, trees, _label_levels(root, trees, paths, values), strict=True):
        if level is None or values.meaning(folders[level]) is None:
            raise _no_label(root, path, folders, values)
        places.append(_place(root, path, folders, level, values))
        below.append(folders[level + 1 :])
    above = [tree[: -len(rest) or None] for tree, rest in zip(trees, below, strict=True)]
    return _without_persons(places, below, above)


def _label_levels(
    root: Path, trees: Sequence[tuple[str, ...]], paths: Sequence[Path], values: LabelValues
) -> list[int | None]:
    """Return the level of each path's folder that names a label, None where no folder does."""
    named = [[level for level, name in enumerate(folders) if values.names_label(name)] for folders in trees]
    words = [
        [level for level in levels if not is_number(plain(folders[level])) and not _again(folders, level)]
        for folders, levels in zip(trees, named, strict=True)
    ]
    own = values.words_stated and not values.numbers_stated
    by_word = own or any(words)
    levels = words if by_word else named
    for path, folders, found in zip(paths, trees, levels, strict=True):
        if len(found) > 1:
            raise _open(path, folders, found[0], found[1])
    if own:
        return _own_level(root, trees, paths, levels, values)
    if not by_word and len({found[0] for found in levels if found}) > 1:
        numbers = {found[0]: path for path, found in zip(paths, levels, strict=True) if found}
        one, other = list(numbers.values())[:2]
        raise DataError(
            f"Numbers name labels at different levels of {one} and {other}; state the layout, for example "
            f"{_suggestion(trees[paths.index(numbers[max(numbers)])], max(numbers))}."
        )
    return [found[0] if found else None for found in levels]


def _again(folders: Sequence[str], level: int) -> bool:
    """Return whether a folder repeats the name of the one above it: archives unpack to `live/live/`."""
    return level > 0 and plain(folders[level]) == plain(folders[level - 1])


def _own_level(
    root: Path,
    trees: Sequence[tuple[str, ...]],
    paths: Sequence[Path],
    levels: Sequence[Sequence[int]],
    values: LabelValues,
) -> list[int | None]:
    """Return the level where the user's own words for bona fide stand: there every other name is an attack."""
    stated = {level for folders in trees for level, name in enumerate(folders) if plain(name) in values.stated}
    if len(stated) != 1:
        names = ",".join(values.stated)
        found = "names no folder" if not stated else "names folders of different levels"
        raise DataError(f"{values.option} {names} {found} below {root}; check the names, or state --data.layout.")
    level = stated.pop()
    for path, folders, known in zip(paths, trees, levels, strict=True):
        if known and known[0] != level < len(folders):
            raise _open(path, folders, *sorted((known[0], level)))
    return [level if level < len(folders) else None for folders in trees]


def _open(path: Path, folders: tuple[str, ...], first: int, second: int) -> DataError:
    return DataError(
        f"Folders {folders[first]!r} and {folders[second]!r} in the path of {path} may both name the label; state the "
        f"layout, for example {_suggestion(folders, second)}."
    )


def _place(root: Path, path: Path, folders: tuple[str, ...], level: int, values: LabelValues) -> Place:
    value, above, below = folders[level], folders[:level], folders[level + 1 :]
    for name in below:
        if name.lower() in SPLIT_NAMES:
            raise DataError(
                f"Split folder {name!r} lies below label folder {value!r} ({path}); write <domain>/<split>/<label>/... "
                f"or a layout, for example {_suggestion(folders, level)}."
            )
    if len(above) > ABOVE:
        raise DataError(
            f"Label folder {value!r} lies {level + 1} levels deep ({path}); expected <domain>/<split>/<label>/... or a "
            f"layout, for example {_suggestion(folders, level)}."
        )
    domain, split = _domain_and_split(root, folders, level)
    label = values.meaning(value)
    assert label is not None
    kinds = [name for name in below if plain(name) != plain(value)]
    return Place(value, label, domain, split, kinds[0] if kinds and label == ATTACK else "")


def _domain_and_split(root: Path, folders: tuple[str, ...], level: int) -> tuple[str, str]:
    above = folders[:level]
    if not above:
        return name_of(root), ""
    if len(above) == 1:
        split = SPLIT_NAMES.get(above[0].lower(), "")
        return (name_of(root), split) if split else (above[0], "")
    domain, split = above
    if split.lower() not in SPLIT_NAMES:
        raise DataError(
            f"Folder {split!r} in {root / domain} is neither a split nor a label.{closest(split.lower(), SPLIT_NAMES)} "
            f"Or state the layout, for example {_suggestion(folders, level)}."
        )
    return domain, SPLIT_NAMES[split.lower()]


def _no_label(root: Path, path: Path, folders: tuple[str, ...], values: LabelValues) -> DataError:
    if not folders:
        return DataError(
            f"{path} lies directly in {root}, in no live or spoof folder; sort the files into those two, or state the "
            "layout of the file names, such as --data.layout '{subject}_{label}_*'."
        )
    # The label was expected below the domain and the split, if there are such folders.
    due = next((place + 1 for place, folder in enumerate(folders) if folder.lower() in SPLIT_NAMES), len(folders) - 1)
    name = folders[min(due, len(folders) - 1)]
    known = [*values.stated, "live", "real", "bonafide", "genuine", "spoof", "attack", "fake"]
    return DataError(
        f"Folder {name!r} in the path of {path} names no label.{closest(name.lower(), known)} State own names with "
        f"{values.option} NAME, another order of folders with {_suggestion(folders, min(due, len(folders) - 1))}."
    )


def _without_persons(
    places: list[Place], below: Sequence[tuple[str, ...]], above: Sequence[tuple[str, ...]]
) -> tuple[list[Place], list[str]]:
    """Return the places, without attack types if names stand below both labels, and the warning about those names.

    So it is with names that are numbered alike: `live/p1`, `live/p2`, `spoof/p3`.
    """
    names: dict[int, dict[str, str]] = {}
    for place, folders in zip(places, below, strict=True):
        if folders:
            names.setdefault(place.label, {}).setdefault(folders[0].casefold(), folders[0])
    attacks = names.pop(ATTACK, {})
    shared = [name for key, name in attacks.items() if any(key in found for found in names.values())]
    which = "stand below both bona fide and attack"
    if not shared:
        shared, which = _numbered_alike(attacks, names), "below attack are numbered like those below bona fide"
    if not shared:
        return places, []
    example = next(
        number for number, place in enumerate(places) if place.label == ATTACK and shared[0] in below[number][:1]
    )
    layout = [*_levels(above[example], len(above[example]) - 1), "{subject}", *["*"] * (len(below[example]) - 1)]
    more = f" and {len(shared) - MOST} more" if len(shared) > MOST else ""
    warning = (
        f"warning: {len(shared)} folders {which} "
        f"({', '.join(map(repr, sorted(shared)[:MOST]))}{more}): persons, perhaps, and no attack types. Attack types, "
        f"species and subjects are left unknown. State the layout, for example {suggested(layout)}."
    )
    return [replace(place, attack_type="") for place in places], [warning]


def _numbered_alike(attacks: dict[str, str], others: dict[int, dict[str, str]]) -> list[str]:
    """Return the names below attack that differ only in their numbers from several below bona fide: `p4` and `p1`."""
    shapes = Counter(re.sub(r"[0-9]+", "0", key) for found in others.values() for key in found)
    several = {shape for shape, count in shapes.items() if count > 1 and "0" in shape}
    return [name for key, name in attacks.items() if re.sub(r"[0-9]+", "0", key) in several]


def _suggestion(folders: Sequence[str], level: int) -> str:
    """Return an option that states a layout whose label is at this level."""
    return suggested([*_levels(folders, level), *["*"] * (len(folders) - level - 1)])


def _levels(folders: Sequence[str], level: int) -> list[str]:
    """Return the levels of a layout down to the label: the first free one is the domain."""
    free = ["{domain}"]
    found = []
    for name in folders[:level]:
        found.append(
            "{split}" if name.lower() in SPLIT_NAMES and "{split}" not in found else free.pop() if free else "*"
        )
    return [*found, "{label}"]


def name_of(root: Path) -> str:
    """Return the name of a dataset that its root folder names."""
    return root.resolve().name or "folder"
