"""How far the student imitates its teachers, and how much of that a constant would have done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from padkit.report.tables.layout import NOTHING, Table, TableRow, text_cells
from padkit.runs.folder import DISTILLATION

LOSSES = {"start": "before training", "loss": "after training", "constant": "best constant"}
SHARE = "explained_by_constant"
NOTE = (
    "A constant is what is the same for every image: 100 % would mean that the student has learnt nothing of a teacher "
    "that depends on the image. Losses are unweighted, of clean held-out source frames; 1 is the variance of the "
    "teacher's features on training frames."
)


def distillation_table(log: Iterable[Mapping[str, Any]], selected: int | None) -> Table | None:
    """Return the table of the distillation losses; None where the log says nothing of them.

    Args:
        log: Records of `log.jsonl`.
        selected: Step whose weights the run ships; the last evaluation counts where it is unknown or was not logged.
    """
    told = [record for record in log if any(str(key).startswith(DISTILLATION) for key in record)]
    if not told:
        return None
    record = next((one for one in reversed(told) if one.get("step") == selected), told[-1])
    found: dict[str, dict[str, float]] = {}
    for key, value in record.items():
        if key.startswith(DISTILLATION):
            name, _, figure = key.removeprefix(DISTILLATION).rpartition("/")
            found.setdefault(name, {})[figure] = value
    rows = [TableRow(name, text_cells(*_texts(mine))) for name, mine in found.items()]
    return Table(
        title=f"Distillation at step {record['step']}",
        head=["loss", *LOSSES.values(), "a constant explains of the fall (%)"],
        rows=rows,
        notes=[NOTE],
    )


def _texts(figures: Mapping[str, float]) -> list[str]:
    losses = [f"{figures[name]:.3f}" if name in figures else NOTHING for name in LOSSES]
    return [*losses, f"{100 * figures[SHARE]:.1f}" if SHARE in figures else NOTHING]
