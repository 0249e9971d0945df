"""`padkit bench infer|train|data`: how fast models, training steps and loaders are. Imports no torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from padkit.commands.parser import Number, Parser
from padkit.errors import SettingsError
from padkit.settings.ranges import BatchSize, CropSide, Positive, Whole, Workers

if TYPE_CHECKING:
    from PIL import Image

    from padkit.report.tables.layout import Table

FEWEST = 6  # images of a batch: one of each domain and class
MOST = 512  # loader processes

DESCRIPTION = """\
infer: latency (p50, p95) and throughput of every form of a model that is there: the weights in eager torch, and what
`padkit export` wrote; at batch 1 and 16, for crops alone and from a photograph, with finding the face.
train: a training step of DTDA with its batch, each of its parts alone (student, teachers, attack, augmentation,
loader), the same method as research code is written (float32, NCHW, Pillow image by image), and timm's own step.
data: how fast batches come from a table, by loader processes. Both draw their images, so that nothing is prepared.

  padkit bench train
  padkit bench train --precision bf16 --batch 256 --model vit_small_patch16_224 --size 224 --json train.json
  padkit bench data --workers 0,1,2
  padkit bench infer MODEL
  padkit bench infer MODEL --threads 2 --json bench.json
  padkit bench infer MODEL --photograph face.jpg --face scrfd

