"""Describes a run in plain sentences: model, data, policy, outcome, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from padkit.data.unread import unread_line
from padkit.evaluation.rates import PolicyResult
from padkit.evaluation.results import Results
from padkit.evaluation.selection import CHECKPOINT_SELECTIONS, TEST_SET_SELECTIONS
from padkit.networks.views import views_told
from padkit.report.tables.layout import Table, TableRow, text_cells
from padkit.runs.folder import RunFolder

PARTS = {"train": "training", "dev": "held-out source", "test": "test"}


@dataclass(frozen=True, slots=True)
class Command:
    """A command line and what it does."""

    purpose: str
    line: str


def lead(results: Results, settings: Mapping[str, Any], division: Mapping[str, Any] | None) -> list[str]:
    """Return sentences on the model, the data and the outcome.

    Args:
        results: The run's results.
        settings: Its settings; sentences about missing settings are left out.
        division: Result of `padkit.data.protocols.protocol.Protocol.summary`; None if unknown.
    """
    return [_trained(results, settings, division), _tested(results), outcome(results, results.results[0])]


def outcome(results: Results, entry: PolicyResult) -> str:
    """Return how many attacks pass and how many bona fide are rejected at one policy's threshold."""
    counts = results.counts
    passed = sum(round(rate * counts.species[name]) for name, rate in entry.apcer_by_species.items())
    worst = max(entry.apcer_by_species, key=lambda name: entry.apcer_by_species[name])
    of_worst = round(entry.apcer_by_species[worst] * counts.species[worst])
    rejected = round(entry.values["bpcer"] * counts.bona_fide)
    told = len(counts.species) > 1 and of_worst
    species = f" (worst species {worst}: {of_worst} of {counts.species[worst]})" if told else ""
    threshold = f"At the threshold {entry.threshold:.4g}, chosen on {entry.chosen_on} (policy {entry.policy})"
    attacks = f"{passed} of {counts.attack} attacks pass as bona fide{species}"
    return f"{threshold}, {attacks} and {rejected} of {counts.bona_fide} bona fide presentations are rejected."


def method(settings: Mapping[str, Any]) -> str:
    """Return student, aligner and teachers in words; "" if the settings name none."""
    parts = []
    if student := _component(settings.get("student"), "model"):
        parts.append(f"student {student}")
    if "aligner" in settings:
        parts.append(f"aligner {_component(settings['aligner']) or 'none'}")
    if isinstance(settings.get("teachers"), Mapping):
        named = {slot: _component(value) for slot, value in settings["teachers"].items()}
        teachers = [f"{slot} ({name})" for slot, name in named.items() if name]
        parts.append(f"teachers {' and '.join(teachers)}" if teachers else "no teachers")
    return ", ".join(parts)


def choices(results: Results) -> list[tuple[str, str, bool]]:
    """Return (what, how it was chosen, whether on the test set) for the checkpoint and every threshold."""
    selection = results.checkpoint_selection
    told = CHECKPOINT_SELECTIONS.get(selection, "unknown to this version")
    found = [("checkpoint", f"{selection}: {told}", selection in TEST_SET_SELECTIONS)]
    found += [
        (f"threshold {entry.policy}", f"{entry.threshold:.4g}, chosen on {entry.chosen_on}", entry.test_set_choice)
        for entry in results.results
    ]
    if beside := results.mean_last:
        told = f"{beside.selection}: {CHECKPOINT_SELECTIONS.get(beside.selection, 'unknown to this version')}"
        found.append(("means beside it", told, beside.test_set_choice))
    return found


def chosen_on_test_set(results: Results) -> list[str]:
    """Return which choices behind the quoted figures were made on the test set."""
    chosen = {
        "the checkpoint": results.checkpoint_selection in TEST_SET_SELECTIONS,
        "the threshold": results.results[0].test_set_choice,
    }
    return [what for what, so in chosen.items() if so]


