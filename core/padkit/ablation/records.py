"""The records of an ablation, one per run: its figures, or why it failed; `results.csv` holds all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from padkit.ablation.runs import Run
from padkit.errors import PadkitError, one_line
from padkit.evaluation.results import read_results
from padkit.evaluation.thresholds import TARGET_EER
from padkit.files import write_atomically

FINISHED, FAILED = "finished", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run; rates are shares in [0, 1] as in `metrics.json`, None where the run failed.

    Attributes:
        cell: Name of its cell.
        target: Domain tested on, or name of the protocol.
        seed: Its seed.
        status: `finished` or `failed`.
        policy: Threshold policy that the run quotes; `hter`, `acer`, `apcer` and `bpcer` are computed at its threshold.
        test_set_choice: Whether that threshold was chosen on the test scores themselves.
        hter: Half total error rate.
        acer: Average classification error rate, by the worst PAI species.
        apcer: Attack presentation classification error rate of the worst PAI species.
        bpcer: Bona fide presentation classification error rate.
        auc: Area under the ROC curve.
        eer: Equal error rate.
        hter_target_eer: HTER at the threshold chosen on the test set, as papers usually report it.
        selection: How the checkpoint was selected; `mean-last-10` where the figures are means over several.
        convention: Convention of the protocol.
        simulated: Whether the data are simulated.
        folder: The run's folder, relative to the ablation's.
        error: Last error line of a failed run.
    """

    cell: str
    target: str
    seed: int
    status: str = FINISHED
    policy: str = ""
    test_set_choice: bool | None = None
    hter: float | None = None
    acer: float | None = None
    apcer: float | None = None
    bpcer: float | None = None
    auc: float | None = None
    eer: float | None = None
    hter_target_eer: float | None = None
    selection: str = ""
    convention: str = ""
    simulated: bool | None = None
    folder: str = ""
    error: str = ""


def record_run(run: Run, error: str, base: Path) -> Record:
    """Return the figures of a finished run, or the `error` that ended it; its folder is given relative to `base`."""
    key: dict[str, Any] = {"cell": run.cell.name, "target": run.target, "seed": run.seed}
    key["folder"] = run.folder.relative_to(base).as_posix()
    try:
        return Record(**key, status=FAILED, error=error) if error else _figures(run.metrics, key)
    except PadkitError as problem:
        return Record(**key, status=FAILED, error=one_line(problem))


def _figures(metrics: Path, key: Mapping[str, Any]) -> Record:
    results = read_results(metrics)
    told = results.mean_last or results
    quoted = told.results[0]
    literature = next((entry.values["hter"] for entry in told.results if entry.policy == TARGET_EER), None)
    return Record(
        **key, policy=quoted.policy, test_set_choice=quoted.test_set_choice,
        hter=quoted.values["hter"], acer=quoted.values["acer"], apcer=quoted.values["apcer"],
        bpcer=quoted.values["bpcer"], auc=told.values["auc"], eer=told.values["eer"], hter_target_eer=literature,
        selection=results.mean_last.selection if results.mean_last else results.checkpoint_selection,
        convention=results.protocol.convention,
        simulated=results.protocol.simulated,
    )  # fmt: skip


def write_records(records: Iterable[Record], path: Path) -> None:
    """Write `results.csv`, whole or not at all.

    Raises:
        DataError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [item.name for item in fields(Record)], lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow(asdict(record))
    write_atomically(path, text.getvalue().encode())


def finished(records: Iterable[Record]) -> Sequence[Record]:
    """Return the records that have figures."""
    return [record for record in records if record.status == FINISHED]
