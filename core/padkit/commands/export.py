"""`padkit export`: writes a model as ONNX, OpenVINO or torch.export, compared with its weights. Imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from padkit.commands.judging import MODEL
from padkit.commands.parser import Number, Parser
from padkit.errors import DataError, SettingsError
from padkit.settings.ranges import Count, Processes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from padkit.deploy.bundle import Bundle
    from padkit.deploy.checking import CheckCrops
    from padkit.deploy.exporting import Export
    from padkit.runs.finished import FinishedRun

DESCRIPTION = """\
Write a model in forms that need no padkit and no torch: uint8 RGB in, P(bona fide) out, normalisation in the graph.
Threshold, crop policy and checksum travel in the metadata of each file. Each form is compared with the weights on
crops of the run's test; the table is printed, goes into the card (README.md) and, as JSON, into export.json.

  padkit export runs/dtda-webcam-seed0                        # model.onnx, beside the weights
  padkit export RUN --forms onnx,onnx-int8 --out shipped      # int8 is calibrated on the run's training crops
  padkit export MODEL --forms openvino-int8 --crops FOLDER    # a bundle without its run: face crops of your own
  padkit export RUN --forms all
"""
HEADING = "Exported forms"
NOISE = 32  # pictures of noise to compare on where there is nothing else


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong.
    """
    from padkit.deploy.forms import FORMS, chosen_forms

    listed = "\n".join(f"  {form.name:<16}{form.summary} ({form.file})" for form in FORMS.values())
    parser = Parser(
        prog="padkit export", description=DESCRIPTION, epilog=f"forms:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("model", metavar="MODEL", help=MODEL.format(""))
    add("--forms", default="onnx", metavar="A,B", help="forms, or all (%(default)s)")
    add("--out", type=Path, metavar="DIR", help="folder to write to, a bundle without weights; by default MODEL's own")
    add("--crops", type=Path, metavar="FOLDER", help="face crops to calibrate int8 on, in place of the run's training")
    add("--calibrate", type=Number(Count), default=300, metavar="N", help="crops to calibrate int8 on (%(default)s)")
    add(
        "--compare",
        type=Number(Count),
        default=2000,
        metavar="N",
        help="about how many test crops to compare on (%(default)s)",
    )
    add("--threads", type=Number(Processes), metavar="N", help="CPU threads of the latencies")
    line = parser.parse_args(arguments)
    line.forms = chosen_forms(line.forms)
    for name in ("threads", "calibrate", "compare"):
        if getattr(line, name) is not None and getattr(line, name) < 1:
            raise SettingsError(f"--{name} {getattr(line, name)}: is below 1.")
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    from rich.console import Console

    from padkit.deploy.bundle import model_folder, read_bundle
    from padkit.deploy.exporting import export
    from padkit.deploy.predictor import located
    from padkit.report.tables.export import export_table
    from padkit.report.tables.layout import terminal

    source = model_folder(located(line.model))
    if line.out is None and not Path(line.model).expanduser().exists():
        raise SettingsError(f"{line.model} is no folder of yours to write to; say where to: --out DIR.")
    bundle = read_bundle(source)
    run = _run_of(source)
    calibrated = next((form.name for form in line.forms if form.calibrated), "")
    if calibrated and run is None and line.crops is None:
        raise SettingsError(
            f"form {calibrated} is calibrated on crops, and {source} has none; give the folder of its run, or --crops "
            "FOLDER with face crops."
        )
    calibration, shown = _crops(line, run, bundle, calibrated=bool(calibrated))
    found = export(
        source, line.forms, line.out or source, shown, calibration=calibration, threads=line.threads, told=_tell
    )
    Console().print(terminal([export_table(found)], []))
    _card(found)
    return 0


def _run_of(source: Path) -> FinishedRun | None:
    """Return the finished run that a bundle's folder is part of, if it is."""
    from padkit.runs.finished import read_run
    from padkit.runs.folder import RunFolder

    run = RunFolder(source.resolve().parent)
    return read_run(run.path) if run.model == source.resolve() and run.finished else None


def _crops(
    line: argparse.Namespace, run: FinishedRun | None, bundle: Bundle, *, calibrated: bool
) -> tuple[NDArray[np.uint8] | None, CheckCrops]:
    """Return what int8 is calibrated on, and what the forms are compared on."""
    own = None if line.crops is None else _read(line.crops, bundle.image_size, max(line.calibrate, line.compare))
    if run is None:
        return None if own is None else own[: line.calibrate], _without_labels(own, line, bundle.image_size)
    from padkit.catalog import Catalog
    from padkit.runs.crops import check_crops, training_crops
    from padkit.runs.opened import Opener

    opener = Opener(Catalog(), shown=True)
    calibration = None if own is None else own[: line.calibrate]
    if calibrated and calibration is None:
        calibration = training_crops(run, opener, line.calibrate)
    return calibration, check_crops(run, opener, line.compare)


def _without_labels(own: NDArray[np.uint8] | None, line: argparse.Namespace, size: int) -> CheckCrops:
    import numpy as np

    from padkit.deploy.checking import CheckCrops

    if own is not None:
        return CheckCrops(crops=own[: line.compare], columns={}, told=f"{min(len(own), line.compare)} crops of --crops")
    noise = np.random.default_rng(0).integers(0, 256, (NOISE, size, size, 3), dtype=np.uint8)
    return CheckCrops(crops=noise, columns={}, told=f"{NOISE} pictures of noise (no run and no --crops)")


def _read(folder: Path, size: int, most: int) -> NDArray[np.uint8]:
    """Return the pictures below a folder, drawn with seed 0, as crops uint8 RGB [n, size, size, 3]."""
    import numpy as np

    from padkit.data.media.formats import STILL, kind_of
    from padkit.data.media.pictures import read_picture, to_square
    from padkit.data.media.walk import media_below
    from padkit.data.unread import Unread

    folder = folder.expanduser()
    paths = [path for path in media_below(folder, Unread()) if kind_of(path) == STILL] if folder.is_dir() else []
    if not paths:
        raise DataError(f"--crops {folder}: holds no pictures; give a folder of face crops.")
    drawn = np.random.default_rng(0).permutation(len(paths))[:most]
    return np.stack([to_square(read_picture(paths[number]), size) for number in drawn])


def _card(found: Export) -> None:
    """Put the table into the card, in place of that of an earlier export."""
    from padkit.deploy import CARD
    from padkit.deploy.card import with_section
    from padkit.files import write_atomically
    from padkit.report.tables.export import export_table
    from padkit.report.tables.layout import markdown

    path = found.folder / CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    body = markdown([export_table(found)], [])
    write_atomically(path, with_section(text, HEADING, body).encode())
    names: list[Any] = sorted({check.form for check in found.checks if check.differs})
    if names:
        print(f"note: {', '.join(names)}: HTER differs from that of the weights; see the table.", file=sys.stderr)
    print(found.folder)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
