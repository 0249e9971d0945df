"""The tables of what a model's figures lean on: colour, camera, preparation. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from padkit.deploy.shortcuts import COLOURS, LARGE, STRETCHED
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, text_cells

VARY = "vary them in training (--augmentation photometric)"
# What a fall of the AUC means, and what a rise.
MEANING = {
    COLOURS: (
        f"the model judges by colour, brightness or contrast, a shortcut that fails in another light or camera; {VARY}",
        f"the model judges by colour, brightness or contrast, a shortcut that misleads it on these data; {VARY}",
    ),
    STRETCHED: ("the preparation decides; cut training data and what is judged in one and the same way",) * 2,
}


def shortcuts_tables(found: Mapping[str, Any]) -> list[Table]:
    """Return the tables.

    Args:
        found: What `padkit.deploy.shortcuts.Shortcuts.record` returned.
    """
    return [_changes(found), *(_cameras(column, rows) for column, rows in found["cameras"].items())]


def _changes(found: Mapping[str, Any]) -> Table:
    rows, notes = [], []
    for number, change in enumerate(found["changes"]):
        areas = change["auc"]
        if not number:
            count = str(change["presentations"])
            rows.append(TableRow("as they are", [*text_cells(count, _percent(areas["first"])), TableCell()]))
        gain = -areas["difference"]
        ends = "" if areas["low"] is None else f"[{_signed(-areas['high'])}, {_signed(-areas['low'])}]"
        count, area = str(change["presentations"]), _percent(areas["second"])
        rows.append(TableRow(change["name"], [*text_cells(count, area), TableCell(_signed(gain), ends)]))
        if change["large"]:
            notes.append(
                f"{change['name']}: the AUC differs by {abs(100 * gain):.1f} points, more than {100 * LARGE:g}: "
                f"{MEANING[change['name']][gain > 0]}."
            )
    if not notes:
        notes.append(f"No difference of more than {100 * LARGE:g} points.")
    if found["preparation_not_measured"]:
        notes.append(f"Another preparation was not measured: {found['preparation_not_measured']}.")
    return Table(
        title="Shortcuts: AUC when the images are changed, in %",
        head=("images", "presentations", "AUC", "difference"),
        rows=rows,
        notes=(*notes, "Differences are in points, with DeLong's 95 % interval."),
    )


def _cameras(column: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    shown = [
        TableRow(
            row["name"] or "unknown",
            text_cells(
                str(row["bona_fide"]), str(row["attack"]), _percent(row["auc"]), _percent(row["auc_normalised"])
            ),
        )
        for row in rows
    ]
    return Table(
        title=f"AUC by {column}, in %",
        head=(column, "bona fide", "attacks", "AUC", f"AUC, {COLOURS}"),
        rows=shown,
    )


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.2f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.2f}"
