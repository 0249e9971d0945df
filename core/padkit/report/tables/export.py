"""Tables of exported forms: how they differ from the weights, and how fast they are. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from padkit.data.simulation import simulated_warning
from padkit.deploy.benchmark import CROPS
from padkit.deploy.checking import MOST_POINTS
from padkit.deploy.forms import FORMS, OPSET
from padkit.report.tables.layout import NOTHING, Table, TableCell, TableRow, text_cells

if TYPE_CHECKING:
    from padkit.deploy.benchmark import Benchmark
    from padkit.deploy.exporting import Export

MIB = 2**20
PAPER_FPS, PAPER_SIZE = 95, 256  # of DTDA's paper: claimed frames a second, and the usual side of its crops


def export_table(export: Export) -> Table:
    """Return the table of an export, which its card shows too."""
    head = ("form", "largest", "mean", "flips (%)", "HTER (%)", "AUC (%)", "MiB", "ms")
    dash = [TableCell()] * 5
    rows = [TableRow("weights", [*dash, *text_cells(_mib(export.weights_size), f"{export.weights_ms:.1f}")])]
    rows += [
        TableRow(
            check.form,
            [
                *text_cells(f"{check.largest:.1e}", f"{check.mean:.1e}", f"{100 * check.flips:.2f}"),
                _rate(check.hter, check.hter_change),
                _rate(check.auc, check.auc_change),
                *text_cells(_mib(check.size), f"{check.p50:.1f}"),
            ],
        )
        for check in export.checks
    ]
    return Table(title="Exported forms against the weights", head=head, rows=rows, notes=_notes(export))


def _notes(export: Export) -> list[str]:
    bundle = export.bundle
    threads = "each library's own choice of threads" if export.threads is None else f"{export.threads} CPU threads"
    policy = bundle.threshold_policy
    notes = [
        f"largest, mean: differences of P(bona fide) of single crops, on {export.shown}; flips: other verdicts.",
        f"HTER and AUC of presentations, and their change in points; threshold {bundle.threshold:.4f}, {policy}.",
        f"ms: median of single crops, {threads}, all forms in turn on one machine. ONNX opset {OPSET}.",
    ]
    if export.calibrated:
        notes.append(f"int8 was calibrated on {export.calibrated} crops.")
    held = [f"{one.form} {one.held[0]:.1e}, {one.held[1]:.1e}" for one in export.checks if one.held is not None]
    if held:
        notes.append(f"largest, mean on held-out source crops, to choose among int8 forms by: {'; '.join(held)}.")
    if any(FORMS[check.form].photograph for check in export.checks):
        notes.append("onnx-photograph: photographs made of these crops, cut in the graph and by padkit.")
    notes += [
        f"{check.form} changes HTER by more than {MOST_POINTS:g} points: test it before you use it."
        for check in export.checks
        if check.differs
    ]
    warning = simulated_warning(bundle.simulated, bundle.real_faces)
    return [*notes, warning] if warning else notes


def benchmark_table(found: Benchmark) -> Table:
    """Return the table of `padkit bench infer`."""
    head = ("form", "input", "batch", "p50 (ms)", "p95 (ms)", "per second", "against weights")
    rows = [
        TableRow(
            row.form,
            text_cells(
                row.input, str(row.timing.items), f"{row.timing.p50:.2f}", f"{row.timing.p95:.2f}",
                f"{row.timing.throughput:.1f}", _times(found.against_weights(row)),
            ),
        )
        for row in found.rows
    ]  # fmt: skip
    machine = ", ".join(f"{name} {text}" for name, text in found.machine.items())
    notes = [
        f"{found.threads} CPU threads; {machine}.",
        *_paper(found),
        "Turn by turn on one machine, so the ratios hold better than the times where it is busy.",
    ]
    return Table(
        title=f"Inference, {found.size} x {found.size} pixels", head=head, rows=rows, words=(0, 1), notes=notes
    )


def _paper(found: Benchmark) -> list[str]:
    """Return how the fastest form compares, on single crops, with the speed that DTDA's paper claims."""
    rows = [row for row in found.rows if (row.input, row.timing.items) == (CROPS, 1)]
    if not rows:
        return []
    best = max(rows, key=lambda row: row.timing.throughput)
    speed = best.timing.throughput
    told = (
        f"DTDA's paper claims {PAPER_FPS} FPS with a ResNet-18, hardware unknown; here {best.form}, the fastest, makes "
    )
    told += f"{speed:.1f} single crops a second, {_times(speed / PAPER_FPS)} that"
    return [f"{told}." if found.size == PAPER_SIZE else f"{told}, at {found.size} instead of {PAPER_SIZE} pixels."]


def _mib(size: int) -> str:
    return f"{size / MIB:.1f}"


def _rate(value: float | None, change: float | None) -> TableCell:
    """Return a rate in %, and beside it by how many points it is larger than that of the weights."""
    if value is None or change is None:
        return TableCell()
    return TableCell(f"{100 * value:.2f}", f"{100 * change:+.2f}")


def _times(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f} x"