def commands(environment: Mapping[str, Any], run: RunFolder) -> list[Command]:
    """Return the command that started the run and the one that repeats it from its saved settings; empty if unknown.

    The launcher's options are not in the recorded command, so they are derived from the recorded hardware.
    """
    words: Sequence[str] = environment.get("command") or ()
    if len(words) < 2:
        return []
    program = words[1]
    found = [Command("As it was started, but for the launcher's options", shlex.join(["python", *words[1:]]))]
    again = [program, "--config", str(run.settings), "--out", "runs/again"]
    hardware = environment.get("hardware") or {}
    launch = ["padkit", "train", "--num_processes", str(hardware.get("processes", 1))]
    launch += ["--mixed_precision", str(hardware.get("precision", "no"))]
    found.append(Command("Again, from its saved settings", shlex.join([*launch, *again])))
    return found


def revision(environment: Mapping[str, Any]) -> str:
    """Return the source revision, with a warning if there were uncommitted changes."""
    found = str(environment.get("revision") or "")
    version = (environment.get("libraries") or {}).get("padkit", "")
    if not found:
        return f"padkit {version}, installed" if version else ""
    changed = " and changes that were not committed: this revision alone does not give the run back"
    return f"git revision {found.removesuffix('+')}{changed if found.endswith('+') else ''}"


def division_table(division: Mapping[str, Any]) -> Table:
    """Return the table of parts: the presentations for training, choosing and testing."""
    keys = ("presentations", "subjects", "frames", "bona_fide_frames", "attack_frames")
    parts = {named: division["parts"][part] for part, named in PARTS.items() if part in division["parts"]}
    rows = [
        TableRow(key.replace("_", " "), text_cells(*(_number(part[key]) for part in parts.values()))) for key in keys
    ]
    return Table(title="Parts", head=["part", *parts], rows=rows)


def data_notes(
    division: Mapping[str, Any] | None, preparation: Mapping[str, Any] | None, views: object = None
) -> list[str]:
    """Return notes about the data: held-out parts, warnings, what a crop is judged by, files that could not be read."""
    notes: list[str] = []
    if division:
        notes += [f"{domain}: {text}" for domain, text in division.get("held_out", {}).items()]
        notes += [f"Warning: {text}" for text in division.get("warnings", ())]
    if preparation:
        version = f" ({preparation['fingerprint']})" if preparation.get("fingerprint") else ""
        size = preparation["image_size"]
        crops = f"Dataset {preparation['dataset']}{version}, face crops of {size} x {size} pixels"
        notes.insert(0, f"{crops}, each judged by {seen}." if (seen := views_told(views)) else f"{crops}.")
        notes += [line[:1].upper() + line[1:] for line in preparation.get("notes") or ()]
        if skipped := preparation.get("skipped"):
            notes.append(f"{skipped} of {preparation['records']} files or presentations could not be read.")
        if unread := preparation.get("unread"):
            notes.append(f"Skipped unread: {unread_line(unread)}.")
    return notes


def _trained(results: Results, settings: Mapping[str, Any], division: Mapping[str, Any] | None) -> str:
    protocol = results.protocol
    who = f"A detector ({told})" if (told := method(settings)) else "A detector"
    sources = _list(protocol.sources)
    if not division:
        return f"{who} was trained on {sources} to tell live faces from attacks."
    part = division["parts"]["train"]
    subjects = f" of {_number(part['subjects'])} subjects" if part["subjects"] else ""
    amount = f"{_number(part['frames'])} frames of {_number(part['presentations'])} presentations{subjects}"
    return f"{who} was trained on {amount} from {sources} to tell live faces from attacks."


def _tested(results: Results) -> str:
    protocol, counts = results.protocol, results.counts
    simulated = "simulated " if protocol.simulated else ""
    live = "" if protocol.real_faces else simulated
    amount = f"{counts.bona_fide} {live}bona fide presentations and {counts.attack} {simulated}attacks"
    unseen = protocol.target not in protocol.sources
    where = f"{protocol.target}, which it never saw in training" if unseen else f"{protocol.target}, its own domain"
    return f"It was tested on {amount} ({_number(counts.frames)} frames) of {where}."


def _component(value: object, detail: str = "") -> str:
    """Return a component's name, with one of its settings if that says more; "" for an empty slot."""
    if not isinstance(value, Mapping):
        return "" if value in (None, "none") else str(value)
    name = "" if value.get("name") in (None, "none") else str(value.get("name"))
    return f"{name} {value[detail]}" if name and detail and value.get(detail) else name


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
