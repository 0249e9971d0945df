"""Tables of `padkit bench train` and `padkit bench data`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from padkit.report.tables.layout import Table, TableRow, text_cells

if TYPE_CHECKING:
    from padkit.deploy.timing import Timing
    from padkit.inspection.loading_speed import LoadingSpeed
    from padkit.inspection.training_speed import TrainingSpeed

BUSY = "Turn by turn on one machine, so the ratios hold better than the times where it is busy."


def training_table(found: TrainingSpeed) -> Table:
    """Return the table of `padkit bench train`."""
    load, whole = found.workload, next(iter(found.timings.values()))
    named = ", ".join(("student " + load.model, *load.teachers, *([load.aligner] if load.aligner else [])))
    how = f"{load.precision}, {load.threads} CPU threads, {load.workers} loader processes"
    how += ", compiled" if load.compiled else ""
    notes = [
        f"Sum of the parts ({', '.join(found.parts())}): a step with its batch takes {found.over_parts:.2f} times it.",
        f"{found.times('plain loop'):.2f} times as fast as the plain loop: float32, NCHW, Pillow image by image.",
        f"Waiting for the batch: {found.waiting:.1%}. Peak memory: {found.memory:.0f} MiB.",
        *([] if found.synchronisations is None else [_waits(found.synchronisations)]),
        f"{how}; {_told(found.machine)}.",
        BUSY,
    ]
    title = f"Training, {named}; {load.batch} x {load.size} x {load.size} pixels"
    return _table(title, "part", found.timings, whole, notes)


def loading_table(found: LoadingSpeed) -> Table:
    """Return the table of `padkit bench data`."""
    notes = [f"{found.source}; {_told(found.machine)}.", BUSY]
    title = f"Loading, batches of {found.batch} x {found.size} x {found.size} pixels"
    return _table(title, "loader", found.timings, next(iter(found.timings.values())), notes)


def _table(title: str, first: str, timings: Mapping[str, Timing], unit: Timing, notes: list[str]) -> Table:
    head = (first, "p50 (ms)", "p95 (ms)", "images per second", "share of the first")
    rows = [
        TableRow(
            name, text_cells(f"{one.p50:.1f}", f"{one.p95:.1f}", f"{one.throughput:.1f}", f"{one.p50 / unit.p50:.2f}")
        )
        for name, one in timings.items()
    ]
    return Table(title=title, head=head, rows=rows, notes=notes)


def _waits(found: Mapping[str, int]) -> str:
    """Return what is said of where steps waited for the device."""
    places = ", ".join(f"{place} ({count})" for place, count in found.items())
    return f"Some steps waited for the GPU at {places}." if places else "No step waited for the GPU."


def _told(machine: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in machine.items())
