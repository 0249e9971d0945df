"""The page about a calibration: threshold, rates with what they rest on, temperature, stability. Imports no torch."""

from __future__ import annotations

from padkit.deploy.bundle import Bundle
from padkit.deploy.calibrated import Sample, non_response_line
from padkit.deploy.steady import Stable
from padkit.evaluation.calibration import Calibration
from padkit.evaluation.statistics.binomial import Rate
from padkit.networks.views import views_told
from padkit.report.tables.layout import Table, TableRow, text_cells
from padkit.report.tables.stability import stability_tables

WHAT = {"apcer": "APCER of every species", "bpcer": "BPCER"}


def calibration_tables(found: Calibration, sample: Sample, bundle: Bundle, stable: Stable | None) -> list[Table]:
    """Return the tables of the page, in their order.

    Args:
        found: The calibration.
        sample: What it was made on.
        bundle: The new bundle.
        stable: How its verdicts hold; None if that was not measured.
    """
    tables = [_operating_point(found, sample, bundle), _rates(found), _thresholds(bundle)]
    return tables if stable is None else [*tables, *stability_tables(stable.record())]


def calibration_notes(found: Calibration, sample: Sample) -> list[str]:
    """Return the notes that must accompany the tables."""
    counts = f"{found.bona_fide.trials} bona fide presentations and {found.pooled.trials} attacks"
    people = f"{found.subjects} people" if found.subjects else "people not told apart"
    notes = [f"Calibrated on {sample.told}: {counts}, {people}."]
    notes.append(non_response_line(sample))
    if found.target.kind in WHAT:
        notes.append(
            f"Proved at {100 * found.level:g} % confidence: {WHAT[found.target.kind]} is at most "
            f"{100 * found.target.rate:g} %, for independent presentations like these. The proof allows for the "
            "threshold having been chosen on them; every other rate here is a little too good for that reason."
        )
    else:
        notes.append(
            "The threshold was chosen on these presentations, which makes their rates a little too good; "
            "measure it on others (padkit evaluate). Nothing is proved of the rates."
        )
    if found.subjects and found.subjects < len(found.scores):
        notes.append(
            f"{len(found.scores)} presentations of {found.subjects} people are not independent: the intervals are "
            "narrower than they should be."
        )
    fitted = found.fitted
    if fitted.why_not:
        notes.append(f"The temperature was left as it was: {fitted.why_not}.")
    else:
        notes.append(
            f"Temperature {fitted.temperature:.4g}: log loss {fitted.before:.4f} before, {fitted.after:.4f} after "
            "(frames, each presentation counting the same). It moves scores, never their order; the old thresholds "
            "were moved along."
        )
    if found.scores.frames.max() > 1:
        notes.append(
            f"Scores are means over up to {found.scores.frames.max()} frames of a presentation; a single picture "
            "varies more."
        )
    return [*notes, *sample.notes]


def _operating_point(found: Calibration, sample: Sample, bundle: Bundle) -> Table:
    worst, alive = found.worst, found.bona_fide
    rows = [
        ("policy", found.target.policy),
        ("threshold", f"{found.threshold:.6g}"),
        ("temperature", f"{bundle.temperature:.4g}"),
        ("APCER, worst species", f"{_percent(worst.rate)} % ({worst.name})"),
        ("BPCER", f"{_percent(alive.rate)} %"),
        ("data", sample.told),
        *([("views", told)] if (told := views_told(bundle.views)) else []),
    ]
    return Table(
        title="Operating point", head=("what", "value"), words=(0, 1),
        rows=[TableRow(name, text_cells(value)) for name, value in rows],
    )  # fmt: skip


def _rates(found: Calibration) -> Table:
    rows = [*found.species, found.pooled, found.bona_fide]
    last = len(found.species) - 1
    level = f"{100 * found.level:g} %"
    return Table(
        title="Errors of the sample at this threshold, in %",
        head=("presentations", "errors", "of", "rate", "95 % interval", f"at most ({level})", "provable"),
        rows=[TableRow(row.name, text_cells(*_figures(row)), ends=number == last) for number, row in enumerate(rows)],
        notes=(
            "Errors of attacks are those accepted (APCER), of bona fide presentations those rejected (BPCER).",
            "Intervals: Clopper-Pearson, two-sided. At most: the one-sided exact bound.",
            "Provable: the smallest rate that so many presentations can prove, without one error.",
        ),
    )


def _figures(row: Rate) -> tuple[str, ...]:
    low, high = row.interval
    figures = (row.rate, f"[{_percent(low)}, {_percent(high)}]", row.bound, row.least)
    return (str(row.errors), str(row.trials), *(one if isinstance(one, str) else _percent(one) for one in figures))


def _thresholds(bundle: Bundle) -> Table:
    return Table(
        title="Thresholds of the new model; the first is used unless --policy names another",
        head=("policy", "threshold", "chosen on"),
        words=(0, 2),
        rows=[
            TableRow(one.policy, text_cells(f"{one.value:.6g}", one.chosen_on or "not recorded"))
            for one in bundle.thresholds
        ],
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
