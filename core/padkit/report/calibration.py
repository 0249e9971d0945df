"""The page about a calibration: threshold, rates with what they rest on, temperature, stability. Imports no torch."""

from __future__ import annotations

from padkit.deploy.bundle import Bundle
from padkit.deploy.calibrated import Sample, Stable
from padkit.deploy.stability import Flips, flips
from padkit.evaluation.calibration import Calibration
from padkit.evaluation.statistics.binomial import Rate
from padkit.report.tables.layout import Table, TableRow, text_cells

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
    shares = flips(stable.faces) if stable is not None else None
    if stable is not None and shares is not None:
        tables += [_flips(shares, wider=stable.wider), _sizes(stable)]
    return tables


def calibration_notes(found: Calibration, sample: Sample) -> list[str]:
    """Return the notes that must accompany the tables."""
    counts = f"{found.bona_fide.trials} bona fide presentations and {found.pooled.trials} attacks"
    people = f"{found.subjects} people" if found.subjects else "people not told apart"
    notes = [f"Calibrated on {sample.told}: {counts}, {people}."]
    silent, asked = sample.silent
    notes.append(
        f"Non-response rate: {_percent(silent / asked)} %, {silent} of {asked} presentations of the data gave no face "
        "and are in no rate."
    )
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


def _flips(shares: Flips, *, wider: bool) -> Table:
    where = "in the photograph" if wider else "within the stored crop"
    told = f"{_percent(shares.share)} % of all these verdicts flip"
    notes = [f"{told}; {_percent(shares.any)} % of {shares.faces} faces flip at least once."]
    if not wider:
        notes.append(
            "A stored crop has nothing around it: only smaller boxes and shifts of such a box within the crop can be "
            "measured, not larger boxes. With photographs as data both are."
        )
    return Table(
        title=f"Stability: verdicts that flip if the box changes {where}, in % of faces",
        head=("change of the box", "flips"),
        rows=[TableRow(name, text_cells(_percent(share))) for name, share in shares.by_change.items()],
        notes=notes,
    )


def _sizes(stable: Stable) -> Table:
    rows = [
        TableRow(
            "as they are" if row.side is None else f"{row.side} pixels",
            text_cells(str(row.bona_fide), str(row.attack), _percent(row.apcer_pooled), _percent(row.bpcer)),
        )
        for row in stable.errors
    ]
    return Table(
        title="Errors over face size, in %",
        head=("side of the face", "bona fide", "attacks", "APCER, pooled", "BPCER"),
        rows=rows,
        notes=("The same faces, shrunk; noise and perspective of a face that is further away are not simulated.",),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