All are timed turn by turn, so that a busy machine slows all of them alike.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the command line.

    Raises:
        SettingsError: An option is unknown or wrong.
    """
    parser = Parser(
        prog="padkit bench", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    kinds = parser.add_subparsers(dest="what", metavar="infer, train or data", required=True)
    formatter: Any = argparse.RawDescriptionHelpFormatter
    given = {"formatter_class": formatter, "allow_abbrev": False}
    _infer_options(kinds.add_parser("infer", help="every form of a model", **given))
    _train_options(kinds.add_parser("train", help="a training step and its parts", **given))
    _data_options(kinds.add_parser("data", help="loading of training images", **given))
    if list(arguments[:1]) in (["--help"], ["-h"]):
        print("\n".join(one.format_help() for one in (parser, *kinds.choices.values())))
        raise SystemExit(0)
    line = parser.parse_args(arguments)
    if line.what != "data" and line.threads < 0:
        raise SettingsError(f"--threads {line.threads}: is below 1.")
    if not 0 < line.seconds <= 600:
        raise SettingsError(f"--seconds {line.seconds:g}: give seconds above 0, at most 600.")
    if line.what != "infer" and line.batch < FEWEST:
        raise SettingsError(f"--batch {line.batch}: three domains of two classes need {FEWEST} or more.")
    numbers = [text.strip() for text in line.workers.split(",")] if line.what == "data" else []
    if not all(text.isdecimal() and int(text) <= MOST for text in numbers):
        raise SettingsError(f"--workers {line.workers!r}: give numbers of processes, such as 0,1,2; at most {MOST}.")
    return line


def _infer_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", help="a run's folder, or its model/ folder")
    add(
        "--threads",
        type=Number(Whole),
        default=0,
        metavar="N",
        help="CPU threads of each library; all cores by default",
    )
    add(
        "--seconds",
        type=Number(Positive),
        default=2.0,
        metavar="S",
        help="about how long to measure each form (%(default)s)",
    )
    add("--photograph", type=Path, metavar="FILE", help="photograph with a face; scikit-image's astronaut by default")
    add("--face", default="lbp", metavar="FINDER", help="face finder: lbp (default), lbp-tight or scrfd")
    add("--face-model", default="buffalo_l", metavar="FILE", help="weights of scrfd: an .onnx file, or a pack's name")
    add("--no-detection", action="store_true", help="measure crops alone")
    add("--json", type=Path, metavar="FILE", help="write JSON as well")


def _train_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--batch", type=Number(BatchSize), default=48, metavar="N", help="images per step (%(default)s)")
    add("--size", type=Number(CropSide), default=128, metavar="N", help="side of the images in pixels (%(default)s)")
    add("--model", default="resnet18", metavar="NAME", help="timm's name of the student (%(default)s)")
    add("--teachers", default="arcface,stargan", metavar="A,B", help="teachers, or none (%(default)s)")
    add("--aligner", default="daa", metavar="NAME", help="aligner, or none (%(default)s)")
    add("--precision", choices=("no", "bf16", "fp16"), default="no", help="no (default) is float32")
    add("--threads", type=Number(Whole), default=0, metavar="N", help="CPU threads; those free by default")
    add("--workers", type=Number(Workers), metavar="N", help="loader processes; 0 on a CPU, at most 8 with a GPU")
    add("--compile", action="store_true", help="compile student and teachers")
    _measuring(parser, 6.0)


def _data_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--table", type=Path, metavar="FOLDER", help="a prepared table; by default crops are drawn")
    add("--batch", type=Number(BatchSize), default=48, metavar="N", help="images per batch (%(default)s)")
    add("--size", type=Number(CropSide), default=128, metavar="N", help="side of drawn crops in pixels (%(default)s)")
    add("--workers", default="0,1", metavar="N,N", help="numbers of loader processes (%(default)s)")
    _measuring(parser, 2.0)


def _measuring(parser: argparse.ArgumentParser, seconds: float) -> None:
    told = "about how long to measure each part (%(default)s)"
    parser.add_argument("--seconds", type=Number(Positive), default=seconds, metavar="S", help=told)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON as well")


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    measure = {"infer": _infer, "train": _train, "data": _data}[line.what]
    found, table = measure(line)
    from rich.console import Console

    from padkit.files import write_json
    from padkit.report.tables.layout import terminal

    if line.json is not None:
        write_json(line.json.expanduser(), found.to_dict())
    Console().print(terminal([table], []))
    return 0


def _train(line: argparse.Namespace) -> tuple[Any, Table]:
    import timm
    import torch

    from padkit.errors import closest
    from padkit.inspection.speed_tables import training_table
    from padkit.inspection.training_speed import Workload, measure_training
    from padkit.processes import cores, free_cores

    if not timm.is_model(line.model):
        hint = closest(line.model, timm.list_models()).partition(" Known:")[0]
        raise SettingsError(f"--model: timm has no {line.model!r}.{hint}")
    if line.precision == "fp16" and not torch.accelerator.is_available():
        raise SettingsError("--precision fp16 needs a GPU; a CPU computes in bf16 or no (float32).")
    workers = min(8, cores()) if torch.accelerator.is_available() else 0
    load = Workload(
        model=line.model, teachers=_named(line.teachers), aligner="".join(_named(line.aligner)), batch=line.batch,
        size=line.size, precision=line.precision, threads=line.threads or free_cores(),
        workers=workers if line.workers is None else line.workers, compiled=line.compile, seconds=line.seconds,
    )  # fmt: skip
    found = measure_training(load)
    return found, training_table(found)


def _data(line: argparse.Namespace) -> tuple[Any, Table]:
    from padkit.inspection.loading_speed import measure_loading
    from padkit.inspection.speed_tables import loading_table

    found = measure_loading(
        table=line.table and line.table.expanduser(), batch=line.batch, size=line.size,
        workers=[int(text) for text in line.workers.split(",")], seconds=line.seconds,
    )  # fmt: skip
    return found, loading_table(found)


def _named(text: str) -> list[str]:
    """Return the names in a list; `none` names nothing."""
    return [] if text == "none" else [name.strip() for name in text.split(",")]


def _infer(line: argparse.Namespace) -> tuple[Any, Table]:
    from padkit.deploy.benchmark import benchmark
    from padkit.deploy.bundle import model_folder, read_bundle
    from padkit.deploy.predictor import finder_weights, located
    from padkit.report.tables.export import benchmark_table

    folder = model_folder(located(line.model))
    face_model = "" if line.no_detection else finder_weights(line.face, line.face_model)
    found = benchmark(
        folder, read_bundle(folder), threads=line.threads or len(os.sched_getaffinity(0)), seconds=line.seconds,
        photograph=None if line.no_detection else _photograph(line.photograph), face=line.face, face_model=face_model,
    )  # fmt: skip
    return found, benchmark_table(found)


def _photograph(path: Path | None) -> Image.Image | None:
    """Return the photograph; None, with a note, if none is named and scikit-image is not there."""
    from PIL import Image

    from padkit.data.media.pictures import read_picture

    if path is not None:
        return read_picture(path.expanduser())
    try:
        from skimage import data
    except ImportError:
        told = "note: crops alone are measured: scikit-image, which brings a photograph, is not installed; "
        print(f"{told}give --photograph FILE.", file=sys.stderr)
        return None
    return Image.fromarray(data.astronaut())
