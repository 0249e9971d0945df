"""Compares what made a run with what is asked for now: only an equal run is continued, or taken for done.

Recipes use it for `--resume`, the ablation for the folders of its runs. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from padkit.data.preparation.prepare import cache_folder
from padkit.errors import SettingsError
from padkit.runs.folder import BOOKKEEPING, RunFolder
from padkit.settings.layers import flatten

# What may change when a run is continued; the docs name them. Fewer steps than are done are refused later.
CHANGEABLE = BOOKKEEPING | {"epochs", "max_steps"}
SETTINGS = "settings"  # name of the fact that stands for the settings
UNSAID: Mapping[str, Any] = {"views": "one"}  # what an earlier run did that says nothing of a setting added since
KEY = "data: key"  # name of the fact that stands for records, files and crops
CONTENT = "data: content"  # name of the fact that stands for what the frames hold
MAY_CHANGE = (
    "only epochs, max_steps, threads, workers, tracker, checkpoint_every, checkpoints_kept, compile, stability and "
    "thumbnails may change"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting or fact that differs, with its value there and the one asked for."""

    name: str
    there: Any
    asked: Any

    def __str__(self) -> str:
        return f"{self.name} {self.there!r} there, {self.asked!r} asked for"


def first_difference(
    there: Mapping[str, Any], asked: Mapping[str, Any], ignored: Collection[str] = ()
) -> Difference | None:
    """Return the first setting that differs, or None.

    Args:
        there: A run's settings, nested as in its settings.yaml, or facts.
        asked: The settings or facts that are wanted, in the order in which a user should hear of them.
        ignored: Top-level settings that may differ.
    """
    before, now = (_plain(tree, ignored) for tree in (there, asked))
    for name in [*now, *before]:
        if stated(name, before.get(name)) != stated(name, now.get(name)):
            return Difference(name, before.get(name), now.get(name))
    return None


def stated(name: str, value: Any) -> Any:
    """Return a value; None for what an earlier run did without saying it: a switch added since is off."""
    return None if value is False or value == UNSAID.get(name, ...) else value


def _plain(tree: Mapping[str, Any], ignored: Collection[str]) -> dict[str, Any]:
    """Return dotted names of plain values; a component's name stands under its place, as it does for `none`."""
    kept = {key: value for key, value in tree.items() if key not in ignored}
    flat = flatten(yaml.safe_load(yaml.safe_dump(kept, sort_keys=False)))
    return {name.removesuffix(".name"): value for name, value in flat.items()}


def digest_of(settings: Mapping[str, Any]) -> str:
    """Return a text that stands for all settings but those that may change."""
    return hashlib.sha256(json.dumps(_plain(settings, CHANGEABLE), sort_keys=True, default=str).encode()).hexdigest()


def check_untouched(run: RunFolder) -> None:
    """Refuse to continue a run whose settings.yaml is not as the run wrote it: its weights were trained with that.

    Raises:
        SettingsError: The file holds nothing, or other settings.
    """
    settings, begun = run.read_settings(), run.read_environment().get("begun_with")
    known = begun.get(SETTINGS) if isinstance(begun, dict) else None
    if settings and known in (None, digest_of(settings)):
        return
    cause = f"{run.settings.name} is not as the run wrote it" if settings else f"{run.settings.name} is empty"
    raise SettingsError(
        f"--resume {run.path}: {cause}; restore it, or start a new run with --config {run.settings} and another --out."
    )


def added_since(run: RunFolder, there: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that padkit has had only since a run was begun, by dotted name, with what they are now.

    Those that are none, false, zero or empty are left out: they change nothing.

    Args:
        run: The run.
        there: Its settings, resolved as they are without any other argument.
    """
    known = _plain(run.read_settings(), CHANGEABLE)
    now = _plain(there, CHANGEABLE)
    return {name: value for name, value in now.items() if name not in known and value}


def check_settings(
    run: RunFolder, there: Mapping[str, Any], asked: Mapping[str, Any], added: Collection[str] = ()
) -> None:
    """Refuse to continue a run with other settings than `CHANGEABLE` ones.

    Args:
        run: The run.
        there: Its settings, resolved as they are without any other argument.
        asked: The settings that are asked for now.
        added: Names of those that the run did not have (`added_since`), which may be anything.

    Raises:
        SettingsError: A setting differs; names it, both values and the remedy.
    """
    before, now = (
        {name: value for name, value in _plain(tree, CHANGEABLE).items() if name not in added}
        for tree in (there, asked)
    )
    if found := first_difference(before, now):
        raise SettingsError(
            f"--resume {run.path}: {found}; drop --{found.name}, or start a new run with another --out ({MAY_CHANGE})."
        )


def check_facts(run: RunFolder, facts: Mapping[str, Any]) -> None:
    """Refuse to continue a run on other data or with another precision than it was begun with.

    Args:
        run: The run; what it was begun with is in its `environment.json`. Nothing is compared if it says nothing.
        facts: See `facts_of`.

    Raises:
        SettingsError: A fact differs; names it, both values and the remedy.
    """
    there = run.read_environment().get("begun_with")
    if not isinstance(there, dict):
        return
    both = [name for name in facts if name in there]
    found = first_difference({name: there[name] for name in both}, {name: facts[name] for name in both})
    if found is None:
        return
    if found.name == KEY:
        cause = "the data are as many and not the same: a label, a name, a size or a date of a file is another"
        raise SettingsError(f"--resume {run.path}: {cause}; restore them, or start a new run with another --out.")
    if found.name == CONTENT:
        cause = "the frames, made anew, hold other pixels: a library that makes them is another version"
        remedy = (
            f"restore it ({run.environment.name} tells versions) and remove the table made anew (in {cache_folder()})"
        )
        raise SettingsError(f"--resume {run.path}: {cause}; {remedy}, or start a new run with another --out.")
    remedy = "restore them" if found.name.startswith("data") else f"launch it with --mixed_precision {found.there}"
    raise SettingsError(f"--resume {run.path}: {found}; {remedy}, or start a new run with another --out.")


def facts_of(preparation: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """Return what a run's figures depend on beside its settings.

    Args:
        preparation: Facts of the prepared table; its key stands for records, files and crops, its content, which tables
            of earlier versions do not tell, for frames and labels.
        precision: Accelerate's.
    """
    counts = {f"data: {name}": preparation[name] for name in ("records", "frames")}
    content = {CONTENT: told} if (told := preparation.get("content")) else {}
    return {**counts, KEY: preparation["key"], **content, "precision": precision}
