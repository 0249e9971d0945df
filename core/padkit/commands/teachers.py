"""`padkit teachers check`: what teachers know of a user's own crops, before anyone trains for hours."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from padkit.catalog import Catalog
from padkit.data.preparation.prepare import prepare
from padkit.data.simulation import facts_of, simulated_part
from padkit.errors import PadkitError, SettingsError, closest, one_line
from padkit.files import write_json
from padkit.processes import counting_bar
from padkit.settings.layers import NONE, Bare, Slot, read_line
from padkit.settings.ranges import BatchSize, Count, Seed

if TYPE_CHECKING:
    from padkit.inspection.teacher_check import Compared, Crops, Knowledge
    from padkit.roles import Teacher

PROG = "padkit teachers check"
FIGURES = ("identity", "live", "domain")
NO_TEACHER = "no teacher is left to check; name some: --teachers arcface,stargan"


@dataclass(frozen=True, slots=True)
class Options:
    """Ask frozen teachers what they know of your crops: who is shown, whether it is alive, which domain it is from.

    Each figure stands beside that of the same network with random weights: what does not exceed it was not learnt.
    `--teachers a,b` names teachers of `padkit plugins`; without it all are asked that need no settings.

    Args:
        limit: Crops looked at, at most; each domain and class gives its equal share.
        seed: Draws the crops, the folds of the probes and the random weights.
        batch_size: Crops looked at together.
        json: File to write the figures to as well.
    """

    limit: Count = 600
    seed: Seed = 0
    batch_size: BatchSize = 32
    json: str | None = None


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status.

    Raises:
        SettingsError: The action or an option is unknown.
        PadkitError: The data or a teacher that was named cannot be had.
    """
    action = arguments[0] if arguments else ""
    if action == "check":
        return _check(arguments[1:])
    if {"-h", "--help"} & {*arguments}:
        return _check(["--help"])
    raise SettingsError(
        f"padkit teachers {action!r}: is no action; write {PROG} --data NAME.{closest(action, ['check'])}"
    )


def _check(words: Sequence[str]) -> int:
    from padkit.inspection.teacher_check import check, choose_crops
    from padkit.settings import read_settings

    catalog = Catalog()
    named = _named(words, catalog)
    teachers = Slot("teacher", {name: name for name in named or _unset(catalog)})
    slots = {"data": Slot("dataset", "synthetic", required=True), "teachers": teachers}
    settings = read_settings(Options, slots, words, catalog, PROG)
    options = settings.recipe
    given = bool(named) or any(key.startswith("teachers.") for key in settings.given)
    built = dict(_built(settings.many("teachers"), catalog, strict=given))
    if not built:
        raise SettingsError(f"{NO_TEACHER}.")
    data = settings.needed("data")
    table = prepare(catalog.build_chosen(data), dataset_name=data.name)
    crops = choose_crops(table, options.limit, options.seed)
    console, found = Console(), {}
    console.print(_heading(crops))
    for name, teacher in built.items():
        with counting_bar(name, 2 * len(crops.rows), shown=sys.stderr.isatty()) as counted:
            found[name] = check(teacher, crops, seed=options.seed, batch_size=options.batch_size, counted=counted)
        console.print(_shown(name, found[name]))
    if options.json:
        write_json(Path(options.json).expanduser(), _told(crops, found, settings.tree))
    return 0


def _named(words: Sequence[str], catalog: Catalog) -> list[str]:
    """Return the teachers that `--teachers a,b` names."""
    given = [value for key, value in read_line(words).entries if key == "teachers"]
    if not given:
        return []
    if isinstance(given[-1], Bare) or not given[-1] or given[-1] == NONE:
        raise SettingsError(f"--teachers: {NO_TEACHER}.")
    names = [name.strip() for name in given[-1].split(",")]
    return [catalog.component("teacher", name).spec.name for name in names]


def _unset(catalog: Catalog) -> list[str]:
    """Return the teachers that can be built without settings, as far as their constructors tell."""
    found = []
    for name in catalog.names("teacher"):
        try:
            parameters = inspect.signature(catalog.factory("teacher", name)).parameters.values()
        except PadkitError as error:
            print(f"left out: {one_line(error)}", file=sys.stderr)
            continue
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.KEYWORD_ONLY]
        if needed:
            print(f"left out: teacher {name!r} needs the settings {', '.join(needed)}", file=sys.stderr)
        else:
            found.append(name)
    return found


def _built(chosen: Mapping[str, Any], catalog: Catalog, *, strict: bool) -> list[tuple[str, Teacher]]:
    """Build teachers; one that cannot be had is told and left out, unless it was asked for."""
    import torch

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    built = []
    for name, choice in chosen.items():
        try:
            teacher = catalog.build_chosen(choice)
        except PadkitError as error:
            if strict:
                raise
            print(f"left out: {one_line(error)}", file=sys.stderr)
            continue
        built.append((name, teacher.to(device or "cpu").requires_grad_(requires_grad=False)))
    return built


def _heading(crops: Crops) -> Text:
    about = crops.table.preparation
    people = len(
        {*zip(crops.domains.tolist(), crops.subjects.tolist(), strict=True)} - {(d, "") for d in crops.domains}
    )
    alive = int(crops.labels.sum())
    domains = sorted({*crops.domains.tolist()})
    lines = [
        f"{about['dataset']}: {len(crops.rows)} of {len(crops.table)} crops, {alive} bona fide, {people} people",
        f"{part.capitalize()}." if (part := simulated_part(*facts_of(about))) else "",
        "identity: AUC of telling one person's pairs from those of two, %. live: AUC of a linear probe, %.",
        f"domain: accuracy of a linear probe, %; chance {100 * crops.chance:.1f} of {', '.join(domains)}."
        if len(domains) > 1
        else "domain: there is one.",
        "random: the same with random weights. -: these crops do not allow it.",
    ]
    return Text("\n".join(filter(None, lines)))


def _shown(name: str, found: Mapping[str, Compared]) -> Table:
    shown = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    shown.add_column(name, overflow="fold")
    for figure in FIGURES:
        shown.add_column(figure, justify="right")
        shown.add_column("random", justify="right", style="dim")
    for features, compared in found.items():
        cells = [_percent(known, figure) for figure in FIGURES for known in (compared.trained, compared.random)]
        shown.add_row(features, *cells)
    return shown


def _percent(known: Knowledge | None, figure: str) -> str:
    value = None if known is None else getattr(known, figure)
    return "-" if value is None else f"{100 * value:.1f}"


def _told(crops: Crops, found: Mapping[str, Mapping[str, Compared]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures as plain values, shares in [0, 1]."""
    about = crops.table.preparation
    return {
        "dataset": about["dataset"],
        "simulated": about["simulated"],
        "crops": len(crops.rows),
        "chance": crops.chance,
        "settings": dict(settings),
        "teachers": {
            name: {features: dataclasses.asdict(compared) for features, compared in each.items()}
            for name, each in found.items()
        },
    }
