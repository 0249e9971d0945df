"""`padkit bench infer`: how fast every form of a model is. Imports no torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from padkit.commands.parser import Number, Parser
from padkit.errors import SettingsError
from padkit.settings.ranges import Positive, Whole

if TYPE_CHECKING:
    from PIL import Image

DESCRIPTION = """\
Measure latency (p50, p95) and throughput of every form of a model that is there: the weights in eager torch, and what
`padkit export` wrote; at batch 1 and 16, for crops alone and from a photograph, with finding the face.

  padkit bench infer MODEL
  padkit bench infer MODEL --threads 2 --json bench.json
  padkit bench infer MODEL --photograph face.jpg --face scrfd

Forms are timed turn by turn, so that a busy machine slows all of them alike.
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
    add = parser.add_argument
    add("what", choices=("infer",), metavar="infer", help="what to measure: inference")
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
    add("--face", default="lbp", metavar="FINDER", help="face finder: lbp (default) or scrfd")
    add("--face-model", default="buffalo_l", metavar="FILE", help="weights of scrfd: an .onnx file, or a pack's name")
    add("--no-detection", action="store_true", help="measure crops alone")
    add("--json", type=Path, metavar="FILE", help="write JSON as well")
    line = parser.parse_args(arguments)
    if line.threads < 0:
        raise SettingsError(f"--threads {line.threads}: is below 1.")
    if not 0 < line.seconds <= 600:
        raise SettingsError(f"--seconds {line.seconds:g}: give seconds above 0, at most 600.")
    return line


def main(arguments: Sequence[str]) -> int:
    """Run the command on the words after its name; return the exit status."""
    line = parse(arguments)
    from rich.console import Console

    from padkit.deploy.benchmark import benchmark
    from padkit.deploy.bundle import model_folder, read_bundle
    from padkit.deploy.predictor import located
    from padkit.files import write_json
    from padkit.report.tables.export import benchmark_table
    from padkit.report.tables.layout import terminal

    folder = model_folder(located(line.model))
    face_model = ""
    if line.face == "scrfd" and not line.no_detection:
        from padkit.data.preparation.scrfd import scrfd_weights

        face_model = str(scrfd_weights(line.face_model, download=False))
    found = benchmark(
        folder, read_bundle(folder), threads=line.threads or len(os.sched_getaffinity(0)), seconds=line.seconds,
        photograph=None if line.no_detection else _photograph(line.photograph), face=line.face, face_model=face_model,
    )  # fmt: skip
    if line.json is not None:
        write_json(line.json.expanduser(), found.to_dict())
    Console().print(terminal([benchmark_table(found)], []))
    return 0


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
