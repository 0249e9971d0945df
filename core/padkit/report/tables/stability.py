"""The tables of stability: verdicts that flip if the box changes, and errors over face size. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from padkit.deploy.steady import CROPS
from padkit.report.tables.layout import Table, TableRow, text_cells


def stability_tables(found: Mapping[str, Any]) -> list[Table]:
    """Return both tables.

    Args:
        found: What `padkit.deploy.steady.Stable.record` returned.
    """
    return [_flips(found), _sizes(found["by_face_side"])]


def flips_table(runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one table of several runs, by name: the share of verdicts that flip in each."""
    rows = [
        TableRow(name, text_cells(*(_percent(found[key]) for key in ("flipped_verdicts", "faces_with_a_flip"))))
        for name, found in runs.items()
    ]
    return Table(
        title="Stability: flips if the box changes, in %", head=("run", "verdicts", "faces with a flip"), rows=rows
    )


def _flips(found: Mapping[str, Any]) -> Table:
    where = found["boxes_changed_in"]
    told = f"{_percent(found['flipped_verdicts'])} % of all these verdicts flip"
    notes = [f"{told}; {_percent(found['faces_with_a_flip'])} % of {found['faces']} faces flip at least once."]
    if "policy" in found:
        notes.append(f"Verdicts by the threshold {found['threshold']:.4g} ({found['policy']}).")
    if where == CROPS:
        notes.append(
            "A stored crop has nothing around it: only smaller boxes and shifts of such a box within the crop can be "
            "measured, not larger boxes. With photographs or crops with room as data both are."
        )
    return Table(
        title=f"Stability: verdicts that flip if the box changes in {where}, in % of faces",
        head=("change of the box", "flips"),
        rows=[TableRow(name, text_cells(_percent(share))) for name, share in found["by_change"].items()],
        notes=notes,
    )


def _sizes(curve: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        TableRow(
            "as they are" if row["side"] is None else f"{row['side']} pixels",
            text_cells(
                str(row["bona_fide"]), str(row["attack"]), _percent(row["apcer_pooled"]), _percent(row["bpcer"])
            ),
        )
        for row in curve
    ]
    return Table(
        title="Errors over face size, in %",
        head=("side of the face", "bona fide", "attacks", "APCER, pooled", "BPCER"),
        rows=rows,
        notes=("The same faces, shrunk; noise and perspective of a face that is further away are not simulated.",),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
